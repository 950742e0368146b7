"""Writes of many nodes from a stream of lines."""

from collections.abc import Callable, Iterator

from knowledge.access import role_require
from knowledge.import_lines import Line
from knowledge.models import Space
from knowledge.node_import import Imported as ImportedNodes
from knowledge.node_import import NodeImport
from project.accounts.choices import Role
from project.accounts.models import User


def nodes_import(
    *,
    acting_user: User,
    space: Space,
    lines: Iterator[Line],
    refused: Callable[[int, str], None],
    stored: Callable[[ImportedNodes], None] = lambda _counts: None,
    is_trial: bool = False,
    stops_on_error: bool = False,
) -> ImportedNodes:
    """Store and index the nodes of lines, batch by batch, each in a transaction of its own.

    A line with an external id that is known in the space updates its node; a second run changes
    nothing. `refused` is told the lines that cannot be stored, `stored` how far it is. Raises
    NotFound, Forbidden, and Invalid for what is no such file.
    """
    role_require(acting_user, space, Role.EDITOR)
    work = NodeImport(acting_user, space, refused, stored, is_trial, stops_on_error)
    return work.run(lines)
