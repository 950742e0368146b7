"""Prometheus gauges that are read from the tables when they are asked for.

Being the state of the whole installation, they are the same from every process.
"""

from collections.abc import Iterator

import structlog
from django.db import DatabaseError
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from psycopg_pool import PoolTimeout
from redis import RedisError

from monitoring import readings
from project import heartbeat
from project.inference.vector_cache import kept_size

log = structlog.get_logger(__name__)


class StateCollector(Collector):
    """Queues, jobs, nodes, turns, events and processes; left out while their store is away."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the gauges."""
        for part in (self._redis, self._postgres):
            try:
                yield from list(part())
            except (DatabaseError, PoolTimeout, RedisError, OSError) as error:
                log.warning("metrics_incomplete", part=part.__name__, error=type(error).__name__)

    def _redis(self) -> Iterator[GaugeMetricFamily]:
        yield _family(
            "acervo_queue_tasks", "Tasks that wait, by queue.", "queue", readings.queue_lengths()
        )
        living = [each.process for each in heartbeat.living()]
        counts = {name: living.count(name) for name in heartbeat.PROCESSES}
        yield _family("acervo_processes", "Living processes, by kind.", "process", counts)

    def _postgres(self) -> Iterator[GaugeMetricFamily]:
        yield _family("acervo_jobs", "Ingest jobs, by status.", "status", readings.job_counts())
        yield _family("acervo_nodes", "Nodes, by status.", "status", readings.node_counts())
        yield _family(
            "acervo_turns_unfinished",
            "Turns that are not at their end, by status.",
            "status",
            readings.turns_unfinished(),
        )
        waiting, oldest, given_up = readings.event_backlog()
        yield GaugeMetricFamily("acervo_events_unsettled", "Events to apply.", waiting)
        yield GaugeMetricFamily(
            "acervo_events_oldest_seconds", "Age of the oldest unsettled event.", oldest
        )
        yield GaugeMetricFamily(
            "acervo_events_given_up", "Events whose subscriber failed.", given_up
        )
        yield _family(
            "acervo_space_quality_score",
            "Score of the published nodes, 0 to 100, by space.",
            "space",
            readings.space_quality(),
        )
        kept, size = kept_size()
        yield GaugeMetricFamily("acervo_vectors_kept", "Vectors in the cache of texts.", kept)
        yield GaugeMetricFamily("acervo_vectors_kept_bytes", "Bytes that they take.", size)
        yield GaugeMetricFamily("acervo_quality_due", "Nodes to check.", readings.checks_due())
        yield GaugeMetricFamily(
            "acervo_nodes_behind",
            "Published nodes whose version is not indexed.",
            readings.nodes_behind(older_than_seconds=0),
        )


def _family(name: str, text: str, label: str, values: dict[str, int]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=[label])
    for key, value in values.items():
        family.add_metric([str(key)], value)
    return family
