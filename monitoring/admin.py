"""Tables of packages in the theme of the rest of the admin: the schedule, and sign-ins."""

from typing import Any

from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.contrib import admin
from django.http import HttpRequest
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

from project.http.admin_base import AcervoAdmin, ReadOnlyAdmin

for _model in (
    AccessAttempt,
    AccessFailureLog,
    AccessLog,
    ClockedSchedule,
    CrontabSchedule,
    IntervalSchedule,
    PeriodicTask,
    SolarSchedule,
):
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


@admin.register(AccessAttempt)
class AccessAttemptAdmin(ReadOnlyAdmin):
    """Read-only counts of refused sign-ins; deleting one opens the door again at once."""

    list_display = ("username", "ip_address", "failures_since_start", "attempt_time", "path_info")
    search_fields = ("username", "ip_address")
    list_filter_submit = False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Allow unlocking to those who have Django's permission."""
        return request.user.has_perm("axes.delete_accessattempt")


@admin.register(AccessLog)
class AccessLogAdmin(ReadOnlyAdmin):
    """Read-only: who signed in, from where; a log that can be edited proves nothing."""

    list_display = ("username", "ip_address", "attempt_time", "logout_time", "path_info")
    search_fields = ("username", "ip_address")
    list_filter_submit = False


@admin.register(AccessFailureLog)
class AccessFailureLogAdmin(ReadOnlyAdmin):
    """Read-only: every refused sign-in; a log that can be edited proves nothing."""

    list_display = ("username", "ip_address", "attempt_time", "locked_out", "path_info")
    list_filter = ("locked_out",)
    search_fields = ("username", "ip_address")
    list_filter_submit = False
