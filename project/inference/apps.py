"""Inference: language models, embedding models, and what they cost."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class InferenceConfig(AppConfig):
    """The `inference` app."""

    name = "project.inference"
    label = "inference"
    verbose_name = _("Models")

    def ready(self) -> None:
        """Register the system checks and the metrics."""
        from project.inference import checks, metrics  # noqa: F401 - register themselves
