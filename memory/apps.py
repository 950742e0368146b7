"""Memory: what happened."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class MemoryConfig(AppConfig):
    """The `memory` app."""

    name = "memory"
    verbose_name = _("Memory")

    def ready(self) -> None:
        """Offer the events that webhooks may ask for."""
        from memory import webhook_offers  # noqa: F401 - models must be loaded first
