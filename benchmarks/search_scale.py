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
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import scale_web
import stage
from asking import WARM_UP, Bare, Taker, ask, over_http
from processes import memory, postgres_processes, processor_seconds, stored, web_processes

SIZES = (100_000,)
CLIENTS = (1, 8, 32)
SECONDS = float(os.environ.get("ACERVO_BENCH_SECONDS", "10"))
QUESTIONS = 12_000
RECALL_OF = 100
BARE_OF = 500


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
            name: f"{int(value or 0) / 2**20:,.0f} MB"  # without an index there is no size
            for name, value in zip(names, cursor.fetchone(), strict=True)
        }


def read_in() -> float:
    """Read the data files one after the other, so that no search waits for a disk; the seconds.

    A disk that gives some hundred places a second makes a search of a cold million take minutes.
    """
    started = time.monotonic()
    for path in sorted((Path(os.environ["ACERVO_DATA"]) / "postgres" / "base").rglob("*")):
        if path.is_file():
            with path.open("rb") as file:
                while file.read(2**24):
                    pass
    return time.monotonic() - started


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
    facts["read into memory"] = f"{read_in():,.0f} s"
    print(f"{count:,}: {facts}", file=sys.stderr, flush=True)
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
            try:
                rows.append([name, clients, *_asked(method, taker, clients, web)])
            except RuntimeError as error:  # the figures of the others still count
                print(f"{count:,}: {name}, {clients} clients: {error}", file=sys.stderr)
                rows.append([name, clients, *(["–"] * 5)])
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
    spent = ask(method, taker, clients, SECONDS)
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
