"""The cast and the stage of every test: three users, one space, real servers.

`owner` manages the space, `teammate` may edit it, `stranger` has no part in it.
"""

import gc
import os
from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest
from django.conf import settings
from django.contrib.auth.models import Group
from django.db import connection
from django.db.backends.signals import connection_created
from django.utils import translation
from pytest_django import Settings
from redis import Redis
from rest_framework.test import APIClient

from knowledge.choices import Visibility
from knowledge.models import Space, SpaceRole
from project.accounts.choices import Role, Scope
from project.accounts.models import ApiKey, User
from tests.support import emptying, static_files, template

# CI tries the same examples each time, so that a run tells of the change and not of luck; a run by
# hand keeps looking for new ones. A slow machine is no failure.
hypothesis.settings.register_profile(
    "acervo",
    derandomize="CI" in os.environ,
    max_examples=50,
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("acervo")

PASSWORD = "correct-horse-battery"


def pytest_collection_finish() -> None:
    """Look for garbage less often: most objects of a run live as long as it does."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Call bytes by the name of their parameter: files hold times, which differ between workers."""
    return argname if isinstance(val, bytes) else None


def allow_emptying(connection: Any, **_: Any) -> None:
    """Let tests that commit empty their database: elsewhere versions refuse a TRUNCATE."""
    with connection.cursor() as cursor:
        cursor.execute("SET acervo.throwaway = 'on'")


connection_created.connect(allow_emptying)
emptying.install()
static_files.install()


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None) -> None:
    """Have a worker of pytest-xdist copy the database that was migrated for all of them."""
    if template.NAME in os.environ:
        connection.settings_dict["TEST"]["TEMPLATE"] = template.wait()


def make_user(username: str, **extra: object) -> User:
    return User.objects.create_user(username=username, password=PASSWORD, **extra)


def grant(space: Space, user: User, role: Role) -> None:
    """Give `user` a role in `space` through a group of their own."""
    group, _ = Group.objects.get_or_create(name=f"{space.slug}-{role.name.lower()}")
    SpaceRole.objects.get_or_create(space=space, group=group, defaults={"role": role})
    user.groups.add(group)


@pytest.fixture
def owner(db: None) -> User:
    return make_user("owner")


@pytest.fixture
def teammate(db: None) -> User:
    return make_user("teammate")


@pytest.fixture
def stranger(db: None) -> User:
    return make_user("stranger")


@pytest.fixture
def admin_user(db: None) -> User:
    return User.objects.create_superuser(username="admin", password=PASSWORD)


@pytest.fixture
def space(owner: User, teammate: User) -> Space:
    """A members-only space."""
    made = Space.objects.create(name="Harbour", slug="harbour", visibility=Visibility.MEMBERS)
    # As `grant` does it, in a quarter of the statements: most tests begin so.
    roles = (Role.MANAGER, Role.EDITOR)
    groups = Group.objects.bulk_create(Group(name=f"harbour-{role.name.lower()}") for role in roles)
    SpaceRole.objects.bulk_create(
        SpaceRole(space=made, group=group, role=role)
        for group, role in zip(groups, roles, strict=True)
    )
    User.groups.through.objects.bulk_create(
        User.groups.through(user=user, group=group)
        for user, group in zip((owner, teammate), groups, strict=True)
    )
    return made


@pytest.fixture(autouse=True)
def quick_passwords(settings: Settings) -> None:
    """Hash passwords cheaply: a real hash costs more than most tests."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(autouse=True)
def english() -> None:
    """Begin every test in the language of the settings: a request leaves its own behind."""
    translation.activate(settings.LANGUAGE_CODE)


@pytest.fixture(scope="session")
def shared_redis() -> Iterator[Redis]:
    with Redis.from_url(settings.REDIS_URL) as client:
        yield client


@pytest.fixture(autouse=True)
def empty_redis(shared_redis: Redis) -> None:
    """Begin every test with an empty Redis, as Postgres begins it by rolling back."""
    shared_redis.flushdb()


class Api(APIClient):
    """A REST client that acts for one user with a key of all scopes."""

    def __init__(self, user: User, scopes: list[str] | None = None) -> None:
        super().__init__()
        secret = ApiKey.new_secret()
        ApiKey.objects.create(
            user=user,
            name="tests",
            prefix=secret[:8],
            hash=ApiKey.hash_of(secret),
            scopes=list(Scope.values) if scopes is None else scopes,
        )
        self.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
        self.default_format = "json"


@pytest.fixture
def api(owner: User) -> Api:
    """The owner's client."""
    return Api(owner)


@pytest.fixture
def stranger_api(stranger: User) -> Api:
    return Api(stranger)


@pytest.fixture
def teammate_api(teammate: User) -> Api:
    return Api(teammate)
