"""The `project` app: the wiring, the commands and the system checks of the whole."""

from django.apps import AppConfig

from project.celery import app as celery_app

__all__ = ["ProjectConfig", "celery_app"]


class ProjectConfig(AppConfig):
    """Carries the management commands `up`, `doctor`, `bootstrap` and `load_demo`."""

    name = "project"
    label = "acervo"

    def ready(self) -> None:
        """Register the system checks."""
        from project import checks  # noqa: F401 - registers itself when apps are ready
