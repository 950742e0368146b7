"""How many passages a second the index takes in, beside the bare rate of the embedding model.

Usage: python benchmarks/ingest_speed.py [NODES A WAY] [NODES FOR THE MEMORY]

In rounds, on fresh texts of the same kind, so that what else the machine does meets all alike:
batches are embedded bare, sent as bulk jobs, and imported as a file. Then the same file again: into
another space, with all vectors kept, and where it is already. At short texts (about 8 tokens) and
at passages of about 100 words. Memory: the peak of `manage.py import_nodes` for a file, and for one
ten times as long, with hashing for a model.
"""

import io
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import stage

ROUND = 250  # nodes
KINDS = (("about 8 tokens", 4), ("about 100 words", 95))


def main() -> None:
    """Measure and print."""
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    remembered = int(sys.argv[2]) if len(sys.argv) > 2 else 2000
    stage.begin()
    machine = stage.machine()
    from project.accounts.models import User
    from project.inference.embeddings import default_model, embed_texts

    user = User.objects.create_superuser("bench", password="bench")
    model = default_model()
    embed_texts(model, ["warm up"], purpose="document")
    rows = []
    for kind, words in KINDS:
        seconds, passages = _rates(user, words, max(1, wanted // ROUND))
        bare = passages["embedding alone"] / seconds["embedding alone"]
        for way, took in seconds.items():
            rate = passages[way] / took
            rows.append([kind, way, str(passages[way]), f"{rate:.0f}", f"{rate / bare:.2f}"])
    stage.table(
        f"Ingest, {model.key}; {machine}",
        ["texts", "", "passages", "passages/s", "share of the bare rate"],
        rows,
    )
    stage.table(
        "Memory of `manage.py import_nodes`",
        ["nodes", "file, MB", "nodes/s", "peak, MB"],
        [_memory(stage.Writer(11), count) for count in (remembered, 10 * remembered)],
    )


def _rates(user: Any, words: int, rounds: int) -> tuple[dict[str, float], dict[str, int]]:
    from project.inference.embeddings import default_model, embed_texts

    writer = stage.Writer(words)
    space, other = stage.make_space(f"ingest-{words}"), stage.make_space(f"again-{words}")
    seconds: dict[str, float] = defaultdict(float)
    passages: dict[str, int] = defaultdict(int)

    def timed(way: str, count: int, began: float) -> None:
        seconds[way] += time.perf_counter() - began
        passages[way] += count

    for number in range(rounds):
        texts = [f"{row['title']}\n{row['content']}" for row in _rows(writer, words, "bare")]
        began = time.perf_counter()
        embed_texts(default_model(), texts, purpose="document")
        timed("embedding alone", len(texts), began)
        rows = _rows(writer, words, f"bulk-{number}")
        began = time.perf_counter()
        timed("bulk job", _bulk(user, space, rows), began)
        rows = _rows(writer, words, f"import-{number}")
        for way, where in (
            ("import_nodes", space),
            ("again, into another space", other),
            ("again, where it is", space),
        ):
            began = time.perf_counter()
            timed(way, _import(user, where, rows), began)
    return seconds, passages


def _rows(writer: stage.Writer, words: int, name: str) -> list[dict[str, Any]]:
    """Return rows whose titles are part of the few words."""
    title = 4 if words > 10 else 2
    return [
        {
            "external_id": f"{name}-{row}",
            "title": " ".join(writer.words(title)).capitalize(),
            "content": writer.text(words - title),
        }
        for row in range(ROUND)
    ]


def _bulk(user: Any, space: Any, rows: list[dict[str, Any]]) -> int:
    from knowledge import services
    from knowledge.ingestion import job_work

    job = services.nodes_bulk(acting_user=user, space=space, rows=rows)
    job_work(job.pk)
    job.refresh_from_db()
    if job.status != "completed":
        sys.exit(f"The bulk job is {job.status}: {job.error_message}")
    return len(rows)


def _import(user: Any, space: Any, rows: list[dict[str, Any]]) -> int:
    from knowledge import services
    from knowledge.import_lines import lines_read

    data = io.BytesIO("\n".join(map(json.dumps, rows)).encode())
    counts = services.nodes_import(
        acting_user=user,
        space=space,
        lines=lines_read(data, "jsonl"),
        refused=lambda line, problem: sys.exit(f"line {line}: {problem}"),
    )
    return counts.lines


def _memory(writer: stage.Writer, count: int) -> list[str]:
    """Import a file in a process of its own; return its size and what it took at most."""
    name = f"memory-{count}"
    stage.make_space(name)
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl", encoding="utf-8") as file:
        for row in range(count):
            fields = {"external_id": str(row), "title": f"Note {row}", "content": writer.text(95)}
            file.write(json.dumps(fields) + "\n")
        file.flush()
        size = Path(file.name).stat().st_size
        program = (
            "import resource, runpy, sys\n"
            f"sys.argv = ['manage.py', 'import_nodes', {file.name!r}, '--space', {name!r}]\n"
            "try:\n    runpy.run_path('manage.py', run_name='__main__')\n"
            "finally:\n    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
        )
        began = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=Path(__file__).resolve().parent.parent,
            env={**os.environ, "ACERVO_EMBEDDING": "hashing"},
            capture_output=True,
            text=True,
            check=False,
        )
        took = time.perf_counter() - began
    if done.returncode:
        sys.exit(done.stderr[-2000:])
    peak = int(done.stdout.split()[-1]) / 1024
    return [str(count), f"{size / 2**20:.1f}", f"{count / took:.0f}", f"{peak:.0f}"]


if __name__ == "__main__":
    main()
