"""Three-way merge of tags, of metadata, and of whole nodes."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knowledge.merging.nodes import chosen, merge_nodes
from knowledge.merging.sets import merge_sets
from knowledge.merging.tree import MISSING, TreeConflict, is_same, merge_trees, placed

names = st.lists(st.sampled_from("abcde"), unique=True)
leaves = st.none() | st.booleans() | st.integers(0, 2) | st.sampled_from(["x", "y"])
trees = st.dictionaries(
    st.sampled_from("abc"),
    st.recursive(
        leaves,
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
        ),
        max_leaves=6,
    ),
)


# -- tags --------------------------------------------------------------------------------------


@settings(deadline=None)
@given(names, names, names)
def test_tags_are_those_added_by_either_side_and_removed_by_none(
    base: list[str], ours: list[str], theirs: list[str]
) -> None:
    merged = merge_sets(base, ours, theirs)
    one, two, old = set(ours), set(theirs), set(base)
    assert set(merged) == (one & two) | (one - old) | (two - old)
    assert len(merged) == len(set(merged))
    assert merged == merge_sets(base, theirs, ours)
    assert merge_sets(base, ours, base) == merge_sets(base, ours, ours) == ours


def test_tags_keep_the_order_that_a_side_gave_them() -> None:
    assert merge_sets(["a", "b"], ["b", "a"], ["a", "b", "c"]) == ["b", "a", "c"]
    assert merge_sets(["a"], ["a", "z"], ["a", "m"]) == ["a", "m", "z"]
    assert merge_sets(["a", "b"], ["b"], ["a", "b", "c"]) == ["b", "c"]


# -- metadata ----------------------------------------------------------------------------------


@settings(deadline=None)
@given(trees, trees, trees)
def test_trees_follow_the_laws_of_merging(base: Any, ours: Any, theirs: Any) -> None:
    assert merge_trees(base, ours, base).value == ours
    assert merge_trees(base, ours, ours).value == ours
    merge, other = merge_trees(base, ours, theirs), merge_trees(base, theirs, ours)
    as_other_sees_it = {(each.path, str(each.ours), str(each.theirs)) for each in merge.conflicts}
    assert as_other_sees_it == {
        (each.path, str(each.theirs), str(each.ours)) for each in other.conflicts
    }
    if not merge.conflicts:
        assert is_same(merge.value, other.value)
    theirs_everywhere = merge.value
    for each in merge.conflicts:
        theirs_everywhere = placed(theirs_everywhere, each.path, each.theirs)
    assert is_same(theirs_everywhere, other.value)


def test_different_keys_of_metadata_merge() -> None:
    base = {"dept": "ops", "limits": {"wind": 20, "wave": 3}, "old": 1}
    ours = {"dept": "ops", "limits": {"wind": 25, "wave": 3}, "old": 1, "new": True}
    theirs = {"dept": "crew", "limits": {"wind": 20, "wave": 2}}
    merge = merge_trees(base, ours, theirs)
    assert merge.value == {"dept": "crew", "limits": {"wind": 25, "wave": 2}, "new": True}
    assert merge.conflicts == ()


def test_one_key_with_two_new_values_is_a_conflict_at_its_path() -> None:
    merge = merge_trees({"a": {"b": 1}}, {"a": {"b": 2}}, {"a": {}})
    assert merge.conflicts == (TreeConflict(("a", "b"), 1, 2, MISSING),)
    assert merge.value == {"a": {"b": 2}}
    assert placed(merge.value, ("a", "b"), MISSING) == {"a": {}}


def test_lists_merge_where_their_changes_do_not_touch() -> None:
    merge = merge_trees({"l": [1, 2, 3]}, {"l": [0, 1, 2, 3]}, {"l": [1, 2, 4]})
    assert merge.value == {"l": [0, 1, 2, 4]}
    merge = merge_trees({"l": [1]}, {"l": [2]}, {"l": [3]})
    assert [each.path for each in merge.conflicts] == [("l",)]


def test_one_and_true_are_two_values() -> None:
    merge = merge_trees({"a": 0}, {"a": 1}, {"a": True})
    assert len(merge.conflicts) == 1


# -- nodes -------------------------------------------------------------------------------------


def state(**fields: Any) -> dict[str, Any]:
    return {
        "kind": "article",
        "title": "Tides",
        "content": "First paragraph.\n\nSecond paragraph.\n",
        "language": "en",
        "tags": ["sea"],
        "metadata": {},
        "valid_from": None,
        "valid_until": None,
        **fields,
    }


def test_each_field_takes_the_side_that_changed_it() -> None:
    ours = state(title="The tides", tags=["sea", "moon"], content=state()["content"] + "\nThird.\n")
    theirs = state(kind="guide", tags=["tide"], metadata={"area": "north"}, language="pt-br")
    merge = merge_nodes(state(), ours, theirs)
    assert merge.is_clean
    assert merge.state == state(
        title="The tides",
        kind="guide",
        language="pt-br",
        tags=["moon", "tide"],
        metadata={"area": "north"},
        content=ours["content"],
    )
    assert merge.by_ours == ("title", "content", "tags")
    assert merge.by_theirs == ("kind", "language", "tags", "metadata")


@pytest.mark.parametrize("name", ["title", "kind", "language"])
def test_two_new_values_of_one_field_are_a_conflict(name: str) -> None:
    merge = merge_nodes(state(), state(**{name: "ours"}), state(**{name: "theirs"}))
    (conflict,) = merge.conflicts
    assert (conflict.field, conflict.ours, conflict.theirs) == (name, "ours", "theirs")
    assert merge.state[name] == "ours"
    assert chosen(merge.state, conflict, "theirs")[name] == "theirs"
    assert merge_nodes(state(), state(**{name: "x"}), state(**{name: "x"})).is_clean


def test_conflicts_of_text_and_metadata_say_where_they_are() -> None:
    ours = state(content="Our own text.\n", metadata={"a": {"b": 1}})
    theirs = state(content="Their own text.\n", metadata={"a": {"b": 2}})
    merge = merge_nodes(state(), ours, theirs)
    places = [(each.field, each.part, each.path) for each in merge.conflicts]
    assert places == [("content", 0, ()), ("metadata", None, ("a", "b"))]
    assert chosen(merge.state, merge.conflicts[1], "theirs")["metadata"] == {"a": {"b": 2}}


def test_a_validity_that_would_end_before_it_begins_is_a_conflict() -> None:
    base = state(valid_from="2026-01-01T00:00:00+00:00", valid_until="2026-12-31T00:00:00+00:00")
    ours = {**base, "valid_from": "2026-10-01T00:00:00+00:00"}
    theirs = {**base, "valid_until": "2026-09-01T00:00:00+00:00"}
    merge = merge_nodes(base, ours, theirs)
    assert [each.field for each in merge.conflicts] == ["valid_from", "valid_until"]
    later = {**base, "valid_until": "2026-11-01T00:00:00+00:00"}
    assert merge_nodes(base, ours, later).is_clean


def test_archiving_what_the_other_side_edits_is_a_conflict() -> None:
    base = state(status="published")
    archived = {**base, "status": "archived"}
    edited = {**base, "title": "High tides"}
    for ours, theirs in ((archived, edited), (edited, archived)):
        (conflict,) = merge_nodes(base, ours, theirs).conflicts
        assert conflict.field == "status"
    assert merge_nodes(base, archived, base).is_clean
    assert merge_nodes(base, archived, archived).is_clean
