"""The log of a turn: a Redis stream of its numbered events, written by one agent, read by many.

Entry id `{seq}-0`, field `e` the event as JSON, field `w` the writer. An id that is not above the
last one is refused by Redis: that fences out a second writer. The log is a convenience: while it
is whole, readers follow it from any number; when it is not, they get the stored answer.

Direction: `entries` <- `shipping` <- `writer`; `entries` <- `hub`, `replay` <- `following`.
"""

from chat.turn_log.entries import LoggedEvent
from chat.turn_log.following import follow
from chat.turn_log.writer import TurnLog

__all__ = ["LoggedEvent", "TurnLog", "follow"]
