"""People, groups, and the keys of programs."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, Permission
from django.db.models import Count
from django.forms.widgets import Script
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from project.accounts.choices import Scope
from project.accounts.forms import PermissionsField
from project.accounts.models import ApiKey, GroupAllowance, User
from project.accounts.services import api_key_create, api_key_revoke
from project.http.admin_base import (
    AcervoAdmin,
    AcervoTabularInline,
    RefusalForm,
    badge,
    display,
    each_done,
    posted_only,
    reflect,
    refusals_as_messages,
)

if admin.site.is_registered(Group):
    admin.site.unregister(Group)

ONCE = "_acervo_shown_once"


class WordedPermissions(AcervoAdmin):
    """An admin whose permissions are named in the reader's language."""

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Take the field that words them."""
        if db_field.related_model is Permission:
            kwargs["form_class"] = PermissionsField
        return super().formfield_for_manytomany(db_field, request, **kwargs)


@admin.register(User)
class UserAdmin(DjangoUserAdmin, WordedPermissions):  # type: ignore[misc]  # both take what Django hands in
    """People. Roles in spaces are given on the page of a space's members."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("summary", "is_active", "staff_badge", "group_count", "last_login")
    list_display_links = ("summary",)
    list_filter = ("is_active", "is_staff", "is_superuser")
    list_filter_submit = False
    search_fields = ("username", "first_name", "last_name", "email")
    ordering = ("username",)
    readonly_fields = ("last_login", "date_joined", "roles")
    filter_horizontal = ("user_permissions",)
    autocomplete_fields = ("groups",)
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        (
            gettext_lazy("Who it is"),
            {"fields": (("first_name", "last_name"), "email", ("language", "remembers"))},
        ),
        (gettext_lazy("Limits"), {"fields": ("messages_per_hour",)}),
        (
            gettext_lazy("What they may do"),
            {
                "fields": (("is_active", "is_staff", "is_superuser"), "groups", "roles"),
                "description": gettext_lazy(
                    "Staff may open this admin and see there the spaces in which they are editor "
                    "or more. Superusers may do everything."
                ),
            },
        ),
        (
            gettext_lazy("Single permissions"),
            {"fields": ("user_permissions",), "classes": ("collapse",)},
        ),
        (gettext_lazy("Dates"), {"fields": (("last_login", "date_joined"),)}),
    )
    add_fieldsets = (
        (None, {"classes": ("wide",), "fields": ("username", "email", "password1", "password2")}),
    )

    @display(description=gettext_lazy("user"), ordering="username")
    def summary(self, user: User) -> SafeString:
        """Show the user name with the person's name or address below it."""
        return format_html(
            '<span class="ac-two"><b>{}</b><small>{}</small></span>',
            user.username,
            user.get_full_name() or user.email,
        )

    @display(description=gettext_lazy("admin"), ordering="is_staff")
    def staff_badge(self, user: User) -> SafeString | str:
        """Show whether the person may open the admin."""
        if user.is_superuser:
            return badge(_("Superuser"), "primary")
        return badge(_("Staff"), "info") if user.is_staff else "–"

    @display(description=gettext_lazy("groups"))
    def group_count(self, user: Any) -> int:
        """Show how many groups the person is in."""
        return int(user.groups_in)

    @display(description=gettext_lazy("roles in spaces"))
    def roles(self, user: User) -> str | SafeString:
        """Show the roles that the groups give; the spaces' rows are read through the groups."""
        rows = [
            (link.space, link.get_role_display(), group.name)
            for group in user.groups.all()
            for link in group.space_roles.select_related("space")
        ]
        if not rows:
            return "–"
        line = "<li><b>{}</b>: {} <small>({})</small></li>"
        return format_html('<ul class="ac-plain">{}</ul>', format_html_join("", line, rows))

    def get_queryset(self, request: HttpRequest) -> Any:
        """Return the people with their groups counted."""
        return super().get_queryset(request).annotate(groups_in=Count("groups"))


class AllowanceInline(AcervoTabularInline):
    """What the people of the group may send."""

    model = GroupAllowance
    tab = False
    max_num = 1
    can_delete = True


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, WordedPermissions):
    """Groups; those of a space are kept by the page of its members."""

    inlines = (AllowanceInline,)
    list_display = ("name", "people", "allowed")
    search_fields = ("name",)

    @display(description=gettext_lazy("people"))
    def people(self, group: Any) -> int:
        """Show how many people are in it."""
        return int(group.people_in)

    @display(description=gettext_lazy("messages an hour"))
    def allowed(self, group: Any) -> str:
        """Show what its people may send, where that is more than everybody."""
        allowance = getattr(group, "allowance", None)
        return str(allowance.messages_per_hour) if allowance is not None else "–"

    def get_queryset(self, request: HttpRequest) -> Any:
        """Return the groups with their people counted."""
        rows = super().get_queryset(request).select_related("allowance")
        return rows.annotate(people_in=Count("user"))


