"""Migrations of a kind beside other writers, and in processes that die."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection, transaction

from knowledge import kind_migrating, kind_work, services
from knowledge.choices import (
    KindMigrationStatus,
    MigratedState,
)
from knowledge.kind_work import migration_work, migrations_unattended
from knowledge.models import (
    Kind,
    KindMigration,
    Node,
    Space,
)
from project.accounts.models import User
from project.http.errors import Conflict
from project.locks import try_lock
from tests.support.migrating import done, made, planned, three_nodes


@pytest.fixture
def kind(owner: User, space: Space) -> Kind:
    return services.kind_create(acting_user=owner, space=space, name="policy")


@pytest.fixture
def nodes(owner: User, space: Space, kind: Kind) -> list[Node]:
    return three_nodes(owner, space)


@pytest.mark.django_db(transaction=True)
def test_a_node_that_a_concurrent_edit_makes_unfit_ends_it_all(
    owner: User, kind: Kind, nodes: list[Node]
) -> None:
    migration = planned(owner, kind)
    services.kind_migration_apply(acting_user=owner, migration=migration)
    has_edited, may_commit = threading.Event(), threading.Event()

    def edit() -> None:
        try:
            with transaction.atomic():
                services.node_update(acting_user=owner, node=nodes[1], metadata={"mail": "gone"})
                has_edited.set()
                may_commit.wait(10)
        finally:
            connection.close()

    editor = threading.Thread(target=edit)
    editor.start()
    assert has_edited.wait(10)
    worker = threading.Thread(target=lambda: (migration_work(migration.pk), connection.close()))
    worker.start()
    may_commit.set()  # the worker waits for the row that the editor holds
    editor.join()
    worker.join()
    migration.refresh_from_db()
    assert (migration.status, migration.error_code) == (
        KindMigrationStatus.FAILED,
        "nodes_invalid",
    )
    assert [node.version for node in Node.objects.order_by("title")] == [1, 2, 1]
    assert Kind.objects.get().schema_version == 1
    assert migration.nodes.get(state=MigratedState.INVALID).node_id == nodes[1].pk
    assert not (Path(settings.ACERVO_DATA) / "backups/kinds" / f"{migration.pk}.json").exists()


@pytest.mark.django_db(transaction=True)
def test_a_writer_waits_for_a_migration_and_is_held_to_the_new_schema(
    owner: User, space: Space, kind: Kind, nodes: list[Node], monkeypatch: pytest.MonkeyPatch
) -> None:
    migration = planned(owner, kind)
    services.kind_migration_apply(acting_user=owner, migration=migration)
    has_locked, may_go_on = threading.Event(), threading.Event()
    write = kind_migrating.backup_write

    def pause(*args: Any) -> str:
        has_locked.set()
        may_go_on.wait(10)
        return write(*args)

    monkeypatch.setattr(kind_migrating, "backup_write", pause)
    refusals: list[Exception] = []

    def create() -> None:
        try:
            made(owner, space, "dora")
        except Exception as error:  # noqa: BLE001 - looked at below
            refusals.append(error)
        finally:
            connection.close()

    worker = threading.Thread(target=lambda: (migration_work(migration.pk), connection.close()))
    worker.start()
    assert has_locked.wait(10)
    writer = threading.Thread(target=create)
    writer.start()
    writer.join(0.3)
    assert writer.is_alive()
    may_go_on.set()
    worker.join()
    writer.join()
    assert [getattr(error, "code", error) for error in refusals] == ["metadata_invalid"]
    assert Node.objects.count() == 3


KILLED = """
import os, signal, sys
import django
django.setup()
from knowledge import kind_migrating, kind_work
write = kind_migrating.nodes_write
def die(*args, **options):
    write(*args, **options)
    os.kill(os.getpid(), signal.SIGKILL)
