"""How search fares as the collection grows: times, recall, sizes, memory.

Usage: python benchmarks/search_scale.py [PASSAGES ...]     (100000 without any)

Each size has servers and data of its own, which are thrown away. Passages are synthetic
(`synthetic.py`); every question is asked once. As many web processes serve as there are processors,
or ACERVO_WEB_PROCESSES; clients, web processes and PostgreSQL share the machine. Clients ask
without a pause for ACERVO_BENCH_SECONDS (10) each time. *bare SQL* is the two legs alone, sent by
as many clients: the HNSW scan and the passages that have any word of the question, best 100 of
each; *same words* has the candidates of the product's keyword leg in place of any word. On two
processors 100,000 passages take about 4 minutes, 1,000,000 about 25.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import scale_web
import stage

SIZES = (100_000,)
CLIENTS = (1, 8, 32)
SECONDS = float(os.environ.get("ACERVO_BENCH_SECONDS", "10"))
WARM_UP = 2.0  # seconds
QUESTIONS = 12_000
RECALL_OF = 100
BARE_OF = 500
DEPTH = 100
Method = Callable[[Any], None]


class Taker:
    """Gives each question once, to whichever thread asks next."""

    def __init__(self, questions: list[Any]) -> None:
        self._questions = iter(questions)
        self._lock = threading.Lock()

    def __call__(self) -> Any:
        with self._lock:
            return next(self._questions, None)


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


def ask(
    method: Callable[[], tuple[Callable[[Any], Any], Method]], taker: Taker, clients: int
) -> list[float]:
    """Have so many clients ask one question after the other; return the milliseconds of each."""
    spent: list[float] = []
    begun = time.monotonic() + WARM_UP
    errors: list[BaseException] = []

    def client() -> None:
        try:
            prepare, run = method()
            while time.monotonic() < begun + SECONDS:
                question = taker()
                if question is None:
                    return
                prepared = prepare(question)
                started = time.perf_counter()
                run(prepared)
                if time.monotonic() > begun:
                    spent.append((time.perf_counter() - started) * 1000)
        except BaseException as error:  # noqa: BLE001 - told below
            errors.append(error)

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return spent


def over_http(addresses: list[str], key: str) -> Callable[[], tuple[Any, Method]]:
    """Return what makes a client that asks the next of the web processes."""
    from http.client import HTTPConnection
    from itertools import cycle
    from urllib.parse import urlsplit

    following = cycle(addresses)
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}

    def client() -> tuple[Any, Method]:
        address = urlsplit(next(following))
        connection = HTTPConnection(address.hostname or "", address.port or 80)

        def run(body: str) -> None:
            connection.request("POST", "/api/v1/search/", body, headers)
            answer = connection.getresponse()
            text = answer.read()
            if answer.status != 200:
                raise RuntimeError(f"The server answered {answer.status}: {text[:300]!r}")

        return (lambda question: json.dumps({"query": question.text})), run

    return client


class Bare:
    """The two legs as bare SQL, on one connection a client, about the same questions again."""

    def __init__(
        self, space: Any, generation: Any, questions: list[Any], *, same_words: bool
    ) -> None:
        self.space, self.generation, self.same_words = space, generation, same_words
        self.known = [self.prepared(question) for question in questions]

    def __call__(self) -> tuple[Any, Method]:
        import psycopg

        connection = psycopg.connect(os.environ["DATABASE_URL"], autocommit=True)
        connection.execute("SET max_parallel_workers_per_gather = 0")
        connection.execute("SET hnsw.ef_search = 200")
        vectors = (
            f"SELECT chunk_id FROM knowledge_embedding WHERE generation_id = '{self.generation.pk}'"
            f" ORDER BY (vector::halfvec({self.generation.dimensions})) <#> %s::halfvec LIMIT 100"
        )
        words = (
            f"SELECT id FROM knowledge_chunk WHERE space_id = '{self.space.pk}' "
            "AND search @@ %s::tsquery ORDER BY terms <#> %s::sparsevec LIMIT 100"
        )

        def run(prepared: tuple[str, str, str]) -> None:
            vector, query, weights = prepared
            connection.execute(vectors, [vector]).fetchall()
            connection.execute(words, [query, weights]).fetchall()

        return (lambda question: self.known[hash(question.text) % len(self.known)]), run

    def prepared(self, question: Any) -> tuple[str, str, str]:
        """Return the vector, the words and their weights as SQL has them."""
        from knowledge.binary import sparse_text, vector_text
        from knowledge.retrieval._keywords import _query_of, formula_for
        from knowledge.retrieval._question import keys_of, question_of, readings_of
        from knowledge.retrieval._route import Route
        from knowledge.statistics import totals

        spoken, readings = readings_of(question.text, ["en"])
        counted = totals([self.space.pk], keys_of(readings))
        asked = question_of(spoken, readings, counted)
        route = Route(counted.passages, counted.passages, is_exact=False)
        formula = formula_for(asked, counted, route)
        query = (
            _query_of(formula)
            if self.same_words and formula is not None
            else " | ".join(f"'{term}'" for term in asked.terms)
        )
        return vector_text(question.vector), query, sparse_text(asked.weights)


def recall(space: Any, generation: Any, questions: list[Any]) -> tuple[float, float]:
    """Return recall@10 of the vector leg, and of the keyword leg, beside looking at everything."""
    from contextlib import ExitStack

    from django.contrib.auth.models import AnonymousUser
    from django.db import connection

    from knowledge.choices import SearchMode
    from knowledge.retrieval._pipeline import find
    from knowledge.types import SearchRequest

    def best(question: Any, mode: SearchMode) -> set[Any]:
        with ExitStack() as view:
            request = SearchRequest(query=question.text, mode=mode)
            found = find(request, AnonymousUser(), by_node=False, view=view)
            units = found.units
            if mode == SearchMode.KEYWORD:  # phrases, which the words alone do not know, aside
                units = sorted(units, key=lambda unit: -unit.best.bm25)
            return {unit.best.chunk for unit in units[:10]}

    vectors, words = [], []
    with connection.cursor() as cursor:
        cursor.execute("SET max_parallel_workers_per_gather = 0")
    bare = Bare(space, generation, questions, same_words=False)
    for question, (vector, query, weights) in zip(questions, bare.known, strict=True):
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT chunk_id FROM knowledge_embedding WHERE generation_id = %s "
                "ORDER BY vector <#> %s::vector LIMIT 10",
                [generation.pk, vector],
            )
            nearest = {row[0] for row in cursor.fetchall()}
            cursor.execute(
                "SELECT id FROM knowledge_chunk WHERE search @@ %s::tsquery AND space_id = %s "
                "ORDER BY terms <#> %s::sparsevec LIMIT 10",
                [query, space.pk, weights],
            )
            heaviest = {row[0] for row in cursor.fetchall()}
        vectors.append(len(nearest & best(question, SearchMode.VECTOR)) / len(nearest))
        if heaviest:
            words.append(len(heaviest & best(question, SearchMode.KEYWORD)) / len(heaviest))
    return sum(vectors) / len(vectors), sum(words) / len(words)


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


def sizes() -> dict[str, str]:
    """Return the sizes of tables and indexes in words."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_total_relation_size('knowledge_chunk') - pg_indexes_size('knowledge_chunk'),"
            " pg_table_size('knowledge_embedding'), pg_relation_size('chunk_by_word'), "
            "(SELECT sum(pg_relation_size(oid)) FROM pg_class "
            "WHERE relname LIKE 'embedding\\_half%')"
        )
        names = ("passages", "vectors", "words index", "HNSW index")
        return {
            name: f"{int(value) / 2**20:,.0f} MB"
            for name, value in zip(names, cursor.fetchone(), strict=True)
        }