class ApiKeyForm(RefusalForm):
    """A new key: for whom, for what, and until when."""

    scopes = forms.MultipleChoiceField(
        label=gettext_lazy("Scopes"),
        choices=Scope.choices,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text=gettext_lazy("A key may never do more than its user."),
    )

    class Meta:
        model = ApiKey
        fields = ("user", "name", "scopes", "expires_at")


@admin.register(ApiKey)
class ApiKeyAdmin(AcervoAdmin):
    """Keys of programs. The secret is shown once, on the page after it was made."""

    form = ApiKeyForm
    list_display = ("summary", "user", "scope_words", "state", "last_used_at", "expires_at")
    list_display_links = ("summary",)
    list_select_related = ("user",)
    list_filter = ("user",)
    list_filter_submit = False
    search_fields = ("name", "prefix", "user__username")
    autocomplete_fields = ("user",)
    actions = ("keys_revoke",)
    change_form_outer_before_template = "admin/accounts/apikey/buttons.html"

    class Media:
        js: ClassVar[list[Any]] = [Script("acervo/admin/copy.js", type="module")]

    @display(description=gettext_lazy("key"), ordering="name")
    def summary(self, key: ApiKey) -> SafeString:
        """Show the name with the beginning of the secret below it."""
        return format_html(
            '<span class="ac-two"><b>{}</b><small><code>{}…</code></small></span>',
            key.name,
            key.prefix,
        )

    @display(description=gettext_lazy("scopes"))
    def scope_words(self, key: ApiKey) -> str:
        """Show the scopes."""
        return ", ".join(key.scopes)

    @display(description=gettext_lazy("state"))
    def state(self, key: ApiKey) -> SafeString:
        """Show whether it can be used."""
        if key.revoked_at is not None:
            return badge(_("Revoked"), "danger")
        return badge(_("Usable"), "success") if key.is_usable else badge(_("Expired"), "warning")

    def get_queryset(self, request: HttpRequest) -> Any:
        """Return everybody's keys to superusers, their own to others."""
        rows = super().get_queryset(request)
        return rows if request.user.is_superuser else rows.filter(user=request.user)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Return what a new key needs, or what is known of a stored one."""
        if obj is None:
            return ("user", "name", "scopes", "expires_at")
        return ("name", "user", "prefix", "scope_words", "state", "created_at", "expires_at",
                "last_used_at", "revoked_at")  # fmt: skip

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Begin with the person who makes it."""
        return {"user": request.user.pk, **super().get_changeform_initial_data(request)}

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: a key is made and revoked."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: a revoked key still says who used what."""
        return False

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: Any) -> None:
        """Make the key, and keep the secret for the one page that shows it."""
        data = form.cleaned_data
        stored, secret = api_key_create(
            acting_user=_person(request),
            user=data["user"],
            name=data["name"],
            scopes=data["scopes"],
            expires_at=data["expires_at"],
        )
        reflect(obj, stored)
        setattr(request, ONCE, secret)

    def form_context(self, request: HttpRequest, obj: Any, form: Any) -> dict[str, Any]:
        """Offer one button: what follows is the page with the secret."""
        return {"show_save_and_add_another": False, "show_save_and_continue": False}

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: Any = None) -> Any:
        """Show the secret: in this answer only, which no cache keeps."""
        context = self.page_context(
            request, title=_("Your new API key"), key=obj, secret=getattr(request, ONCE)
        )
        response = TemplateResponse(request, "admin/accounts/apikey/created.html", context)
        response.headers["Cache-Control"] = "no-store"
        return response

    def get_urls(self) -> list[URLPattern]:
        """Add the button that revokes."""
        wrap = self.admin_site.admin_view
        revoke = path(
            "<path:object_id>/revoke/", wrap(self.revoke_view), name="accounts_apikey_revoke"
        )
        return [revoke, *super().get_urls()]

    def revoke_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Revoke one key."""
        refused = posted_only(request)
        if refused is not None:
            return refused
        key = self.get_object(request, unquote(object_id))
        if key is None or not self.has_view_permission(request, key):
            raise Http404(_("There is no such key, or it is not yours to see."))
        with refusals_as_messages(request):
            api_key_revoke(acting_user=_person(request), key=key)
            self.log_change(request, key, _("Revoked."))
            messages.success(request, _("The key cannot be used any more."))
        return self.redirect_to(key.pk)

    @admin.action(description=gettext_lazy("Revoke"), permissions=["view"])
    def keys_revoke(self, request: HttpRequest, rows: Any) -> None:
        """Revoke the chosen keys."""
        user = _person(request)
        each_done(request, rows, lambda key: api_key_revoke(acting_user=user, key=key))


def _person(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user
