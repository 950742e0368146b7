"""The steps that turn the metadata of one schema into that of the next.

Each step is an object with `op` and the fields of that operation (`OPERATIONS`). Steps have no
expressions: what they do is read from them. A step that finds its field nowhere does nothing.
"""

import copy
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _

from knowledge.merging.tree import is_same
from knowledge.metadata.converting import TARGETS, NotConvertible, converted
from knowledge.metadata.paths import BadPath, Path, Place, holders, path_of
from knowledge.metadata.schemas import Problem

MOST_STEPS = 100
MOST_VALUES = 1000

OPERATIONS: dict[str, tuple[str, ...]] = {
    "rename": ("path", "to"),
    "default": ("path", "value"),
    "remove": ("path",),
    "move": ("from", "to", "overwrite?"),
    "copy": ("from", "to", "overwrite?"),
    "convert": ("path", "to", "separator?"),
    "map": ("path", "values", "otherwise?"),
}
"""The fields of each operation; those with a question mark may be left out."""


class BadSteps(ValueError):
    """The steps cannot be read; `problems` says why."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.problems = problems


class StepFailed(ValueError):
    """A step cannot be done to a value; `place` says where in it."""

    def __init__(self, place: Place, message: str) -> None:
        super().__init__(message)
        self.place = place
        self.message = message


@dataclass(frozen=True, slots=True)
class Step:
    """One step; which fields mean something depends on `op`."""

    op: str
    path: Path
    to: Path | None = None
    name: str = ""
    value: Any = None
    target: str = ""
    separator: str = ","
    values: tuple[tuple[Any, Any], ...] = ()
    otherwise: str = "keep"
    overwrite: bool = False


@dataclass(slots=True)
class Stepped:
    """What steps made of a value: which of them, by number from 0, changed something."""

    value: dict[str, Any]
    changed_by: list[int] = field(default_factory=list)
    problem: Problem | None = None


def steps_of(raw: Any) -> list[Step]:
    """Return the steps that a JSON list describes. Raises BadSteps naming every one at fault."""
    if not isinstance(raw, list):
        raise BadSteps([Problem((), _("Steps are a list."))])
    if len(raw) > MOST_STEPS:
        message = _("There may be at most %(count)s steps.") % {"count": MOST_STEPS}
        raise BadSteps([Problem((), message)])
    steps, problems = [], []
    for number, each in enumerate(raw):
        try:
            steps.append(_step_of(each))
        except BadSteps as error:
            problems += [Problem((number, *one.place), one.message) for one in error.problems]
    if problems:
        raise BadSteps(problems)
    return steps


def steps_apply(steps: Sequence[Step], value: dict[str, Any]) -> Stepped:
    """Return what steps make of an object, which stays as it is.

    Stops at the first step that cannot be done; `problem` then says where and why.
    """
    result = Stepped(copy.deepcopy(value))
    for number, step in enumerate(steps):
        try:
            if _WORK[step.op](step, result.value):
                result.changed_by.append(number)
        except StepFailed as error:
            message = _("Step %(number)s: %(why)s") % {"number": number + 1, "why": error.message}
            result.problem = Problem(error.place, message)
            break
    return result


def _step_of(raw: Any) -> Step:
    if not isinstance(raw, dict):
        raise BadSteps([Problem((), _("A step is an object with “op”."))])
    op = raw.get("op")
    if not isinstance(op, str) or op not in OPERATIONS:
        message = _("“op” is one of: %(names)s.") % {"names": ", ".join(OPERATIONS)}
        raise BadSteps([Problem(("op",), message)])
    known = {name.rstrip("?"): not name.endswith("?") for name in OPERATIONS[op]}
    problems = [
        Problem((name,), _("This operation needs “%(name)s”.") % {"name": name})
        for name, is_needed in known.items()
        if is_needed and name not in raw
    ]
    problems += [
        Problem((name,), _("There is no such field."))
        for name in raw
        if name not in known and name != "op"
    ]
    if problems:
        raise BadSteps(problems)
    return _READ[op](op, raw)


def _path(raw: dict[str, Any], name: str) -> Path:
    try:
        return path_of(raw[name])
    except BadPath as error:
        raise BadSteps([Problem((name,), str(error))]) from None


def _flag(raw: dict[str, Any], name: str) -> bool:
    value = raw.get(name, False)
    if not isinstance(value, bool):
        raise BadSteps([Problem((name,), _("This is true or false."))])
    return value


def _read_rename(op: str, raw: dict[str, Any]) -> Step:
    name = raw["to"]
    if not isinstance(name, str) or not 0 < len(name) <= 200:
        raise BadSteps([Problem(("to",), _("This is the new name of the field."))])
    return Step(op, _path(raw, "path"), name=name)


def _read_default(op: str, raw: dict[str, Any]) -> Step:
    return Step(op, _path(raw, "path"), value=raw["value"])


def _read_remove(op: str, raw: dict[str, Any]) -> Step:
    return Step(op, _path(raw, "path"))


def _read_move(op: str, raw: dict[str, Any]) -> Step:
    start, end = _path(raw, "from"), _path(raw, "to")
    if end.keys[: len(end.shared)] != start.keys[: len(end.shared)] or len(end.shared) > len(
        start.shared
    ):
        message = _("Inside lists both paths go through the same one: links[*].a, links[*].b.")
        raise BadSteps([Problem(("to",), message)])
    if len(start.shared) > len(end.shared):
        message = _("What is in every element of a list cannot go to one place.")
        raise BadSteps([Problem(("to",), message)])
    if end.keys[: len(start.keys)] == start.keys and op == "copy":
        raise BadSteps([Problem(("to",), _("A field cannot be copied into itself."))])
    return Step(op, start, to=end, overwrite=_flag(raw, "overwrite"))


def _read_convert(op: str, raw: dict[str, Any]) -> Step:
    separator = raw.get("separator", ",")
    if raw["to"] not in TARGETS:
        message = _("This is one of: %(names)s.") % {"names": ", ".join(TARGETS)}
        raise BadSteps([Problem(("to",), message)])
    if not isinstance(separator, str) or not 0 < len(separator) <= 10:
        raise BadSteps([Problem(("separator",), _("This is a short text."))])
    return Step(op, _path(raw, "path"), target=raw["to"], separator=separator)


def _read_map(op: str, raw: dict[str, Any]) -> Step:
    values, otherwise = raw["values"], raw.get("otherwise", "keep")
    pairs: list[tuple[Any, Any]] = []
    if isinstance(values, dict):
        pairs = list(values.items())
    elif isinstance(values, list) and all(
        isinstance(each, dict) and set(each) == {"from", "to"} for each in values
    ):
        pairs = [(each["from"], each["to"]) for each in values]
    if not 0 < len(pairs) <= MOST_VALUES:
        message = _("These are old values with their new ones, or a list of “from” and “to”.")
        raise BadSteps([Problem(("values",), message)])
    if otherwise not in {"keep", "fail", "remove"}:
        raise BadSteps([Problem(("otherwise",), _("This is keep, fail or remove."))])
    return Step(op, _path(raw, "path"), values=tuple(pairs), otherwise=otherwise)


def _owners(step: Step, root: Any) -> Iterable[tuple[Place, dict[str, Any], str]]:
    """Yield the objects that have, or could have, the last key of the step's path."""
    *above, key = step.path.keys
    for place, owner in list(holders(root, above)):
        if isinstance(owner, dict):
            yield place, owner, key


