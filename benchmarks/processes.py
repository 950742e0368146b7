"""Processes that a benchmark starts and watches: web processes, and what memory and time they take.

Times and memory are those of Linux's /proc.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import stage


def processor_seconds(processes: dict[int, str]) -> dict[str, float]:
    """Return the processor time that processes have used, added up by their names."""
    spent: dict[str, float] = {}
    for pid, name in processes.items():
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        # With that of its processes that have ended, such as those of closed connections.
        spent[name] = spent.get(name, 0.0) + sum(map(int, fields[11:15])) / 100
    return spent


def postgres_processes() -> dict[int, str]:
    """Return the processes of this run's PostgreSQL, by number."""
    folder = Path(os.environ["ACERVO_DATA"]) / "postgres"
    server = int((folder / "postmaster.pid").read_text().split()[0])
    found = {server: "PostgreSQL"}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            if parent == server:
                found[int(entry.name)] = "PostgreSQL"
    return found


def memory(processes: dict[int, str]) -> float:
    """Return the megabytes that processes hold, those that they share divided among them."""
    held = 0
    for pid in processes:
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        held += next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return held / 1024


def stored(questions: list[Any]) -> Path:
    """Write the questions with their vectors to a file that is gone at the end."""
    import numpy as np

    folder = Path(tempfile.mkdtemp(prefix="acervo-vectors-"))
    stage.at_end(lambda: shutil.rmtree(folder))
    path = folder / "questions.npz"
    np.savez(
        path,
        texts=np.array([question.text for question in questions]),
        vectors=np.stack([question.vector for question in questions]),
    )
    return path


def web_processes(vectors: Path, count: int) -> tuple[list[str], str, dict[int, str]]:
    """Start web processes; return their addresses, a key, and their numbers."""
    from project.accounts.models import ApiKey, User

    user = User.objects.create_superuser(username="bench", password=None)
    key = ApiKey.new_secret()
    ApiKey.objects.create(
        user=user,
        name="bench",
        prefix=key[:12],
        hash=ApiKey.hash_of(key),
        scopes=["knowledge:read"],
    )
    addresses, processes = [], {}
    for _number in range(count):
        port = stage.free_port()
        process = subprocess.Popen(
            [
                sys.executable,
                str(Path(__file__).with_name("scale_web.py")),
                str(port),
                str(vectors),
            ],
            cwd=Path(__file__).resolve().parent.parent,
            env={**os.environ, "ACERVO_RATE_API": "", "ACERVO_LOG_LEVEL": "WARNING"},
        )
        stage.at_end(process.terminate)
        stage.wait_for_port(port, process)
        addresses.append(f"http://127.0.0.1:{port}")
        processes[process.pid] = "web"
    return addresses, key, processes
