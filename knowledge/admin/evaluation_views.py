"""What the pages of an evaluation show, put into words, symbols and tones."""

import uuid
from collections.abc import Sequence
from typing import Any

from django.urls import NoReverseMatch, reverse
from django.utils.formats import date_format, number_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _

from knowledge.choices import EvaluationStatus, Outcome
from knowledge.evaluating import depth_of
from knowledge.measures import TOLERANCE
from knowledge.models import EvaluationResult, EvaluationRun, IndexGeneration, Node, Proposal

STATUS_TONES = {
    EvaluationStatus.QUEUED: "default",
    EvaluationStatus.RUNNING: "info",
    EvaluationStatus.COMPLETED: "success",
    EvaluationStatus.FAILED: "danger",
    EvaluationStatus.CANCELLED: "muted",
}
OUTCOMES = {  # a symbol beside the colour: not everybody sees the colour
    Outcome.LOST: ("▼", "danger"),
    Outcome.GAINED: ("▲", "success"),
    Outcome.UNCHANGED: ("=", "default"),
    Outcome.FOUND: ("✓", "success"),
    Outcome.MISSED: ("✕", "danger"),
}


def measure(value: float | None) -> str:
    """Return a measure as the reader's language writes it."""
    return "–" if value is None else number_format(round(value, 3), 3)


def state_words(run: EvaluationRun) -> str:
    """Return which state a run is about."""
    if run.proposal_id is not None:
        text = _("Proposal, revision %(number)s") % {"number": run.proposal_revision}
    elif run.as_of is not None:
        when = date_format(localtime(run.as_of), "SHORT_DATETIME_FORMAT")
        text = _("As of %(when)s") % {"when": when}
    elif run.release:
        text = _("Release %(name)s") % {"name": run.release}
    elif run.other_generation_id is not None:
        other = IndexGeneration.objects.filter(pk=run.other_generation_id).first()
        names = {"old": run.embedding_model, "new": other.model_key if other else _("deleted")}
        text = _("Index of %(old)s beside that of %(new)s") % names
    else:
        text = _("Current state")
    return text


def move(before: float | None, after: float | None) -> tuple[str, str, str]:
    """Return the symbol, tone and word of a measure that goes from `before` to `after`."""
    if before is None or after is None:
        return "", "default", ""
    change = after - before
    if abs(change) <= TOLERANCE:
        return "=", "default", _("unchanged")
    if change > 0:
        return "▲", "success", _("better")
    return "▼", "danger", _("worse")


def summary_cards(run: EvaluationRun) -> list[dict[str, Any]]:
    """Return the means of a run as cards."""
    before, after = run.metrics.get("before"), run.metrics.get("after")
    if not before:
        return []
    names = {
        "recall": _("Recall of the first %(k)s") % {"k": run.k},
        "mrr": _("Mean reciprocal rank"),
        "ndcg": _("nDCG of the first %(k)s") % {"k": run.k},
    }
    cards = []
    for key, name in names.items():
        symbol, tone, word = move(before[key], after[key]) if after else ("", "default", "")
        cards.append(
            {
                "name": name,
                "before": measure(before[key]),
                "after": measure(after[key]) if after else "",
                "change": measure(abs(after[key] - before[key])) if after else "",
                "symbol": symbol,
                "tone": tone,
                "word": word,
            }
        )
    return cards


def filters_of(run: EvaluationRun, chosen: str) -> list[dict[str, Any]]:
    """Return the filters of a run's questions with their counts."""
    wanted = (
        (Outcome.LOST, Outcome.GAINED, Outcome.UNCHANGED)
        if run.is_comparison
        else (Outcome.MISSED, Outcome.FOUND)
    )
    rows = [{"key": "", "name": _("All"), "symbol": "", "count": run.measured}]
    for outcome in wanted:
        count = run.metrics.get(str(outcome))
        if count is None:
            count = run.results.filter(outcome=outcome).count()
        symbol = OUTCOMES[outcome][0]
        rows.append({"key": outcome, "name": outcome.label, "symbol": symbol, "count": count})
    return [{**row, "is_chosen": row["key"] == chosen} for row in rows]


