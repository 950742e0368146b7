"""What relations add to a search, and what they cost: answers that only relations lead to.

Usage: python benchmarks/graph_quality.py [TOPICS]

A made-up archive of machines. Each has a page that names it, a page of repairs and a page of its
maker that do not; relations lead from the first to the others, the maker one step further. Pages of
repairs read alike, so nothing but a relation says whose they are. An overview is related to every
page of a machine, as hubs are, and each page has a chance relation to another. Questions ask for
the page itself (direct), for the repairs (one relation away) and for the maker (two).

Printed: MRR@10 of each kind of question, in a hybrid and in a graph search, with no relations, with
the best single way (what search did before) and with the walk.
"""

import random
import sys
from typing import Any

import stage

NAMES = "Albatross Bittern Curlew Dunlin Egret Fulmar Gannet Heron Ibis Jackdaw Kestrel Lapwing"
SORTS = "crane winch pump lathe press furnace hoist dredger boiler turbine"
PEOPLE = "Marta Ivo Lena Paulo Rui Sara Tomas Vera Nuno Clara"


def best_way(
    seeds: Any, *, steps: int, damping: float, passing: Any, relations: Any
) -> dict[Any, Any]:
    """Lead each relation's weight of its seed's score on; of several ways the best counts."""
    best: dict[Any, Any] = {}
    front = dict(seeds)
    for _step in range(steps):
        reached: dict[Any, float] = {}
        for source, target, weight in relations(list(front)):
            for here, there in ((source, target), (target, source)):
                if here in front and front[here] * weight > best.get(there, (0.0, there))[0]:
                    best[there] = (front[here] * weight, here)
                    reached[there] = front[here] * weight
        allowed = passing(reached) if reached else set()
        best = {node: way for node, way in best.items() if node not in reached or node in allowed}
        front = {node: reached[node] for node in allowed if node not in seeds}
    return dict(sorted(best.items(), key=lambda item: -item[1][0])[:40])


def archive(topics: int) -> tuple[list[tuple[str, str, str]], list[tuple[str, str]], list[Any]]:
    """Return pages (id, title, text), relations and questions (kind, text, id)."""
    chance = random.Random(3)
    pages, ways, questions = [("hub", "Overview", "All machines of the yard, by hall.")], [], []
    names = [f"{name} {sort}" for name in NAMES.split() for sort in SORTS.split()]
    for number, name in enumerate(chance.sample(names, topics)):
        person, day = chance.choice(PEOPLE.split()), chance.choice(("Mondays", "Fridays"))
        hall, year = chance.randint(1, 9), chance.randint(1950, 2020)
        pages += [
            (f"m{number}", f"The {name}", f"The {name} stands in hall {hall} since {year}."),
            (f"r{number}", "Repairs", f"It is repaired and oiled by {person} on {day}."),
            (f"k{number}", "Maker", f"It was built by the works of {person} in {year - 2}."),
        ]
        ways += [(f"m{number}", f"r{number}"), (f"r{number}", f"k{number}"), ("hub", f"m{number}")]
        questions += [
            ("direct", f"In which hall stands the {name}?", f"m{number}"),
            ("one away", f"Who repairs the {name}?", f"r{number}"),
            ("two away", f"Which works built the {name}?", f"k{number}"),
        ]
    ids = [page[0] for page in pages]
    ways += [(chance.choice(ids), chance.choice(ids)) for _ in range(topics)]
    return pages, [way for way in ways if way[0] != way[1]], questions


def mrr(space: Any, mode: str, questions: list[Any], kind: str) -> float:
    """Return MRR@10 of the questions of a kind."""
    from django.contrib.auth.models import AnonymousUser

    from knowledge.retrieval import search
    from knowledge.types import SearchRequest

    total = count = 0.0
    for asked, text, wanted in questions:
        if asked == kind:
            request = SearchRequest(query=text, mode=mode, spaces=(space.pk,))  # type: ignore[arg-type]
            found = search(request, user=AnonymousUser(), fresh=True).results
            ids = [result.external_id for result in found]
            total += 1 / (ids.index(wanted) + 1) if wanted in ids else 0.0
            count += 1
    return total / count


def main() -> None:
    """Build the archive and ask it in every way."""
    topics = int(sys.argv[1]) if len(sys.argv) > 1 else 80
    stage.begin()
    from knowledge.models import Relation
    from knowledge.relation_writing import relations_insert
    from knowledge.retrieval import _graph
    from project.accounts.models import User

    author = User.objects.create(username="archivist")
    pages, ways, questions = archive(topics)
    space = stage.make_space("archive")
    nodes = {node.external_id: node for node in stage.make_nodes(space, pages)}
    stage.index(list(nodes.values()))
    relations_insert(
        [Relation(source=nodes[one], target=nodes[other]) for one, other in dict.fromkeys(ways)],
        author=author,
    )
    walk = _graph.led_scores
    rows = []
    for mode in ("hybrid", "graph"):
        for name, leading in (
            ("no relations", lambda *_args, **_options: {}),
            ("the best way", best_way),
            ("the walk", walk),
        ):
            _graph.led_scores = leading  # type: ignore[assignment]
            kinds = ("direct", "one away", "two away")
            figures = [f"{mrr(space, mode, questions, kind):.3f}" for kind in kinds]
            rows.append([mode, name, *figures])
    stage.table(
        f"MRR@10, {len(pages)} pages, {len(ways)} relations, {topics} questions a kind, "
        f"{stage.machine()}",
        ["search", "relations", "direct", "one relation away", "two away"],
        rows,
    )


if __name__ == "__main__":
    main()
