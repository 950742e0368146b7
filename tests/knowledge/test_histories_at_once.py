"""Several writers at once on few nodes: what was acknowledged is in the history exactly once."""

import random
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections

from knowledge import services
from knowledge.chains import Counts, history_problems
from knowledge.models import Node, NodeVersion, Space
from knowledge.stale_writes import stale_write
from project.accounts.models import User
from project.http.errors import Conflict

TEXT = "".join(f"Paragraph {number}.\n\n" for number in range(5))
WRITERS = 4
EDITS = 24


def edit(user: User, pk: object, mark: str, dice: random.Random) -> None:
    """Put a mark into a paragraph; where somebody was quicker, save the merge."""
    while True:
        node = Node.objects.get(pk=pk)
        lines = node.content.split("\n")
        lines[dice.randrange(0, 10, 2)] += f" [{mark}]"
        changes = {"content": "\n".join(lines)}
        begun, expected, merged_from = node.version, node.version, None
        for _round in range(20):
            try:
                services.node_update(
                    acting_user=user,
                    node=node,
                    expected_version=expected,
                    merged_from=merged_from,
                    **changes,
                )
                return
            except Conflict:
                stored = Node.objects.get(pk=pk)
                stale = stale_write(stored, based_on=begun, changes=changes)
                if not stale.merge.is_clean:
                    break  # from the start, on what is stored now
                changes = {"content": stale.merge.state["content"]}
                begun, merged_from, expected = stored.version, begun, stored.version


@pytest.mark.django_db(transaction=True)
def test_concurrent_edits_are_all_kept_and_the_chain_holds(owner: User, space: Space) -> None:
    nodes = [
        services.node_create(acting_user=owner, space=space, title=f"Node {number}", content=TEXT)
        for number in range(3)
    ]
    dice = random.Random(5)
    acts = [(dice.choice(nodes).pk, f"m{number:02d}") for number in range(EDITS)]

    def act(number: int) -> None:
        try:
            edit(owner, *acts[number], random.Random(number))
        finally:
            connections.close_all()

    with ThreadPoolExecutor(WRITERS) as writers:
        list(writers.map(act, range(EDITS)))
    assert list(history_problems(Counts())) == []
    for pk, mark in acts:
        versions = NodeVersion.objects.filter(id=pk).order_by("version")
        held = [f"[{mark}]" in row.content for row in versions]
        came = sum(now and not before for before, now in zip([False, *held], held, strict=False))
        assert (came, held[-1]) == (1, True)
    assert NodeVersion.objects.count() == len(nodes) + EDITS
