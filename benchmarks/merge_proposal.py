"""How long merging a proposal of 500 nodes takes, and what searches running meanwhile see of it.

Usage: python benchmarks/merge_proposal.py [--nodes N] [--around N] [--words N] [--no-searches]

A space of published, indexed nodes; a proposal that edits 500 of them, half of which others edit
meanwhile, so that their texts are merged three ways. It is submitted and previewed, approved and
merged as over REST. While it is merged, threads search for a word that every edited node has before
and for one that every one has after: each search must find all nodes of one state and none of the
other. The second table is the same merge without a preview: the passages are embedded first.
"""

import argparse
import statistics
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import stage

BEFORE, AFTER = "zanzibarium", "quokkadelphia"
SEARCHERS = 2
LIMIT = 100
"""Results of a search: more nodes than it can hold must make it full."""


@dataclass
class Seen:
    """What searches found: how often each state, and how often parts of both."""

    before: int = 0
    after: int = 0
    torn: list[tuple[int, int]] = field(default_factory=list)
    took: list[float] = field(default_factory=list)


def texts(writer: stage.Writer, count: int, words: int) -> list[str]:
    """Return texts of three paragraphs under two headings."""
    return [
        f"{writer.text(words // 3)}\n\n## Details\n\n{writer.text(words // 3)}\n\n"
        f"## More\n\n{writer.text(words // 3)}\n"
        for _ in range(count)
    ]


def fill(nodes: int, around: int, words: int) -> tuple[Any, list[Any]]:
    """Return a space and the nodes that the proposal will edit, all stored and indexed."""
    from knowledge import services
    from project.accounts.models import User

    owner = User.objects.create_superuser("owner")
    space = stage.make_space("merging")
    writer = stage.Writer()
    rows = [
        {"title": f"Page {number}", "content": text, "status": "published"}
        for number, text in enumerate(texts(writer, around, words // 3))
    ]
    edited = [
        {
            "title": f"Edited {number}",
            "content": f"{BEFORE} {number}.\n\n{text}",
            "status": "published",
            "external_id": f"e-{number}",
        }
        for number, text in enumerate(texts(writer, nodes, words))
    ]
    made: list[Any] = []
    for batch in (rows, edited):
        for at in range(0, len(batch), 500):
            made += services.nodes_upsert(
                acting_user=owner,
                space=space,
                rows=[
                    {"external_id": f"r-{at + n}", **row}
                    for n, row in enumerate(batch[at : at + 500])
                ],
            )
    stage.index(made)
    return space, made[around:]


def propose(space: Any, nodes: list[Any], old: str, new: str, *, preview: bool) -> Any:
    """Return an approved proposal that edits the nodes; others edit every second one after it."""
    from knowledge import services
    from knowledge.models import Node
    from knowledge.previews import proposal_prepare
    from project.accounts.models import User

    owner = User.objects.get(username="owner")
    nodes = list(Node.objects.filter(pk__in=[node.pk for node in nodes]))
    begun = time.perf_counter()
    proposal = services.proposal_create(
        acting_user=owner,
        space=space,
        title=f"From {old} to {new}",
        changes=[
            {
                "action": "edit",
                "node": node.pk,
                "fields": {"content": node.content.replace(old, new)},
            }
            for node in nodes
        ],
    )
    made = time.perf_counter() - begun
    for node in nodes[::2]:
        services.node_update(acting_user=owner, node=node, content=f"{node.content}\nAt the end.\n")
    stage.index(list(Node.objects.filter(pk__in=[node.pk for node in nodes[::2]])))
    services.proposal_submit(acting_user=owner, proposal=proposal)
    begun = time.perf_counter()
    if preview:
        proposal_prepare(proposal.pk)
    prepared = time.perf_counter() - begun
    services.proposal_review(acting_user=owner, proposal=proposal, verdict="approved")
    print(f"Proposed in {made:.1f} s, previewed in {prepared:.1f} s.")
    return proposal


def search_until(done: threading.Event, nodes: int, old: str, new: str, seen: Seen) -> None:
    """Search for both words until the merge is over, and a few times after."""
    from django.db import connection

    from knowledge.retrieval import search
    from knowledge.types import SearchRequest
    from project.accounts.models import User

    owner = User.objects.get(username="owner")
    request = SearchRequest(f"{old} {new}", limit=LIMIT, mode="keyword")
    left = 3
    while left:
        left -= done.is_set()
        begun = time.perf_counter()
        found = search(request, user=owner).results
        seen.took.append(1000 * (time.perf_counter() - begun))
        # a result is of the version that its passage was cut from
        ours = sum(new in result.snippet.lower() for result in found)
        theirs = sum(old in result.snippet.lower() for result in found)
        wanted = min(nodes, LIMIT)
        if (theirs, ours) == (wanted, 0):
            seen.before += 1
        elif (theirs, ours) == (0, wanted):
            seen.after += 1
        else:
            seen.torn.append((theirs, ours))
    connection.close()


def merge(proposal: Any, nodes: int, old: str, new: str, *, searches: bool) -> tuple[float, Seen]:
    """Return the seconds of the merge, and what searches saw."""
    from knowledge import services
    from project.accounts.models import User

    owner = User.objects.get(username="owner")
    done, seen = threading.Event(), Seen()
    work: Callable[[], None] = lambda: search_until(done, nodes, old, new, seen)  # noqa: E731
    threads = [threading.Thread(target=work) for _ in range(SEARCHERS if searches else 0)]
    for thread in threads:
        thread.start()
    time.sleep(0.5 if threads else 0)
    begun = time.perf_counter()
    services.proposal_merge(acting_user=owner, proposal=proposal)
    taken = time.perf_counter() - begun
    done.set()
    for thread in threads:
        thread.join()
    return taken, seen


def main() -> int:
    """Measure; fail when a search saw parts of both states."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nodes", type=int, default=500)
    parser.add_argument("--around", type=int, default=2000)
    parser.add_argument("--words", type=int, default=120)
    parser.add_argument("--no-searches", action="store_true")
    options = parser.parse_args()
    machine = stage.machine()
    stage.begin()
    print(machine)
    space, nodes = fill(options.nodes, options.around, options.words)
    cases = [
        ("previewed", BEFORE, AFTER, True, not options.no_searches),
        ("previewed, no searches", AFTER, BEFORE, True, False),
        ("not previewed", BEFORE, AFTER, False, not options.no_searches),
    ]
    rows, torn = [], 0
    for name, old, new, preview, searches in cases:
        proposal = propose(space, nodes, old, new, preview=preview)
        taken, seen = merge(proposal, len(nodes), old, new, searches=searches)
        torn += len(seen.torn)
        shown = f"{statistics.median(seen.took):.0f}" if seen.took else "–"
        counts = f"{seen.before} / {seen.after} / {len(seen.torn)}"
        rows.append([name, f"{taken:.1f}", counts, shown])
        if seen.torn:
            print("Torn:", seen.torn[:10])
    title = f"Merging {len(nodes)} edited nodes of {options.nodes + options.around}"
    header = ["proposal", "seconds", "searches that saw before / after / parts", "search p50 ms"]
    stage.table(title, header, rows)
    return 1 if torn else 0


if __name__ == "__main__":
    sys.exit(main())
