"""Server-sent events, cut anywhere."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from project.inference.event_stream import EventReader

STREAM = 'data: {"a": "ção"}\n\n: a comment\r\ndata: one\r\ndata:two\r\n\r\nevent: x\n\ndata: last'
EVENTS = ['{"a": "ção"}', "one\ntwo", "last"]


def read(chunks: list[bytes]) -> list[str]:
    reader = EventReader()
    events = [event for chunk in chunks for event in reader.feed(chunk)]
    return [event.decode() for event in [*events, *reader.finish()]]


def test_comments_other_fields_and_line_ends_are_understood() -> None:
    assert read([STREAM.encode()]) == EVENTS
    assert read([]) == []


@given(st.lists(st.integers(0, len(STREAM.encode())), max_size=12))
def test_cuts_change_nothing(cuts: list[int]) -> None:
    data = STREAM.encode()
    places = [0, *sorted(cuts), len(data)]
    assert read([data[a:b] for a, b in pairwise(places)]) == EVENTS
