"""Prometheus metrics of the index and of search, registered at import."""

from prometheus_client import Counter, Histogram

indexed_chunks = Counter("acervo_index_chunks_total", "Passages put into the index.")
searches = Counter("acervo_search_total", "Searches.", ["mode", "degraded"])
search_seconds = Histogram(
    "acervo_search_seconds",
    "Searches by stage; the stage `total` is the whole.",
    ["mode", "stage"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
relating_seconds = Histogram(
    "acervo_relation_suggestions_seconds",
    "Looking for the suggested relations of one node.",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
synthesis_seconds = Histogram(
    "acervo_synthesis_seconds",
    "Summaries of a topic, by what wrote them.",
    ["method"],
    buckets=(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80),
)
quality_seconds = Histogram(
    "acervo_quality_check_seconds",
    "Checks of one node.",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
