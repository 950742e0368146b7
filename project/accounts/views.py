"""Sign-in, sign-out and the account page."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import LoginView, LogoutView
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import override
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from project.accounts.forms import ChangePasswordForm, PreferencesForm, SignInForm
from project.accounts.models import User


class SignIn(LoginView):
    """Ask for user name and password; go where the visitor was heading."""

    template_name = "accounts/sign_in.html"
    authentication_form = SignInForm
    redirect_authenticated_user = True


class SignOut(LogoutView):
    """End the session (POST only) and show the sign-in page."""

    http_method_names = ["post", "options"]


@sensitive_post_parameters()
@login_required
@require_http_methods(["GET", "POST"])
def account_page(request: HttpRequest) -> HttpResponse:
    """Show and save the preferences and the password of the person who is signed in."""
    assert isinstance(request.user, User)
    is_password = request.method == "POST" and request.POST.get("form") == "password"
    is_preferences = request.method == "POST" and not is_password
    preferences = PreferencesForm(
        request.POST if is_preferences else None,
        # A copy: a form that is refused must not change the user that the page shows.
        instance=User.objects.get(pk=request.user.pk),
    )
    password = ChangePasswordForm(request.user, request.POST if is_password else None)
    if is_preferences and preferences.is_valid():
        return _preferences_saved(request, preferences)
    if is_password and password.is_valid():
        update_session_auth_hash(request, password.save())
        messages.success(request, _("The password is changed. Other devices were signed out."))
        return redirect("account")
    context: dict[str, Any] = {"preferences": preferences, "password": password}
    return render(request, "accounts/account.html", context, status=400 if request.POST else 200)


def _preferences_saved(request: HttpRequest, form: PreferencesForm) -> HttpResponseRedirect:
    user = form.save()
    response = redirect("account")
    if user.language:
        response.set_cookie(
            settings.LANGUAGE_COOKIE_NAME,
            user.language,
            max_age=365 * 24 * 3600,
            samesite="Lax",
            secure=settings.SESSION_COOKIE_SECURE,
        )
        with override(user.language):
            messages.success(request, _("Saved."))
    else:
        response.delete_cookie(settings.LANGUAGE_COOKIE_NAME)
        messages.success(request, _("Saved."))
    return response