def _rename(step: Step, root: dict[str, Any]) -> bool:
    changed = False
    for place, owner, key in _owners(step, root):
        if key not in owner or key == step.name:
            continue
        if step.name in owner:
            message = _("there is a field “%(name)s” already.") % {"name": step.name}
            raise StepFailed((*place, step.name), message)
        items = [(step.name if name == key else name, each) for name, each in owner.items()]
        owner.clear()
        owner.update(items)
        changed = True
    return changed


def _default(step: Step, root: dict[str, Any]) -> bool:
    changed = False
    shared = step.path.shared
    for place, owner in list(holders(root, shared)):
        if not isinstance(owner, dict):
            raise StepFailed(place, _("this is not an object."))
        changed |= _put(owner, step.path.keys[len(shared) :], step.value, place, absent_only=True)
    return changed


def _remove(step: Step, root: dict[str, Any]) -> bool:
    changed = False
    for _place, owner, key in _owners(step, root):
        if key in owner:
            del owner[key]
            changed = True
    return changed


def _move(step: Step, root: dict[str, Any]) -> bool:
    assert step.to is not None
    changed = False
    shared = step.path.shared
    start, end = step.path.keys[len(shared) :], step.to.keys[len(shared) :]
    for place, owner in list(holders(root, shared)):
        found = list(holders(owner, start))
        if not found or start == end:
            continue
        value = found[0][1]
        if step.op == "move":
            parent = next(each for _p, each in holders(owner, start[:-1]))
            del parent[start[-1]]
        else:
            value = copy.deepcopy(value)
        if not step.overwrite and any(True for _ in holders(owner, end)):
            raise StepFailed((*place, *end), _("there is a value already."))
        _put(owner, end, value, place)
        changed = True
    return changed


def _convert(step: Step, root: dict[str, Any]) -> bool:
    changed = False
    for place, owner, key in _owners(step, root):
        if key not in owner:
            continue
        try:
            value = converted(owner[key], step.target, step.separator)
        except NotConvertible as error:
            raise StepFailed((*place, key), str(error)) from None
        changed |= not is_same(value, owner[key])
        owner[key] = value
    return changed


def _map(step: Step, root: dict[str, Any]) -> bool:
    changed = False
    for place, owner, key in _owners(step, root):
        if key not in owner:
            continue
        pairs = [new for old, new in step.values if is_same(old, owner[key])]
        if pairs:
            changed |= not is_same(pairs[0], owner[key])
            owner[key] = copy.deepcopy(pairs[0])
        elif step.otherwise == "remove":
            del owner[key]
            changed = True
        elif step.otherwise == "fail":
            raise StepFailed((*place, key), _("no new value is given for this one."))
    return changed


def _put(
    owner: dict[str, Any],
    keys: Sequence[str],
    value: Any,
    place: Place,
    *,
    absent_only: bool = False,
) -> bool:
    """Put a value at `keys` below an object, making objects on the way; return whether it was."""
    here = owner
    for at, key in enumerate(keys[:-1]):
        inner = here.setdefault(key, {})
        if not isinstance(inner, dict):
            raise StepFailed((*place, *keys[: at + 1]), _("this is not an object."))
        here = inner
    if absent_only and keys[-1] in here:
        return False
    here[keys[-1]] = copy.deepcopy(value)
    return True


_READ: dict[str, Callable[[str, dict[str, Any]], Step]] = {
    "rename": _read_rename,
    "default": _read_default,
    "remove": _read_remove,
    "move": _read_move,
    "copy": _read_move,
    "convert": _read_convert,
    "map": _read_map,
}
_WORK: dict[str, Callable[[Step, dict[str, Any]], bool]] = {
    "rename": _rename,
    "default": _default,
    "remove": _remove,
    "move": _move,
    "copy": _move,
    "convert": _convert,
    "map": _map,
}
