"""Say in plain words how this installation is, and what to do about what is wrong."""

import sys
from collections.abc import Callable, Iterator
from typing import Any

from django.core.management.base import BaseCommand

from project.management import doctor_machine as machine
from project.management import doctor_services as services
from project.management.findings import Finding, Health, ill

LOOKS: tuple[Callable[[], Iterator[Finding]], ...] = (
    machine.look_at_python,
    machine.look_at_data_folder,
    machine.look_at_shared_memory,
    services.look_at_settings,
    services.look_at_database,
    services.look_at_redis,
    machine.look_at_web,
    services.look_at_embedding_model,
    services.look_at_ocr,
)
_MARKS: dict[Health, str] = {"well": "ok  ", "note": "note", "ill": "BAD "}


class Command(BaseCommand):
    """Looks and changes nothing; it starts no server either."""

    help = "Say in plain words how this installation is; exit status 1 when something is wrong."
    requires_system_checks: list[str] = []

    def handle(self, *_args: Any, **_options: Any) -> None:
        faults = 0
        for look in LOOKS:
            for finding in _careful(look):
                self._say(finding)
                faults += finding.health == "ill"
        if faults:
            things = "thing is" if faults == 1 else "things are"
            self.stdout.write(f"\n{faults} {things} wrong.")
            sys.exit(1)
        self.stdout.write("\nAll is well.")

    def _say(self, finding: Finding) -> None:
        style = {"well": self.style.SUCCESS, "note": self.style.WARNING, "ill": self.style.ERROR}
        mark = style[finding.health](_MARKS[finding.health])
        self.stdout.write(f"{mark}  {finding.subject:<15} {finding.text}")
        if finding.advice:
            self.stdout.write(f"{'':21} what to do: {finding.advice}")


def _careful(look: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """A look that breaks is a finding too, and the other looks go on."""
    try:
        yield from look()
    except Exception as error:  # noqa: BLE001 - whatever is broken here is what it is asked to tell
        name = look.__name__.removeprefix("look_at_").replace("_", " ").capitalize()
        yield ill(
            name,
            f"could not be examined: {type(error).__name__}: {error}",
            "run `make setup`; if it stays, this is a fault in Acervo worth reporting",
        )
