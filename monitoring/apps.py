"""Monitoring: how it is doing."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class MonitoringConfig(AppConfig):
    """The `monitoring` app."""

    name = "monitoring"
    verbose_name = _("Monitoring")
