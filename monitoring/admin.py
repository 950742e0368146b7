"""The schedule of periodic tasks, in the theme of the rest of the admin."""

from django.contrib import admin
from django_celery_beat.admin import ClockedScheduleAdmin as BeatClockedScheduleAdmin
from django_celery_beat.admin import CrontabScheduleAdmin as BeatCrontabScheduleAdmin
from django_celery_beat.admin import PeriodicTaskAdmin as BeatPeriodicTaskAdmin
from django_celery_beat.admin import PeriodicTaskForm as BeatPeriodicTaskForm
from django_celery_beat.admin import TaskSelectWidget
from django_celery_beat.models import (
    ClockedSchedule,
    CrontabSchedule,
    IntervalSchedule,
    PeriodicTask,
    SolarSchedule,
)
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from project.http.admin_base import AcervoAdmin

for _model in (ClockedSchedule, CrontabSchedule, IntervalSchedule, PeriodicTask, SolarSchedule):
    if admin.site.is_registered(_model):
        admin.site.unregister(_model)


class ThemedTaskSelect(UnfoldAdminSelectWidget, TaskSelectWidget):  # type: ignore[misc]
    """The registered tasks to choose from; the libraries have no types."""


class PeriodicTaskForm(BeatPeriodicTaskForm):  # type: ignore[misc]
    """A periodic task, with the inputs of the theme."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.fields["task"].widget = UnfoldAdminTextInputWidget()
        self.fields["regtask"].widget = ThemedTaskSelect()


@admin.register(PeriodicTask)
class PeriodicTaskAdmin(BeatPeriodicTaskAdmin, AcervoAdmin):  # type: ignore[misc]
    """What beat starts, and when."""

    form = PeriodicTaskForm
    list_filter_submit = False


@admin.register(IntervalSchedule)
class IntervalScheduleAdmin(AcervoAdmin):
    """Every so many seconds, minutes, hours or days."""


@admin.register(CrontabSchedule)
class CrontabScheduleAdmin(BeatCrontabScheduleAdmin, AcervoAdmin):  # type: ignore[misc]
    """At times as cron writes them."""

    list_filter_submit = False


@admin.register(ClockedSchedule)
class ClockedScheduleAdmin(BeatClockedScheduleAdmin, AcervoAdmin):  # type: ignore[misc]
    """Once, at a moment."""


@admin.register(SolarSchedule)
class SolarScheduleAdmin(AcervoAdmin):
    """At sunrise, sunset and their like."""
