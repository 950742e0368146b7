"""Pytest plugin: a real PostgreSQL and Valkey for this run, gone when it ends, however it ends.

Loaded by `-p tests.servers`, before Django reads its settings. The environment of the developer
is kept out, except ACERVO_TEST_DATABASE_URL, ACERVO_TEST_REDIS_URL and ACERVO_SKIP_BROWSER. With
pytest-xdist all workers share the PostgreSQL of the controller (each has its own test database, a
copy of one that is migrated while they collect) and have a Valkey each.

It also sees to it that browser tests are never left out quietly: without a Chromium they fail, and
ACERVO_SKIP_BROWSER=1, which leaves them out, is refused where CI is set.
"""

import atexit
import os
import shutil
import sys

import pytest

from project.embedded import EmbeddedError, EmbeddedServers
from tests.support import template
from tests.support.folders import reachable_folder

_MODELS = "ACERVO_TEST_MODELS"  # the controller's folder of built models, which all workers use
_KEPT = template.VARIABLES | {
    "ACERVO_TEST_DATABASE_URL",
    "ACERVO_TEST_REDIS_URL",
    "ACERVO_SKIP_BROWSER",
    _MODELS,
}
# What these make once serves all their tests: a worker of pytest-xdist gets all of them or none. As
# groups they also come first, so that no worker is left alone with the long ones at the end.
_TOGETHER = (
    "tests/browser/",
    "tests/knowledge/test_release_faults.py",
    "tests/project/inference/",
    "tests/project/test_demo.py",
    "tests/project/test_embedded.py",
    "tests/project/test_embedded_faults.py",
    "tests/project/test_up.py",
)


def _start() -> None:
    is_xdist_worker = "PYTEST_XDIST_WORKER" in os.environ
    database_url = os.environ.get("ACERVO_TEST_DATABASE_URL")
    if is_xdist_worker:
        database_url = os.environ["DATABASE_URL"]
    redis_url = os.environ.get("ACERVO_TEST_REDIS_URL")
    for name in list(os.environ):
        if name.startswith("ACERVO_") and name not in _KEPT:
            del os.environ[name]
    data = reachable_folder()
    os.environ["ACERVO_DATA"] = str(data)
    if is_xdist_worker and _MODELS in os.environ:
        (data / "models").symlink_to(os.environ[_MODELS])
    else:
        (data / "models").mkdir()
        os.environ[_MODELS] = str(data / "models")
    servers = EmbeddedServers(
        data,
        postgres=database_url is None,
        valkey=redis_url is None,
        durable=False,
        throwaway=True,
    )
    try:
        addresses = servers.start()
    except EmbeddedError as error:
        sys.exit(f"The servers for the tests cannot be started. {error}")
    atexit.register(servers.stop)
    os.environ["DATABASE_URL"] = database_url or addresses.database_url or ""
    os.environ["REDIS_URL"] = redis_url or addresses.redis_url or ""


def _chromium() -> str | None:
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return next((path for path in map(shutil.which, names) if path), None)


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("dist", "no") != "no" and "PYTEST_XDIST_WORKER" not in os.environ:
        made = template.begin()
        config.add_cleanup(lambda: template.end(made))
    if os.environ.get("ACERVO_SKIP_BROWSER") == "1" and os.environ.get("CI"):
        raise pytest.UsageError("ACERVO_SKIP_BROWSER=1 is not accepted where CI is set.")


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist looks for groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for place in _TOGETHER:
            if f"/{place}" in item.path.as_posix():
                item.add_marker(pytest.mark.xdist_group(place))
    if os.environ.get("ACERVO_SKIP_BROWSER") != "1":
        return
    for item in items:
        if item.get_closest_marker("browser"):
            item.add_marker(
                pytest.mark.skip(reason="ACERVO_SKIP_BROWSER=1: not tried in a browser")
            )


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("browser") and _chromium() is None:
        pytest.fail(
            "This test needs Chromium: install it (Debian: apt install chromium), or leave the"
            " browser tests out with ACERVO_SKIP_BROWSER=1.",
            pytrace=False,
        )


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    skipped = terminalreporter.stats.get("skipped", [])
    if any("ACERVO_SKIP_BROWSER" in str(report.longrepr) for report in skipped):
        terminalreporter.section("BROWSER TESTS WERE LEFT OUT", sep="*", red=True)
        terminalreporter.line("Install Chromium and run again without ACERVO_SKIP_BROWSER.")


_start()
