"""Prometheus metrics of the model calls, registered at import."""

from prometheus_client import Counter, Gauge, Histogram

from project.inference.choices import Outcome

_SECONDS = (0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 180)
_BREAKER_VALUES = {"closed": 0, "half_open": 1, "open": 2}

calls = Counter(
    "acervo_model_calls_total", "Calls of models by how they ended.", ["kind", "model", "outcome"]
)
call_seconds = Histogram(
    "acervo_model_call_seconds", "Whole calls of models.", ["kind", "model"], buckets=_SECONDS
)
first_token_seconds = Histogram(
    "acervo_model_first_token_seconds",
    "From the call of a language model to its first token.",
    ["model"],
    buckets=_SECONDS,
)
tokens = Counter("acervo_model_tokens_total", "Tokens by way.", ["kind", "model", "direction"])
cost = Counter("acervo_model_cost_total", "Cost in the currency of the prices.", ["kind", "model"])
embedded_texts = Counter(
    "acervo_model_embedded_texts_total", "Texts embedded.", ["model", "purpose", "cached"]
)
usage_rows_lost = Counter(
    "acervo_model_usage_rows_lost_total", "Usage rows that could not be written."
)
breaker_state = Gauge(
    "acervo_model_breaker_state",
    "Circuit breaker as last seen: 0 closed, 1 half open, 2 open.",
    ["model"],
    multiprocess_mode="mostrecent",
)


def observe_call(
    *,
    kind: str,
    model: str,
    outcome: str,
    latency_ms: int,
    first_token_ms: int | None,
    prompt_tokens: int,
    completion_tokens: int,
    price: float,
) -> None:
    """Count one call that ended. Times in milliseconds."""
    calls.labels(kind, model, outcome).inc()
    if outcome == Outcome.BREAKER_OPEN:
        return
    call_seconds.labels(kind, model).observe(latency_ms / 1000)
    if first_token_ms is not None:
        first_token_seconds.labels(model).observe(first_token_ms / 1000)
    tokens.labels(kind, model, "prompt").inc(prompt_tokens)
    tokens.labels(kind, model, "completion").inc(completion_tokens)
    cost.labels(kind, model).inc(price)


def observe_breaker(model: str, state: str) -> None:
    """Remember the state of a breaker as it was just seen."""
    breaker_state.labels(model).set(_BREAKER_VALUES[state])
