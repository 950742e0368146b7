"""Knowledge: what is known."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class KnowledgeConfig(AppConfig):
    """The `knowledge` app."""

    name = "knowledge"
    verbose_name = _("Knowledge")

    def ready(self) -> None:
        """Register the subscribers, and what knowledge itself answers to its signals."""
        from knowledge import (  # noqa: F401 - models must be loaded first
            impact,
            proposal_erasing,
            receivers,
            subscribers,
            webhook_offers,
        )
