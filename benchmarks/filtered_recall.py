"""Whether filters cost results: the true ten nearest, found through the vector leg under filters.

Usage: python benchmarks/filtered_recall.py [PASSAGES]     (100000 without)

Synthetic passages (`synthetic.py`) in spaces of 0.1 %, 1 %, 10 % and the rest of them; tags that
nodes have by chance, and tags that whole topics have, which are far from most questions. Every
question is answered by the search, in vector mode, and by looking at every permitted vector. The
last columns are what an HNSW scan finds that is filtered afterwards, which is what pgvector does
unless it is told otherwise. About 4 minutes for 100,000 on two processors.
"""

import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import scale_web
import stage
import synthetic

SHARES = (0.001, 0.01, 0.1)
QUESTIONS = 60
WANTED = 10


@dataclass(frozen=True)
class Case:
    """A filter: what a request says, who asks, and the condition on nodes in SQL."""

    name: str
    request: dict[str, Any]
    user: Any
    condition: str


def spaces_of(count: int) -> list[tuple[Any, int]]:
    """Return a members-only space for each share, and one for the rest."""
    from knowledge.choices import Visibility

    sizes = [round(count * share) for share in SHARES]
    spaces = []
    for number, size in enumerate([*sizes, count - sum(sizes)]):
        space = stage.make_space(f"part-{number}")
        space.visibility = Visibility.MEMBERS
        space.save()
        spaces.append((space, size))
    return spaces


def cases(spaces: list[tuple[Any, int]]) -> list[Case]:
    """Return the filters that are tried."""
    from django.contrib.auth.models import Group

    from knowledge.models import SpaceRole
    from project.accounts.choices import Role
    from project.accounts.models import User

    everyone = User.objects.create_superuser(username="all", password=None)
    found = [Case("nothing left out: 100 %", {}, everyone, "true")]
    for share, (space, _size) in zip(SHARES, spaces, strict=False):
        percent = f"{share * 100:g} %"
        found.append(
            Case(f"space: {percent}", {"spaces": (space.pk,)}, everyone, f"space_id = '{space.pk}'")
        )
        member = User.objects.create_user(username=f"member-{share}")
        group = Group.objects.create(name=f"group-{share}")
        member.groups.add(group)
        SpaceRole.objects.create(space=space, group=group, role=Role.READER)
        found.append(Case(f"membership: {percent}", {}, member, f"space_id = '{space.pk}'"))
        for letter, words in (("s", "tag by chance"), ("t", "tag of topics")):
            tag = f"{letter}{share:g}"
            condition = f"tags @> ARRAY['{tag}']::varchar[]"
            found.append(Case(f"{words}: {percent}", {"tags": (tag,)}, everyone, condition))
    found.append(Case("kind: 10 %", {"kinds": ("policy",)}, everyone, "kind = 'policy'"))
    both = "kind = 'policy' AND tags @> ARRAY['s0.1']::varchar[]"
    found.append(
        Case("kind and tag: 1 %", {"kinds": ("policy",), "tags": ("s0.1",)}, everyone, both)
    )
    return found


def truth(case: Case, vector: str) -> list[Any]:
    """Return the nearest permitted passages, by looking at each."""
    return _rows(
        f"WITH permitted AS MATERIALIZED (SELECT id FROM knowledge_node WHERE {case.condition}) "
        "SELECT chunk_id FROM knowledge_embedding WHERE node_id IN (SELECT id FROM permitted) "
        "ORDER BY vector <#> %s::vector LIMIT %s",
        [vector, WANTED],
        "SET LOCAL max_parallel_workers_per_gather = 0",
    )


def filtered_afterwards(case: Case, vector: str) -> list[Any]:
    """Return what a plain HNSW scan finds: the nearest of all, of which those permitted stay."""
    return _rows(
        "SELECT chunk_id FROM knowledge_embedding AS e WHERE EXISTS "
        f"(SELECT 1 FROM knowledge_node AS n WHERE n.id = e.node_id AND {case.condition}) "
        f"ORDER BY (vector::halfvec({synthetic.DIMENSIONS})) <#> %s::halfvec LIMIT %s",
        [vector, WANTED],
        "SET LOCAL hnsw.iterative_scan = off; SET LOCAL hnsw.ef_search = 100; "
        "SET LOCAL enable_sort = off; SET LOCAL max_parallel_workers_per_gather = 0",
    )


def _rows(sql: str, parameters: list[Any], settings: str) -> list[Any]:
    from django.db import connection, transaction

    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(settings)
        cursor.execute(sql, parameters)
        return [row[0] for row in cursor.fetchall()]


def searched(case: Case, text: str) -> tuple[list[Any], bool]:
    """Return what the product finds, and whether it looked at every permitted vector."""
    from knowledge.choices import SearchMode
    from knowledge.retrieval._pipeline import find
    from knowledge.types import SearchRequest

    with ExitStack() as view:
        request = SearchRequest(query=text, mode=SearchMode.VECTOR, **case.request)
        found = find(request, case.user, by_node=False, view=view)
        return [unit.best.chunk for unit in found.units[:WANTED]], found.is_exact


@contextmanager
def one_index() -> Iterator[None]:
    """Have one index over the vectors of all spaces, as a plain installation has."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE INDEX plain ON knowledge_embedding USING hnsw "
            f"((vector::halfvec({synthetic.DIMENSIONS})) halfvec_ip_ops)"
        )
        yield
        cursor.execute("DROP INDEX plain")  # nor may a search of the product take it


def measure(case: Case, questions: list[Any], afterwards: list[list[Any]]) -> list[str]:
    """Return the row of a filter; `afterwards` is what the plain scan found for each question."""
    from knowledge.binary import vector_text

    hits = plain_hits = wanted = plain_rows = exact = 0
    spent = []
    for question, plain in zip(questions, afterwards, strict=True):
        vector = vector_text(question.vector)
        nearest = set(truth(case, vector))
        started = time.perf_counter()
        found, is_exact = searched(case, question.text)
        spent.append((time.perf_counter() - started) * 1000)
        wanted += len(nearest)
        hits += len(nearest & set(found))
        plain_hits += len(nearest & set(plain))
        plain_rows += len(plain)
        exact += is_exact
    way = "all" if exact == len(questions) else "HNSW" if not exact else "both"
    return [
        case.name,
        way,
        f"{hits / wanted:.3f}",
        f"{stage.percentile(spent, 0.5):.0f}",
        f"{plain_hits / wanted:.3f}",
        f"{plain_rows / len(questions):.1f}",
    ]


def main() -> None:
    """Measure and print."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    stage.begin()
    machine = stage.machine()
    from knowledge.ann import ann_index_ensure
    from knowledge.binary import vector_text
    from knowledge.generations import ensure_generation

    world = synthetic.World(count)
    spaces = spaces_of(count)
    synthetic.fill(world, spaces, SHARES)
    for space, size in spaces:
        if size:
            ann_index_ensure(ensure_generation(space.pk))
    questions = world.questions(QUESTIONS)
    scale_web.known_questions(questions)
    tried = cases(spaces)
    with one_index():
        afterwards = [
            [filtered_afterwards(case, vector_text(question.vector)) for question in questions]
            for case in tried
        ]
    rows = [measure(case, questions, plain) for case, plain in zip(tried, afterwards, strict=True)]
    stage.table(
        f"Recall@{WANTED} under filters at {count:,} passages, {QUESTIONS} questions; {machine}",
        ["filter: share left", "scan", "recall", "P50 ms", "HNSW, then filter", "rows of 10"],
        rows,
    )


if __name__ == "__main__":
    main()
