"""Forms of the account pages."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib.auth.forms import AuthenticationForm, PasswordChangeForm
from django.utils.translation import gettext_lazy as _

from project.accounts.models import User


class SignInForm(AuthenticationForm):
    """User name and password; the message does not tell which of them was wrong."""

    error_messages = {
        "invalid_login": _(
            "That user name and password do not match. Both are case-sensitive; check Caps Lock."
        ),
        "inactive": _("This account is switched off. Ask an administrator."),
    }


class ChangePasswordForm(PasswordChangeForm):
    """Old and new password; it is not the first thing on its page, so it takes no focus."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["old_password"].widget.attrs.pop("autofocus", None)


class PermissionsField(forms.ModelMultipleChoiceField):
    """Permissions in the reader's words: their stored names are English."""

    def label_from_instance(self, obj: Any) -> str:
        """Return what the permission is about and what it allows."""
        verbs = {
            "add": _("may add"),
            "change": _("may change"),
            "delete": _("may delete"),
            "view": _("may see"),
        }
        verb, _underscore, _model = obj.codename.partition("_")
        return f"{obj.content_type.app_labeled_name} | {verbs.get(verb, obj.name)}"


class PreferencesForm(forms.ModelForm):
    """The language of the pages, and whether conversations are remembered."""

    class Meta:
        model = User
        fields = ["language", "remembers"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["language"] = forms.ChoiceField(
            label=_("Language"),
            required=False,
            choices=[("", _("As the browser says")), *settings.LANGUAGES],
        )
        self.fields["remembers"].label = _("Remember my conversations")
        self.fields["remembers"].help_text = _(
            "Finished conversations are kept as memories that make later answers better. "
            "Only you see them, and you can delete them at any time."
        )
