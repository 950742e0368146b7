"""Calls of a model server for the texts of many jobs: each job by itself, and through the desk.

Usage: python benchmarks/embed_batches.py [MILLISECONDS A CALL] [MILLISECONDS A THOUSAND TOKENS]

A local server answers one call after the other, as one GPU or one rate limit does: each takes its
latency and, as padding has it, the time of its longest text for every text. Jobs of every shape run
in as many threads as there are workers; every row begins with an empty cache. By itself, each
worker has a call under way; the desk has two, so that the server does not wait for the database.
"""

import random
import sys
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import stage

DIMENSIONS = 8


class Server:
    """Stands for a model server: one call at a time, counted."""

    def __init__(self, latency: float, thousand: float) -> None:
        self._latency, self._token = latency, thousand / 1000
        self._lock = threading.Lock()
        self.calls = self.texts = self.padded = 0

    def __call__(self, batch: list[str]) -> Any:
        import numpy as np

        tokens = len(batch) * max(len(text) // 4 for text in batch)
        with self._lock:
            self.calls += 1
            self.texts += len(batch)
            self.padded += tokens
            time.sleep(self._latency + self._token * tokens)
        rng = np.random.default_rng(len(batch))
        return rng.random((len(batch), DIMENSIONS), dtype=np.float32)


def jobs_of(shape: str) -> list[list[str]]:
    """Return the texts of some jobs, of 20 to 1200 characters."""
    luck = random.Random(3)

    def texts(count: int) -> list[str]:
        return [f"{luck.random()} " + "word " * luck.randint(4, 240) for _ in range(count)]

    if shape == "200 jobs of 3":
        return [texts(3) for _ in range(200)]
    if shape == "one of 3000":
        return [texts(3000)]
    if shape == "one of 2000 and 100 of 3":
        return [texts(2000), *(texts(3) for _ in range(100))]
    same = texts(40)  # the same appendix in every document
    return [[*texts(10), *same] for _ in range(20)]


def run(jobs: list[list[str]], workers: int, server: Server, *, desk: bool) -> tuple[float, float]:
    """Return the seconds until all jobs are done, and the median of the small ones."""
    from django.db import connection

    from project.inference import documents, vector_cache
    from project.inference.desk import Text, texts_embed
    from project.inference.models import EmbeddedText

    EmbeddedText.objects.all()._raw_delete("default")  # type: ignore[attr-defined]
    took: list[float] = []
    began = time.perf_counter()

    def work(job: list[str]) -> None:
        subject, at = uuid.uuid4(), time.perf_counter()
        wanted = [Text(vector_cache.text_digest(text), subject, text) for text in job]
        known = vector_cache.vectors_get("bench", [each.digest for each in wanted])
        missing = [each for each in wanted if each.digest not in known]
        if desk:
            texts_embed("bench", missing, server, calls=2)
        else:
            documents.BATCH = 64
            documents._batches_embed("bench", missing, server, lambda _done: None)
        if len(job) <= 50:
            took.append(time.perf_counter() - at)
        connection.close()

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(work, jobs))
    return time.perf_counter() - began, stage.percentile(took, 0.5) if took else 0.0


def main() -> None:
    """Measure and print."""
    latency = float(sys.argv[1]) / 1000 if len(sys.argv) > 1 else 0.06
    thousand = float(sys.argv[2]) / 1000 if len(sys.argv) > 2 else 0.002
    stage.begin()
    machine = stage.machine()
    rows = []
    for shape in ("200 jobs of 3", "one of 3000", "one of 2000 and 100 of 3", "20 sharing most"):
        for workers in (2, 8):
            for desk in (False, True):
                server = Server(latency, thousand)
                seconds, small = run(jobs_of(shape), workers, server, desk=desk)
                rows.append(
                    [
                        shape,
                        str(workers),
                        "desk" if desk else "by itself",
                        str(server.calls),
                        f"{server.texts / server.calls:.0f}",
                        f"{server.padded / 1000:.0f}",
                        f"{seconds:.1f}",
                        f"{small:.2f}" if small else "–",
                    ]
                )
    stage.table(
        f"{latency * 1000:.0f} ms a call, {thousand * 1000:.1f} ms a thousand tokens; {machine}",
        ["jobs", "workers", "way", "calls", "texts a call", "thousand tokens with padding",
         "seconds", "median small job, s"],
        rows,
    )  # fmt: skip


if __name__ == "__main__":
    main()