kind_migrating.nodes_write = die
kind_work.migration_work(__import__("uuid").UUID(sys.argv[1]))
"""


@pytest.mark.django_db(transaction=True)
def test_a_killed_process_leaves_everything_and_another_goes_on(
    owner: User, kind: Kind, nodes: list[Node]
) -> None:
    migration = planned(owner, kind)
    services.kind_migration_apply(acting_user=owner, migration=migration)
    address = with_database(os.environ["DATABASE_URL"], connection.settings_dict["NAME"])
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(migration.pk)],
        env=os.environ | {"DATABASE_URL": address, "DJANGO_SETTINGS_MODULE": "project.settings"},
        capture_output=True,
        check=False,
        cwd=settings.BASE_DIR,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    assert {node.version for node in Node.objects.all()} == {1}
    assert Kind.objects.get().schema_version == 1
    migration.refresh_from_db()
    assert (migration.status, migration.attempts) == (KindMigrationStatus.RUNNING, 1)
    assert migrations_unattended() == [migration.pk]
    migration_work(migration.pk)
    migration.refresh_from_db()
    assert migration.status == KindMigrationStatus.COMPLETED
    assert {node.version for node in Node.objects.all()} == {2}


def with_database(url: str, name: str) -> str:
    head, _slash, rest = url.rpartition("/")
    _old, question, query = rest.partition("?")
    return f"{head}/{name}{question}{query}"


def test_one_that_kills_its_workers_is_given_up(owner: User, kind: Kind, nodes: list[Node]) -> None:
    migration = planned(owner, kind)
    services.kind_migration_apply(acting_user=owner, migration=migration)
    KindMigration.objects.update(attempts=kind_work.MAX_TRIES)
    migration_work(migration.pk)
    migration.refresh_from_db()
    assert (migration.status, migration.error_code) == (KindMigrationStatus.FAILED, "gave_up")


def test_a_fault_in_the_middle_rolls_all_of_it_back(
    owner: User, kind: Kind, nodes: list[Node], monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_(*_args: Any, **_options: Any) -> None:
        raise OSError(28, "No space left on device")

    for name, code in (("passages_relabel", "internal"), ("backup_write", "backup_failed")):
        migration = planned(owner, kind)
        with monkeypatch.context() as patched:
            patched.setattr(kind_migrating, name, break_)
            done(owner, migration)
        assert (migration.status, migration.error_code) == (KindMigrationStatus.FAILED, code)
        assert {node.version for node in Node.objects.all()} == {1}
        assert Kind.objects.get().schema_version == 1


def test_a_second_migration_of_a_kind_is_refused_while_one_runs(
    owner: User, kind: Kind, nodes: list[Node]
) -> None:
    first, second = planned(owner, kind), planned(owner, kind)
    services.kind_migration_apply(acting_user=owner, migration=first)
    for refused in (
        lambda: services.kind_migration_apply(acting_user=owner, migration=second),
        lambda: planned(owner, kind),
        lambda: services.kind_update(acting_user=owner, kind=kind, title="x"),
    ):
        with pytest.raises(Conflict) as caught:
            refused()
        assert caught.value.code == "migration_running"
    migration_work(first.pk)
    with pytest.raises(Conflict) as caught:
        services.kind_migration_apply(acting_user=owner, migration=second)
    assert caught.value.code == "schema_changed"


@pytest.mark.django_db(transaction=True)
def test_a_worker_leaves_what_another_holds(owner: User, kind: Kind, nodes: list[Node]) -> None:
    migration = planned(owner, kind)
    services.kind_migration_apply(acting_user=owner, migration=migration)

    def work() -> None:
        assert migrations_unattended() == []
        migration_work(migration.pk)
        connection.close()

    with try_lock(f"kind-migration:{kind.pk}") as held:
        assert held
        other = threading.Thread(target=work)
        other.start()
        other.join()
    migration.refresh_from_db()
    assert (migration.status, migration.attempts) == (KindMigrationStatus.RUNNING, 0)
