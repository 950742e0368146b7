"""A running Acervo on the test database, and a real Chromium that looks at it.

Web server and agent are the real ones, as subprocesses; the language model is a small local server
that streams. They see only what is committed, so each test empties the tables behind itself.
"""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
from django.conf import settings
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.db import connection
from django.test import Client
from playwright.sync_api import Browser, Page, expect, sync_playwright
from pytest_django import Settings

from knowledge.choices import NodeStatus, Visibility
from knowledge.indexing import index_node
from knowledge.models import Node, Space
from knowledge.services import node_create
from project.accounts.models import User
from project.inference.models import ModelEndpoint
from tests.conftest import PASSWORD
from tests.support.model_server import ModelServer

CHROMIUM = (
    shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
)
READY_WITHIN = 60  # seconds
PATIENCE = 20_000  # milliseconds: how quick a page is, is not looked at here

TIDES = """# Tide table

The harbour of Tarvelo publishes its tides a year ahead.

## High water

On 3 May high water in Tarvelo is at 11:40, and low water is at 17:55.

## Moorings

Visitors moor at the outer quay and pay 12 euros a night.
"""


@dataclass(frozen=True)
class Acervo:
    """Where it answers, and the model that it asks."""

    url: str
    model: ModelServer


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark these tests, and skip them where there is no browser or nobody wants one."""
    reason = ""
    if os.environ.get("ACERVO_SKIP_BROWSER"):
        reason = "ACERVO_SKIP_BROWSER is set"
    elif CHROMIUM is None:
        reason = "no Chromium on this machine"
    for item in items:
        if "tests/browser/" in item.path.as_posix():
            item.add_marker(pytest.mark.browser)
            if reason:
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="package")
def model() -> Iterator[ModelServer]:
    with ModelServer() as server:
        yield server


@pytest.fixture(scope="package")
def processes(
    django_db_setup: None, django_db_blocker: Any, model: ModelServer
) -> Iterator[Acervo]:
    """Start the web server and the agent on the test database."""
    with django_db_blocker.unblock():
        name = connection.settings_dict["NAME"]
    database = urlsplit(os.environ["DATABASE_URL"])
    port = _free_port()
    environment = {
        **os.environ,
        "DATABASE_URL": urlunsplit(database._replace(path=f"/{name}")),
        "ACERVO_PORT": str(port),
        "ACERVO_EMBEDDING": "hashing",
        "ACERVO_LLM_BASE_URL": "",
    }
    commands = [["-m", "project.web"], ["manage.py", "agent"]]
    running = [
        subprocess.Popen([sys.executable, *command], env=environment, cwd=settings.BASE_DIR)
        for command in commands
    ]
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_for(f"{url}/sign-in/", running)
        yield Acervo(url, model)
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait(15)


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    # The driver's event loop runs in this thread, which Django takes for asynchronous code.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def acervo(processes: Acervo, transactional_db: None, settings: Settings) -> Acervo:
    """The running Acervo, with a model that answers at once."""
    settings.ACERVO_EMBEDDING = "hashing"
    processes.model.reset()
    return processes


@pytest.fixture
def reader(acervo: Acervo) -> User:
    user = User(username="reader", first_name="Rita")
    # The processes know only the hashers of the product, not the cheap one of the tests.
    user.password = PBKDF2PasswordHasher().encode(PASSWORD, "salt", iterations=1000)
    user.save()
    return user


@pytest.fixture
def tides(acervo: Acervo, reader: User) -> Node:
    """A published and indexed text in a space for everyone, and a model to answer about it."""
    ModelEndpoint.objects.create(name="stub", base_url=acervo.model.base_url, model_name="stub")
    space = Space.objects.create(
        name="Harbour",
        slug="harbour",
        visibility=Visibility.SIGNED_IN,
        suggested_questions=["When is high water in Tarvelo on 3 May?"],
    )
    author = User.objects.create_superuser(username="author")
    node = node_create(
        acting_user=author,
        space=space,
        title="Tide table",
        content=TIDES,
        status=NodeStatus.PUBLISHED,
    )
    index_node(node.pk)
    return node


@dataclass
class Visit:
    """A page of somebody who is signed in, and what went wrong in its scripts."""

    page: Page
    faults: list[str]


@pytest.fixture
def visit(acervo: Acervo, reader: User, chromium: Browser) -> Iterator[Visit]:
    """A fresh browser, signed in; a script that fails fails the test."""
    context = chromium.new_context(base_url=acervo.url, locale="en-US")
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on(
        "console",
        lambda message: (
            faults.append(message.text) if "Content Security Policy" in message.text else None
        ),
    )
    client = Client()
    client.force_login(reader)
    session = client.cookies[settings.SESSION_COOKIE_NAME].value
    context.add_cookies([{"name": "acervo_session", "value": session, "url": acervo.url}])
    yield Visit(page, faults)
    context.close()
    assert faults == []


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_for(url: str, running: list[subprocess.Popen[bytes]]) -> None:
    deadline = time.monotonic() + READY_WITHIN
    while time.monotonic() < deadline:
        if any(process.poll() is not None for process in running):
            pytest.fail("A process of Acervo ended while it was starting.")
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    pytest.fail(f"Acervo was not ready within {READY_WITHIN} s.")
