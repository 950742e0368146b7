"""How long text that is streaming is gathered before it is passed on.

Every step of a piece of text costs the same however long the piece is. A process with few streams
passes on what comes twenty times a second, which reads as a flow; one with many gathers for longer,
and so serves several times as many. All streams of a process are looked at at the same moments:
one trip to Redis then takes along what all of them have said.
"""

import math

GATHER_SECONDS = 0.05
BUSIEST_SECONDS = 0.2
BUSY_STREAMS = 6  # in one process; from here on text is gathered for longer


def gather_seconds(streams: int) -> float:
    """Return how long text is gathered in a process with so many streams."""
    return min(BUSIEST_SECONDS, GATHER_SECONDS * max(1.0, streams / BUSY_STREAMS))


def seconds_to_tick(streams: int, now: float) -> float:
    """Return the time from `now` to the next moment at which streams are looked at.

    Between 0 (exclusive) and `gather_seconds`; a process with many streams has fewer moments, but
    none that it would not have with fewer.
    """
    steps = math.ceil(gather_seconds(streams) / GATHER_SECONDS)
    tick = steps * GATHER_SECONDS
    return tick - now % tick


def trip_seconds(streams: int) -> float:
    """Return how long a process with so many streams waits between two trips to Redis for them.

    A trip serves all of them. With a few, which wait for their first words, it waits for nobody;
    with very many, a quarter of the time that their text is gathered.
    """
    if streams < 2:
        return 0.0
    return min(0.005 * streams, max(0.03, gather_seconds(streams) / 4))
