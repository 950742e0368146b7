"""Accounts: people, their keys, and how they sign in."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AccountsConfig(AppConfig):
    """The `accounts` app."""

    name = "project.accounts"
    label = "accounts"
    verbose_name = _("Accounts")

    def ready(self) -> None:
        """Register how the API's schema describes signing in."""
        from project.accounts import schema  # noqa: F401 - registers itself when apps are ready
