"""Many uploads at once: reading waits for a moment."""

import time
from contextlib import ExitStack

import pytest

from knowledge import upload_rush
from project.aio import sync_redis


@pytest.fixture(autouse=True)
def _quiet() -> None:
    sync_redis().delete(upload_rush.KEY)
    upload_rush._said_at = 0.0


def test_few_uploads_hold_nothing_up() -> None:
    with upload_rush.upload_counted():
        assert upload_rush.rush_let_pass() < upload_rush.MOST / 2
        assert not sync_redis().exists(upload_rush.KEY)


def test_reading_begins_when_the_last_of_many_is_in() -> None:
    with ExitStack() as uploads:
        for _number in range(upload_rush.MANY):
            uploads.enter_context(upload_rush.upload_counted())
        assert sync_redis().exists(upload_rush.KEY)
    assert 0 < upload_rush.rush_let_pass() < upload_rush.MOST


def test_uploads_without_a_pause_do_not_stop_all_reading() -> None:
    began = time.time() - upload_rush.MOST - 1
    sync_redis().set(upload_rush.KEY, began, px=60_000)
    assert upload_rush.rush_let_pass() < upload_rush.MOST / 2
