"""Sharing people out anew while an experiment runs."""

import structlog
from django.db import transaction

from chat.choices import ExperimentStatus
from chat.experiments.results import figures_of
from chat.experiments.statistics import adapted_weights
from chat.models import Experiment

log = structlog.get_logger(__name__)


def experiments_adapt() -> int:
    """Share people out anew by what is known, in experiments that ask for it; return how many.

    The same marks give the same shares.
    """
    changed = 0
    running = Experiment.objects.filter(status=ExperimentStatus.RUNNING, is_adaptive=True)
    for pk in running.values_list("pk", flat=True):
        with transaction.atomic():
            row = running.select_for_update().filter(pk=pk).first()
            if row is None:
                continue  # ended since
            figures = figures_of(row)
            counts = [(each.good, each.bad) for each in figures]
            weights = adapted_weights(counts, f"{row.pk}:{counts}")
            before = [each.weight for each in figures]
            if weights is None or weights == before:
                continue
            for each, weight in zip(figures, weights, strict=True):
                row.arms.filter(pk=each.arm).update(weight=weight)
            changed += 1
            log.info("experiment_adapted", experiment=str(row.pk), weights=weights)
    return changed