def measure(count: int) -> dict[str, Any]:
    """Load, build and ask; return the figures of one size."""
    import synthetic

    from knowledge.ann import ann_index_ensure
    from knowledge.generations import ensure_generation

    started = time.monotonic()
    world = synthetic.World(count)
    space = stage.make_space("scale")
    synthetic.fill(world, [(space, count)])
    facts: dict[str, Any] = {"loading": f"{time.monotonic() - started:,.0f} s"}
    generation = ensure_generation(space.pk)
    started = time.monotonic()
    ann_index_ensure(generation)
    facts["HNSW build"] = f"{time.monotonic() - started:,.0f} s"
    facts |= sizes()
    questions = world.questions(QUESTIONS)
    processes = int(os.environ.get("ACERVO_WEB_PROCESSES", os.cpu_count() or 1))
    vectors = stored(questions)
    addresses, key, web = web_processes(vectors, processes)
    asked = questions[:BARE_OF]
    taker = Taker(questions[BARE_OF:])
    methods = {
        "hybrid search over HTTP": over_http(addresses, key),
        "bare SQL, any word": Bare(space, generation, asked, same_words=False),
        "bare SQL, same words": Bare(space, generation, asked, same_words=True),
    }
    rows = []
    for name, method in methods.items():
        for clients in CLIENTS:
            rows.append([name, clients, *_asked(method, taker, clients, web)])
            print(f"{count:,}: {rows[-1]}", file=sys.stderr, flush=True)
    facts["memory of PostgreSQL"] = f"{memory(postgres_processes()):,.0f} MB"
    facts["memory of a web process"] = f"{memory(web) / len(web):,.0f} MB"
    scale_web.stand_in(str(vectors))
    vector, words = recall(space, generation, questions[:RECALL_OF])
    facts["recall@10, vector leg"] = f"{vector:.3f}"
    facts["recall@10, keyword leg"] = f"{words:.3f}"
    return {"rows": rows, "facts": facts, "web": processes}