def result_rows(run: EvaluationRun, results: Sequence[EvaluationResult]) -> list[dict[str, Any]]:
    """Return what the page shows of each question."""
    named = {target["node"] for result in results for target in result.targets}
    lists = [rows for result in results for rows in (result.before, result.after) if rows]
    found = {each["node"] for rows in lists for each in rows}
    ids = [uuid.UUID(each) for each in named | found]
    known = {str(pk) for pk in Node.objects.filter(pk__in=ids).values_list("pk", flat=True)}
    return [_row(run, result, known) for result in results]


def _row(run: EvaluationRun, result: EvaluationResult, known: set[str]) -> dict[str, Any]:
    symbol, tone = OUTCOMES.get(Outcome(result.outcome), ("", "default")) if result.outcome else (
        "", "default",
    )  # fmt: skip
    answering = {target["node"] for target in result.targets}
    states = [("before", result.before)]
    if run.is_comparison:
        states.append(("after", result.after))
    return {
        "result": result,
        "symbol": symbol,
        "tone": tone,
        "targets": [
            {
                **target,
                "title": target["title"] or _("(erased)"),
                "is_known": target["node"] in known,
                "move": _rank_move(run, target),
            }
            for target in result.ranked_targets()
        ],
        "measures": [
            {
                "name": name,
                "before": measure(getattr(result, f"{field}_before")),
                "after": measure(getattr(result, f"{field}_after")),
                "symbol": move(
                    getattr(result, f"{field}_before"), getattr(result, f"{field}_after")
                )[0],
            }
            for field, name in (
                ("recall", _("Recall")),
                ("reciprocal_rank", _("Reciprocal rank")),
                ("ndcg", _("nDCG")),
            )
        ],
        "lists": [
            {
                "name": _("Before") if state == "before" else _("After"),
                "rows": [
                    {
                        **each,
                        "title": each["title"] or _("(erased)"),
                        "is_known": each["node"] in known,
                        "answers": each["node"] in answering,
                        "is_beyond": each["rank"] > run.k,
                    }
                    for each in rows or ()
                ],
            }
            for state, rows in states
        ],
    }


def _rank_move(run: EvaluationRun, target: dict[str, Any]) -> tuple[str, str, str]:
    """Return the symbol, tone and words of where a node that answers was found."""
    before, after = target["rank_before"], target["rank_after"]
    nowhere = _("not among the first %(count)s") % {"count": depth_of(run.k)}
    if not run.is_comparison:
        if before is None:
            return "✕", "danger", nowhere
        tone, symbol = ("success", "✓") if before <= run.k else ("warning", "↓")
        return symbol, tone, _("rank %(rank)s") % {"rank": before}
    if before is None and after is None:
        return "–", "default", nowhere
    if before is None:
        return "▲", "success", _("new at rank %(rank)s") % {"rank": after}
    if after is None:
        return "▼", "danger", _("gone, was rank %(rank)s") % {"rank": before}
    if before == after:
        return "=", "default", _("rank %(rank)s") % {"rank": after}
    words = _("rank %(before)s → %(after)s") % {"before": before, "after": after}
    return ("▲", "success", words) if after < before else ("▼", "danger", words)


def proposal_link(run: EvaluationRun) -> dict[str, str] | None:
    """Return the title of a run's proposal and its page; None for a run without one."""
    if run.proposal_id is None:
        return None
    proposal = Proposal.objects.filter(pk=run.proposal_id).only("title").first()
    if proposal is None:
        return {"title": _("deleted"), "url": ""}
    try:
        url = reverse("admin:knowledge_proposal_change", args=[proposal.pk])
    except NoReverseMatch:
        url = ""
    return {"title": proposal.title, "url": url}
