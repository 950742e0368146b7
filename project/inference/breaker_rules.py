"""The circuit breaker's rules, twice: in Lua for Redis, in Python while Redis is away.

One breaker is in one of three states:

1. closed: calls pass; their results are counted in buckets of a rolling window. When the window
   holds at least `minimum_calls` and the failed share reaches `failure_share`, it opens; so it does
   when it holds `rated_calls` and more than `failure_rate` of them failed: few calls have to say it
   clearly, many may say it softly.
2. open: no call passes for `open_seconds`, doubled for each opening in a row up to
   `open_limit_seconds`.
3. half open: when that time is over exactly one call passes as a probe. Its success closes the
   breaker, its failure opens it for longer. A probe that never reports (its process died) loses its
   place after `probe_seconds`.

Pure: no Redis and no Django here.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

State = Literal["closed", "half_open", "open"]
BUCKETS = 6


@dataclass(frozen=True, slots=True)
class BreakerRules:
    """When a breaker opens, and for how long. Seconds."""

    window_seconds: float = 60.0
    minimum_calls: int = 5
    failure_share: float = 0.5
    rated_calls: int = 20
    failure_rate: float = 0.1
    open_seconds: float = 5.0
    open_limit_seconds: float = 300.0
    probe_seconds: float = 60.0

    def as_arguments(self) -> list[str]:
        """Return the rules as the script's arguments: milliseconds and plain numbers."""
        return [
            str(int(self.window_seconds * 1000)),
            str(self.minimum_calls),
            str(self.failure_share),
            str(int(self.open_seconds * 1000)),
            str(int(self.open_limit_seconds * 1000)),
            str(int(self.probe_seconds * 1000)),
            str(self.rated_calls),
            str(self.failure_rate),
        ]

    def are_broken_by(self, calls: int, failures: int) -> bool:
        """Whether that many failures among the calls of a window open the breaker."""
        share = failures / calls if calls else 0.0
        return (calls >= self.minimum_calls and share >= self.failure_share) or (
            calls >= self.rated_calls and share > self.failure_rate
        )


@dataclass(frozen=True, slots=True)
class Permit:
    """The answer to "may I call?". `probe` is the token of a half-open probe, else empty."""

    allowed: bool
    state: State
    retry_after: float = 0.0
    probe: str = ""
    is_local: bool = False


@dataclass(frozen=True, slots=True)
class BreakerState:
    """What a breaker looks like now; `openings` counts those in a row."""

    state: State
    retry_after: float
    calls: int
    failures: int
    openings: int
    is_local: bool = False


# KEYS[1] the breaker. ARGV: operation (acquire, success, failure, release, state), token, rules.
# Answers {state, milliseconds to wait, calls, failures, openings, allowed, is a probe}. The clock
# is the server's, so that processes on several machines agree.
SCRIPT = """
local key, operation, token = KEYS[1], ARGV[1], ARGV[2]
local window, minimum, share = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local open_ms, open_limit, probe_ms = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local rated, rate = tonumber(ARGV[9]), tonumber(ARGV[10])
local buckets = 6
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local current = math.floor(now / (window / buckets))

local row = {}
local flat = redis.call('HGETALL', key)
for i = 1, #flat, 2 do row[flat[i]] = flat[i + 1] end
local until_ms = tonumber(row['until'] or '0')
local openings = tonumber(row['openings'] or '0')

local function counted()
  local calls, failures = 0, 0
  for field, value in pairs(row) do
    local kind, bucket = string.match(field, '^([cf]):(%d+)$')
    if kind then
      if tonumber(bucket) <= current - buckets then
        redis.call('HDEL', key, field)
      elseif kind == 'c' then calls = calls + value
      else failures = failures + value end
    end
  end
  return calls, failures
end

local function open()
  openings = openings + 1
  until_ms = now + math.min(open_limit, open_ms * 2 ^ math.min(openings - 1, 30))
  redis.call('DEL', key)
  redis.call('HSET', key, 'until', until_ms, 'openings', openings)
  redis.call('PEXPIRE', key, math.floor(until_ms - now + 2 * open_limit + probe_ms))
  row = {}
end

local function answer(allowed, probe)
  local calls, failures = counted()
  local state, wait = 'closed', 0
  if until_ms > now then state, wait = 'open', until_ms - now
  elseif until_ms > 0 then state = 'half_open' end
  return {state, wait, calls, failures, openings, allowed, probe}
end

local is_probe = token ~= '' and row['probe'] == token
if operation == 'acquire' then
  if until_ms == 0 then return answer(1, 0) end
  if until_ms > now then return answer(0, 0) end
  local taken_until = tonumber(row['probe_until'] or '0')
  if row['probe'] and taken_until > now then return answer(0, 0) end
  redis.call('HSET', key, 'probe', token, 'probe_until', now + probe_ms)
  return answer(1, 1)
elseif operation == 'release' then
  if is_probe then redis.call('HDEL', key, 'probe', 'probe_until') end
elseif operation == 'success' or operation == 'failure' then
  local failed = operation == 'failure'
  if is_probe then
    if failed then open() else
      redis.call('DEL', key)
      row, until_ms, openings = {}, 0, 0
    end
  elseif until_ms == 0 then
    local names = failed and {'c:' .. current, 'f:' .. current} or {'c:' .. current}
    for _, name in ipairs(names) do row[name] = redis.call('HINCRBY', key, name, 1) end
    redis.call('PEXPIRE', key, window * 2)
    local calls, failures = counted()
    local clearly = calls >= minimum and failures / calls >= share
    local often = calls >= rated and failures / calls > rate
    if failed and (clearly or often) then open() end
  end
end
return answer(0, 0)
"""


