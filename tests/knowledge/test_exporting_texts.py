"""The front matter format, file names and records: what is written is what is read."""

import datetime
import math
import uuid
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from knowledge.exporting.fields import RecordFault, line_of, line_read, record_plain
from knowledge.exporting.front_matter import (
    FrontMatterFault,
    document_join,
    document_split,
    flow,
)
from knowledge.exporting.names import FileNames, attachment_path, slug_of, tag_name
from knowledge.exporting.records import NODE_VERSION

# What the database can keep: no NUL, no lone surrogates.
TEXT = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"))
ODD_TEXT = st.lists(
    st.sampled_from(["---", "\n", "\r\n", "\r", "\t", " ", "", "a: b", "é", "\u2028", "\x85", "😀"])
    | TEXT
).map("".join)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | ODD_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ODD_TEXT, inner, max_size=4),
    max_leaves=12,
)  # fmt: skip
NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,12}", fullmatch=True)


def same(left: Any, right: Any) -> bool:
    """Equal, and of the same types: 1, 1.0 and true are three things."""
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        return list(left) == list(right) and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, float):
        return left == right and math.copysign(1, left) == math.copysign(1, right)
    return bool(left == right)


@given(st.dictionaries(NAMES, VALUES, max_size=6), ODD_TEXT)
def test_a_document_comes_back_as_it_was(facts: dict[str, Any], text: str) -> None:
    again, rest = document_split(document_join(facts, text))
    assert same(again, facts)
    assert rest == text


@given(st.dictionaries(NAMES, VALUES, max_size=6), ODD_TEXT)
def test_other_programs_read_the_facts_as_yaml(facts: dict[str, Any], text: str) -> None:
    head = document_join(facts, "").removeprefix("---\n").removesuffix("---\n")
    try:
        read = yaml.safe_load(head) or {}
    except yaml.YAMLError:
        # YAML allows no key of more than 1024 characters; nothing else may stop it.
        assert any(len(line) > 1000 for line in head.splitlines())
        return
    assert same(read, facts)


@pytest.mark.parametrize(
    "text",
    ["", "\n", "---\n", "---\nid: 1\n---\nno", "\r\n\r\n", "end without line", "trailing  \n\n\n"],
)
def test_no_text_confuses_the_fences(text: str) -> None:
    assert document_split(document_join({"id": "1"}, text)) == ({"id": "1"}, text)
    assert document_split(document_join({}, text)) == ({}, text)


@pytest.mark.parametrize(
    "document",
    [
        "",
        "no header",
        "---\nid: 1\n",
        "---\nid: 1",
        "---\nid 1\n---\n",
        "---\nid: {\n---\n",
        "---\nid: nan\n---\n",
        "---\nid: NaN\n---\n",
        "---\nid: 1\nid: 2\n---\n",
        "---\nId: 1\n---\n",
        "---\r\nid: 1\r\n---\r\n",
        "---\nid: &a [*a]\n---\n",
        f"---\nid: {'[' * 100_000}\n---\n",
    ],
)
def test_what_is_no_front_matter_is_refused(document: str) -> None:
    with pytest.raises(FrontMatterFault):
        document_split(document)


def test_an_endless_header_is_refused_without_being_searched(monkeypatch: Any) -> None:
    monkeypatch.setattr("knowledge.exporting.front_matter.MAX_HEADER", 1000)
    with pytest.raises(FrontMatterFault, match="too long"):
        document_split(f'---\nid: "{"x" * 2000}"\n---\n')


@pytest.mark.parametrize("value", [math.nan, math.inf, {1: 2}, object()])
def test_what_json_does_not_have_is_not_written(value: object) -> None:
    with pytest.raises((ValueError, TypeError)):
        flow(value)


@pytest.mark.parametrize(
    ("title", "slug"),
    [
        ("Opening hours", "opening-hours"),
        ("Política de férias (2026)", "politica-de-ferias-2026"),
        ("../../etc/passwd", "etc-passwd"),
        ("CON", "con"),
        ("潮汐 表", "潮汐-表"),
        ("snake_case", "snake-case"),
        ("", ""),
        ("///", ""),
        ("\u202egnp.exe", "gnp-exe"),
    ],
)
def test_titles_become_readable_names(title: str, slug: str) -> None:
    assert slug_of(title) == slug


@given(st.lists(st.tuples(st.uuids(), TEXT), max_size=30, unique_by=lambda pair: pair[0]))
def test_file_names_are_safe_and_never_the_same(nodes: list[tuple[uuid.UUID, str]]) -> None:
    names = FileNames()
    paths = [names.node(pk, "article", title) for pk, title in nodes]
    assert len({path.casefold() for path in paths}) == len(nodes)
    for path in paths:
        assert len(path.split("/")[-1].encode()) <= 120
        assert path.isprintable()
        assert not set(path) & set('\\:*?"<>|')
        assert ".." not in path
    assert [FileNames().node(pk, "article", title) for pk, title in nodes[:1]] == paths[:1]


