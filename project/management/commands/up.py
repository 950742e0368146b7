"""Run all of Acervo on this machine."""

import sys
from typing import Any

from django.core.management.base import BaseCommand

from project import up


class Command(BaseCommand):
    """`manage.py` runs `project.up` without Django; this is for its help and `call_command`."""

    help = (
        "Run all of Acervo on this machine: embedded servers (unless DATABASE_URL and REDIS_URL"
        " are set), web, agent, worker and beat. Stop it with Ctrl-C."
    )
    requires_system_checks: list[str] = []

    def handle(self, *_args: Any, **_options: Any) -> None:
        sys.exit(up.main())
