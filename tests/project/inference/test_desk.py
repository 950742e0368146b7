"""Texts of many jobs in the calls of one model server."""

import threading
import uuid
from collections.abc import Callable

import numpy as np
import pytest
from django.db import connection

from project.inference import desk, vector_cache
from project.inference.models import EmbeddedText, WaitingText
from project.inference.types import EmbeddingUnavailable

pytestmark = pytest.mark.django_db(transaction=True)

MODEL = "m"


def texts(*written: str) -> list[desk.Text]:
    subject = uuid.uuid4()
    return [desk.Text(vector_cache.text_digest(text), subject, text) for text in written]


def vector(text: str) -> np.ndarray:
    return np.array([len(text), sum(text.encode())], dtype=np.float32)


class Server:
    """Remembers its calls; `gate` holds them back, a text that holds “poison” is refused."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.busy = self.most_busy = 0
        self._lock = threading.Lock()

    def __call__(self, batch: list[str]) -> np.ndarray:
        with self._lock:
            self.calls.append(batch)
            self.busy += 1
            self.most_busy = max(self.most_busy, self.busy)
        try:
            assert self.gate.wait(20)
            if any("poison" in text for text in batch):
                raise EmbeddingUnavailable("rejected", "No.")
            return np.array([vector(text) for text in batch])
        finally:
            with self._lock:
                self.busy -= 1


class Job(threading.Thread):
    """Embeds texts in a thread, as another worker would."""

    def __init__(self, server: Server, wanted: list[desk.Text], calls: int = 1) -> None:
        super().__init__()
        self.server, self.wanted, self.calls = server, wanted, calls
        self.error: Exception | None = None
        self.told: list[int] = []
        self.start()

    def run(self) -> None:
        try:
            found = desk.texts_embed(
                MODEL, self.wanted, self.server, calls=self.calls, progress=self.told.append
            )
            assert found.keys() == {each.digest for each in self.wanted}
            for each in self.wanted:
                assert np.array_equal(found[each.digest], vector(each.text))
        except Exception as error:  # noqa: BLE001 - told to the test
            self.error = error
        finally:
            connection.close()


def until(condition: Callable[[], object]) -> None:
    for _ in range(2000):
        if condition():
            return
        threading.Event().wait(0.01)
    raise AssertionError


def test_small_jobs_ride_along_with_a_large_one() -> None:
    server = Server()
    server.gate.clear()
    large = Job(server, texts(*(f"{'x' * n} large" for n in range(150))))
    until(lambda: server.calls)
    small = [Job(server, texts(f"small {n}", "in every job")) for n in range(3)]
    until(lambda: WaitingText.objects.count() == 154)
    server.gate.set()
    for job in [large, *small]:
        job.join(30)
        assert job.error is None
    assert server.most_busy == 1  # as the endpoint wants it
    assert len(server.calls) == 3
    # Not after the large one: whoever makes a call fills it up with what others wait for.
    assert {f"small {n}" for n in range(3)} <= {*server.calls[1], *server.calls[2]}
    assert sum(call.count("in every job") for call in server.calls) == 1
    assert len(server.calls[0]) == desk.BATCH
    shortest = min(map(len, server.calls[0]))
    assert shortest > max(len(text) for text in server.calls[2] if "large" in text)
    assert large.told == sorted(large.told)
    assert large.told[-1] == 150
    assert not WaitingText.objects.exists()
    assert EmbeddedText.objects.count() == 154


def test_nobody_fails_by_a_text_of_another() -> None:
    server = Server()
    server.gate.clear()
    bad = Job(server, texts("poison"))
    until(lambda: server.calls)
    good, worse = Job(server, texts("good")), Job(server, texts("another poison"))
    until(lambda: WaitingText.objects.count() == 3)
    server.gate.set()
    for job in (bad, good, worse):
        job.join(30)
    assert isinstance(bad.error, EmbeddingUnavailable)
    assert isinstance(worse.error, EmbeddingUnavailable)
    assert good.error is None
    assert not WaitingText.objects.exists()


def test_what_a_dead_worker_had_claimed_is_taken_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk, "CLAIM", 0.5)
    left = texts("left behind")
    dead = desk._Job(MODEL, left, Server(), 1)
    dead._deposit(left)
    assert dead._take(uuid.uuid4(), [left[0].digest])
    server = Server()
    job = Job(server, left)
    job.join(30)
    assert job.error is None
    assert server.calls == [["left behind"]]


def test_a_living_worker_keeps_its_claim(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk, "CLAIM", 0.3)
    server = Server()
    server.gate.clear()
    wanted = texts("takes long")
    jobs = [Job(server, wanted), Job(server, wanted)]
    threading.Event().wait(0.9)
    server.gate.set()
    for job in jobs:
        job.join(30)
        assert job.error is None
    assert server.calls == [["takes long"]]


def test_texts_that_an_erase_took_off_the_desk_are_embedded_and_not_kept() -> None:
    server = Server()
    wanted = texts("to be erased")
    other = desk._Job(MODEL, wanted, server, 1)
    other._deposit(wanted)
    other._take(uuid.uuid4(), [wanted[0].digest])  # somebody else has it in hand
    job = Job(server, wanted)
    until(lambda: WaitingText.objects.count() == 1)
    vector_cache.subjects_forget([wanted[0].subject])
    job.join(30)
    assert job.error is None
    assert not EmbeddedText.objects.exists()
    assert not WaitingText.objects.exists()


def test_long_texts_make_small_calls_and_leave_room_for_others() -> None:
    own, others = texts(*(f"{n}" * 9000 for n in range(10, 20))), texts("short", "shorter")
    batch = desk._batch(own, others)
    assert sum(len(each.text) for each in batch) < desk.BUDGET
    assert others[0] in batch
    assert len(desk._batch(own, [])) == 3
