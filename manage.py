#!/usr/bin/env python
"""Acervo's command line."""

import os
import sys

# These start or look for the servers themselves, or need none.
WITHOUT_SERVERS = frozenset(
    {"up", "doctor", "help", "version", "--version", "--help", "-h"}
    | {"makemessages", "compilemessages", "collectstatic", "findstatic"}
)


def main() -> None:
    """Run one management command, with the embedded servers where no others are named."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    command = sys.argv[1] if len(sys.argv) > 1 else "help"
    if sys.argv[1:] == ["up"]:
        from project.up import main as up

        sys.exit(up())
    if command not in WITHOUT_SERVERS or command == "doctor":
        from project.embedded import EmbeddedError, ensure, find

        try:
            if command == "doctor":
                find()  # it looks, and starts nothing
            else:
                ensure()
        except EmbeddedError as error:
            sys.exit(f"{error}")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
