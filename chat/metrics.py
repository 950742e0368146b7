"""Prometheus metrics of turns, registered at import."""

from prometheus_client import Counter, Gauge, Histogram

_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1, 2, 5, 10, 30, 60, 180)

turns = Counter(
    "acervo_turns_total", "Turns by how they ended and who answered.", ["status", "route"]
)
first_event_seconds = Histogram(
    "acervo_turn_first_event_seconds",
    "From the stored question to the turn's first event.",
    buckets=_SECONDS,
)
first_token_seconds = Histogram(
    "acervo_turn_first_token_seconds",
    "From the stored question to the first text of the answer.",
    buckets=_SECONDS,
)
turn_seconds = Histogram(
    "acervo_turn_seconds", "From the stored question to the end.", ["route"], buckets=_SECONDS
)
answer_cache = Counter(
    "acervo_answer_cache_total",
    "Questions by what kept answers gave: exact, semantic, near miss, miss; and why not. wrong: a"
    " reader found it bad; sampled right, sampled wrong: compared with an answer of their own.",
    ["outcome", "reason"],
)
dispatched = Counter(
    "acervo_messages_dispatched_total",
    "Messages by their class and where the dispatcher sent them: ai, human, triage.",
    ["class", "route"],
)
guarded = Counter(
    "acervo_messages_guarded_total",
    "Messages turned away, by why: word, busy, repeat, noise, rate.",
    ["reason"],
)
supported_share = Histogram(
    "acervo_answer_supported_share",
    "Share of an answer's sentences that the passages it cites support.",
    ["route"],
    buckets=(0, 0.25, 0.5, 0.75, 0.9, 0.99, 1),
)
verifications_late = Counter(
    "acervo_verifications_late_total",
    "Answers that were not checked by all means, for lack of time.",
)
escalations = Counter(
    "acervo_escalations_total",
    "Answers asked of a more capable model once more: what was wrong, and what came of it.",
    ["fault", "outcome"],
)
running = Gauge("acervo_turns_running", "Turns being answered now.", multiprocess_mode="livesum")
takeovers = Counter(
    "acervo_turn_takeovers_total", "Turns taken over from an agent that had died on them."
)
