"""Chat: who asks."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ChatConfig(AppConfig):
    """The `chat` app."""

    name = "chat"
    verbose_name = _("Chat")

    def ready(self) -> None:
        """Register the subscribers and receivers."""
        from chat import (  # noqa: F401 - need the models
            budget_notices,
            cocitation,
            dependents,
            lineage,
            receivers,
            subscribers,
            webhook_offers,
        )