def test_ids_that_begin_alike_are_told_apart() -> None:
    one = uuid.UUID("11111111-1111-4111-8111-111111111111")
    two = uuid.UUID("11111111-1111-4222-8222-222222222222")
    names = FileNames()
    assert names.node(one, "faq", "Tides") == "nodes/faq/tides-111111111111.md"
    assert names.node(two, "faq", "TIDES") == f"nodes/faq/tides-{two.hex}.md"
    with pytest.raises(ValueError, match="already"):
        names.node(two, "faq", "Tides")


def test_crowded_kinds_are_spread_over_folders() -> None:
    pk = uuid.UUID("ab111111-1111-4111-8111-111111111111")
    assert FileNames({"faq"}).node(pk, "faq", "X").startswith("nodes/faq/ab/x-")


def test_attachments_are_named_by_content() -> None:
    digest = "ab" * 32
    assert attachment_path(digest, "Plan.PDF") == f"attachments/ab/{digest}.pdf"
    assert attachment_path(digest, "x.p/../df") == f"attachments/ab/{digest}"
    assert attachment_path(digest, "") == f"attachments/ab/{digest}"


@given(TEXT)
def test_any_name_becomes_a_tag_that_git_takes(name: str) -> None:
    tag = tag_name(name)
    assert tag
    assert not tag.startswith(("-", "."))
    assert not tag.endswith((".", ".lock", "/"))
    assert not set(tag) & set(" ~^:?*[\\")
    assert ".." not in tag
    assert "@{" not in tag


def version(**changes: Any) -> dict[str, Any]:
    now = "2026-03-01T12:00:00.123456+00:00"
    return {
        "version": 2, "type": "~", "parents": [1], "author": "ana", "reason": "", "date": now,
        "origin": "edit", "origin_id": None, "trace_id": "", "checksum": "a" * 64,
        "chain": "b" * 64, "erased_at": None, "kind": "article", "title": "T", "content": "",
        "language": "en", "tags": [], "metadata": {}, "valid_from": None, "valid_until": now,
        "status": "draft", "review_due": "2026-12-31", "external_id": None, "source_id": None,
        "anchors": [{"page": 1, "start": 0, "end": 0}], "updated_at": now, "published_at": None,
        "owner": "",
    } | changes  # fmt: skip


@given(st.dictionaries(ODD_TEXT, VALUES, max_size=5), ODD_TEXT)
def test_a_record_comes_back_as_it_was(metadata: dict[str, Any], content: str) -> None:
    line = line_of(version(metadata=metadata, content=content))
    assert "\n" not in line
    read = line_read(line, NODE_VERSION)
    assert same(read.metadata, metadata)
    assert read.content == content
    assert line_of(record_plain(read, NODE_VERSION)) == line


def test_times_keep_their_microseconds() -> None:
    read = line_read(line_of(version()), NODE_VERSION)
    utc = datetime.UTC
    assert read.history_date == datetime.datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=utc)
    assert read.review_due == datetime.date(2026, 12, 31)


@pytest.mark.parametrize(
    "change",
    [
        {"version": "2"}, {"version": -1}, {"version": 2**31}, {"version": True},
        {"type": "x"}, {"parents": [[]]}, {"date": "2026-03-01T12:00:00"}, {"date": 5},
        {"chain": "B" * 64}, {"chain": "b" * 63}, {"origin_id": "x"}, {"content": "\0"},
        {"content": "\ud800"}, {"metadata": []}, {"metadata": {"x": "\0"}}, {"title": "x" * 301},
        {"extra": 1}, {"tags": "x"}, {"review_due": "2026-13-01"}, {"source_id": 5},
        {"metadata": {"\ud800": 1}}, {"anchors": [float("1e999")]}, {"anchors": [{"start": 2}]},
        {"anchors": [{"start": 2, "end": 1}]}, {"anchors": [{"start": "1", "end": 2}]},
        {"kind": "../x"}, {"kind": "Policy"}, {"kind": ""}, {"status": "secret"}, {"origin": "x"},
    ],
)  # fmt: skip
def test_a_record_with_a_wrong_field_is_refused(change: dict[str, Any]) -> None:
    import json

    with pytest.raises(RecordFault):
        line_read(json.dumps(version(**change)), NODE_VERSION)


@pytest.mark.parametrize("line", ["", "[]", "{}", "{", "[" * 100_000])
def test_a_line_that_is_no_record_is_refused(line: str) -> None:
    with pytest.raises(RecordFault):
        line_read(line, NODE_VERSION)
