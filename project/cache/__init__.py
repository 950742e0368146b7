"""Answers that are kept in two places: in this process, and in Redis for all processes.

A key has to say everything that the answer depends on, so that an entry is never wrong, only
unneeded: coherence depends on no message. Values are bytes, so that nobody changes an entry.

1. L1, in the process: least recently used out first, bounded by entries, bytes and age.
2. L2, in Redis: bounded by age. Keys and values are authenticated with the secret key: who can
   write to Redis, but does not know it, cannot put an answer there, nor tell what was asked.
3. What is missing is computed once: threads of this process wait for the first of them, other
   processes for its answer in Redis, all of them for a bounded time.

Redis that is away is left alone for some seconds and costs nothing meanwhile. Messages tell other
processes of entries that nobody will ask for any more, so that they take no room.
"""

from project.cache._counts import DailyCounts, day_name
from project.cache._layers import Computed, LayeredCache
from project.cache._redis import Rider, Store

__all__ = ["Computed", "DailyCounts", "LayeredCache", "Rider", "Store", "day_name"]