def _asked(method: Any, taker: Taker, clients: int, web: dict[int, str]) -> list[str]:
    """Return P50, P95, searches a second, and processor time a search."""
    watched = {**web, **postgres_processes()}
    before, begun = processor_seconds(watched), time.monotonic()
    spent = ask(method, taker, clients)
    elapsed = time.monotonic() - begun
    after = processor_seconds({**web, **postgres_processes()})
    if not spent:
        return ["–"] * 5
    asked = len(spent) * elapsed / (elapsed - WARM_UP)  # those of the warm-up, too
    return [
        f"{stage.percentile(spent, 0.5):.1f}",
        f"{stage.percentile(spent, 0.95):.1f}",
        f"{len(spent) / (elapsed - WARM_UP):.0f}",
        *(
            f"{1000 * max(0.0, after.get(name, 0.0) - before.get(name, 0.0)) / asked:.1f}"
            for name in ("web", "PostgreSQL")
        ),
    ]


def main() -> None:
    """Measure each size in a process of its own, and print the tables."""
    if sys.argv[1:2] == ["--one"]:
        stage.begin()
        Path(sys.argv[3]).write_text(json.dumps(measure(int(sys.argv[2]))))
        return
    machine = stage.machine()
    found: dict[int, dict[str, Any]] = {}
    for size in [int(argument) for argument in sys.argv[1:]] or SIZES:
        with tempfile.NamedTemporaryFile("r", suffix=".json") as answer:
            command = [sys.executable, __file__, "--one", str(size), answer.name]
            subprocess.run(command, check=True)
            found[size] = json.loads(Path(answer.name).read_text())
    for size, figures in found.items():
        stage.table(
            f"Search at {size:,} passages, {figures['web']} web processes; {machine}",
            ["", "clients", "P50 ms", "P95 ms", "searches/s", "web ms", "PostgreSQL ms"],
            [[str(cell) for cell in row] for row in figures["rows"]],
        )
    print("\n*web ms* and *PostgreSQL ms*: processor time a search.")
    names = list(next(iter(found.values()))["facts"])
    stage.table(
        "By size",
        ["", *(f"{size:,}" for size in found)],
        [
            *([name, *(figures["facts"][name] for figures in found.values())] for name in names),
            *(
                [
                    f"{row[0]}, {row[1]} clients: P95 ms",
                    *(one["rows"][at][3] for one in found.values()),
                ]
                for at, row in enumerate(next(iter(found.values()))["rows"])
            ),
        ],
    )


if __name__ == "__main__":
    main()
