"""What the benchmarks share: servers of their own, a space, and the name of the machine.

Import `stage` before anything that needs Django's settings, then call `begin`.
"""

import atexit
import itertools
import os
import platform
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))


def begin() -> None:
    """Start embedded servers in a temporary folder, migrate, and set Django up."""
    from project.embedded import EmbeddedServers

    parent = "/tmp" if os.geteuid() == 0 else None
    data = Path(tempfile.mkdtemp(prefix="acervo-bench-", dir=parent))
    data.chmod(0o755)
    os.environ["ACERVO_DATA"] = str(data)
    servers = EmbeddedServers(data, postgres=True, valkey=True, throwaway=True)
    addresses = servers.start()
    atexit.register(servers.stop)
    os.environ["DATABASE_URL"] = addresses.database_url or ""
    os.environ["REDIS_URL"] = addresses.redis_url or ""
    os.environ["DJANGO_SETTINGS_MODULE"] = "project.settings"
    os.environ.setdefault("ACERVO_LOG_LEVEL", "WARNING")
    os.environ.setdefault("ACERVO_SEARCH_CACHE_SECONDS", "0")  # searches are measured, not repeats

    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)


def machine() -> str:
    """Return processor, number of processors and memory of this machine in words."""
    name = platform.processor() or platform.machine()
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            name = line.partition(":")[2].strip()
            break
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    load = os.getloadavg()[0]
    return (
        f"{name}, {os.cpu_count()} processors, {memory:.0f} GB, "
        f"Python {platform.python_version()}, load {load:.1f} at the start"
    )


def make_space(name: str, language: str = "en") -> Any:
    """Return a new public space."""
    from knowledge.choices import Visibility
    from knowledge.models import Space

    return Space.objects.create(
        name=name, slug=name, language=language, visibility=Visibility.PUBLIC
    )


def make_nodes(space: Any, rows: list[tuple[str, str, str]]) -> list[Any]:
    """Store published nodes of (external id, title, content), without versions."""
    from knowledge.choices import NodeStatus
    from knowledge.models import Node

    nodes = [
        Node(
            space=space,
            external_id=external_id,
            title=title[:300],
            content=content,
            language=space.language,
            status=NodeStatus.PUBLISHED,
            checksum="",
        )
        for external_id, title, content in rows
    ]
    return Node.objects.bulk_create(nodes, batch_size=500)


def index(nodes: list[Any], batch: int = 250) -> int:
    """Index nodes as a bulk job does; return the number of passages."""
    from knowledge.indexing import prepare_nodes, swap

    passages = 0
    for at in range(0, len(nodes), batch):
        prepared = prepare_nodes(nodes[at : at + batch])
        swap(prepared)
        passages += prepared.passages
    return passages


def table(title: str, header: list[str], rows: list[list[str]]) -> None:
    """Print a table in Markdown."""
    print(f"\n{title}\n")
    print("| " + " | ".join(header) + " |")
    print("|" + "---|" * len(header))
    for row in rows:
        print("| " + " | ".join(row) + " |")


class Writer:
    """Writes the same text without meaning on every machine.

    Words are as common as in language once its function words are taken away: the most common one
    is in about every second passage.
    """

    def __init__(self, seed: int = 7, vocabulary: int = 20_000) -> None:
        self._random = random.Random(seed)
        self._words = sorted({self._word() for _ in range(vocabulary)})
        self._random.shuffle(self._words)
        self._weights = list(
            itertools.accumulate(1 / (rank + 25) for rank in range(len(self._words)))
        )

    @property
    def vocabulary(self) -> list[str]:
        """All words, the most common one first."""
        return self._words

    def words(self, count: int) -> list[str]:
        """Return words by Zipf's law."""
        return self._random.choices(self._words, cum_weights=self._weights, k=count)

    def text(self, count: int) -> str:
        """Return sentences of `count` words in all."""
        sentences = []
        while count > 0:
            length = min(count, self._random.randint(6, 18))
            sentences.append(" ".join(self.words(length)).capitalize() + ".")
            count -= length
        return " ".join(sentences)

    def question(self) -> str:
        """Return a question of some words."""
        return "What is the " + " ".join(self.words(self._random.randint(3, 7))) + "?"

    def _word(self) -> str:
        syllables = self._random.randint(1, 4)
        return "".join(
            self._random.choice("bcdfghlmnprstv") + self._random.choice("aeiou")
            for _ in range(syllables)
        )


def percentile(values: list[float], share: float) -> float:
    """Return the value below which a share of the values lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def at_end(call: Callable[[], object]) -> None:
    """Have something done before the servers of this run stop."""
    atexit.register(call)


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def wait_for_port(port: int, process: "subprocess.Popen[bytes]", seconds: float = 60) -> None:
    """Wait until a process listens; exit when it ends or takes too long."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    sys.exit("The web process did not start.")