@dataclass
class _Row:
    opened_until: float = 0.0
    openings: int = 0
    probe: str = ""
    probe_until: float = 0.0
    # bucket number -> [calls, failures]
    counts: dict[int, list[int]] = field(default_factory=dict)


class LocalBreaker:
    """The same rules for one process. Not locked: each method runs without giving way."""

    def __init__(self, rules: BreakerRules, clock: Callable[[], float] = time.monotonic) -> None:
        self._rules, self._clock, self._row = rules, clock, _Row()

    def acquire(self, token: str) -> Permit:
        """Say whether a call may pass; `token` becomes the probe's if it is one."""
        row, now = self._row, self._clock()
        if not row.opened_until:
            return Permit(allowed=True, state="closed", is_local=True)
        if row.opened_until > now:
            return Permit(
                allowed=False, state="open", retry_after=row.opened_until - now, is_local=True
            )
        if row.probe and row.probe_until > now:
            return Permit(allowed=False, state="half_open", is_local=True)
        row.probe, row.probe_until = token, now + self._rules.probe_seconds
        return Permit(allowed=True, state="half_open", probe=token, is_local=True)

    def record(self, token: str, *, ok: bool) -> None:
        """Count the result of a call."""
        row, rules = self._row, self._rules
        if token and token == row.probe:
            if ok:
                self._row = _Row()
            else:
                self._open()
        elif not row.opened_until:
            bucket = row.counts.setdefault(self._bucket(), [0, 0])
            bucket[0] += 1
            bucket[1] += not ok
            calls, failed = self._counted()
            if not ok and rules.are_broken_by(calls, failed):
                self._open()

    def release(self, token: str) -> None:
        """Give a probe's place back without a result."""
        if token and token == self._row.probe:
            self._row.probe = ""

    def state(self) -> BreakerState:
        """Return what it looks like now."""
        wait = self._row.opened_until - self._clock()
        state: State = "closed"
        if self._row.opened_until:
            state = "open" if wait > 0 else "half_open"
        calls, failed = self._counted()
        return BreakerState(state, max(wait, 0.0), calls, failed, self._row.openings, is_local=True)

    def _bucket(self) -> int:
        return int(self._clock() / (self._rules.window_seconds / BUCKETS))

    def _counted(self) -> tuple[int, int]:
        oldest = self._bucket() - BUCKETS
        kept = {number: pair for number, pair in self._row.counts.items() if number > oldest}
        self._row.counts = kept
        return sum(pair[0] for pair in kept.values()), sum(pair[1] for pair in kept.values())

    def _open(self) -> None:
        rules, openings = self._rules, self._row.openings + 1
        seconds = min(rules.open_limit_seconds, rules.open_seconds * 2 ** min(openings - 1, 30))
        self._row = _Row(opened_until=self._clock() + seconds, openings=openings)
