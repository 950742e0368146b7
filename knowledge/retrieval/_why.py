"""Why a search does not show a node: the stage that lost it, with the numbers.

The search itself is made once more (`find`), and the node is followed through what came of it. What
the pipeline does not keep is asked of its own statements, of the node alone: the scope with one
filter at a time, the signals of its passages; and of a small scope, its ranks in legs with no
cut-off. A node that the user may not open answers like one that there is not.
"""

from __future__ import annotations

import uuid
from contextlib import ExitStack
from dataclasses import replace

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from knowledge.access import not_found
from knowledge.choices import JobStatus, NodeStatus
from knowledge.models import IngestJob, Node
from knowledge.operators import understood
from knowledge.retrieval import _conditions, _legs
from knowledge.retrieval._found import Unit
from knowledge.retrieval._legs import Candidate
from knowledge.retrieval._pipeline import find
from knowledge.retrieval._scope import Reader
from knowledge.retrieval._search import check
from knowledge.retrieval._why_scope import (
    FILTERS,
    asked_value,
    only,
    own_value,
    passes,
    scope_in,
    with_field,
    without_filters,
)
from knowledge.retrieval._why_trace import Stage, Trace, Why, stage_names
from knowledge.retrieval._why_words import is_near, keyword_words, last_of_legs, vector_words
from knowledge.types import SearchRequest

RANKED = 50_000
"""Passages among which the exact rank of one is told: it takes a look at each."""


def why_not(request: SearchRequest, node_id: uuid.UUID, *, user: Reader) -> Why:
    """Return why a search of the user's does not show a node, or where it shows it.

    Raises NotFound for a node that the user may not open, and what a search raises.
    """
    node = Node.objects.visible_to(user).select_related("space").filter(pk=node_id).first()
    if node is None:
        raise not_found()
    check(request)
    asked = understood(request.query)
    request = replace(request, query=asked.plain, conditions=asked.conditions, explain=True)
    with ExitStack() as view:
        found = find(request, user, by_node=True, view=view)
        trace = Trace(node, request, user, found)
        for look in (_space, _state, _filters, _operators, _index, _legs_reached, _shown):
            if look(trace):
                break
    names = stage_names()
    last = trace.stages[-1]
    reached = {stage.key for stage in trace.stages}
    rest = [Stage(key, name, passed=None) for key, name in names.items() if key not in reached]
    return Why(
        node=node.pk,
        title=node.title,
        stage="shown" if last.passed else last.key,
        stage_name=_("It is shown") if last.passed else last.name,
        words=last.words,
        advice=trace.advice,
        stages=(*trace.stages, *rest),
        numbers=trace.numbers,
    )


def _space(trace: Trace) -> bool:
    scope, node = trace.found.scope, trace.node
    if scope is not None and node.space_id in scope.space_ids:
        trace.passed("space", node.space.name)
        return False
    if trace.request.spaces is not None and node.space_id not in trace.request.spaces:
        words = _("It is in the space “%(space)s”, which is not searched.")
        advice = _("Search that space, too, or all spaces.")
        return trace.lost("space", words % {"space": node.space.name}, advice)
    if trace.request.external_ids is not None or trace.request.kinds is not None:
        words = _("An empty list among the filters lets nothing through.")
        return trace.lost("space", words, _("Take the empty filter away."))
    words = _("Nothing of the space “%(space)s” can be searched in this state.")
    return trace.lost("space", words % {"space": node.space.name}, _("Choose another state."))


def _state(trace: Trace) -> bool:
    """Look whether the node is public in the state that is searched, whatever the filters."""
    bare = without_filters(trace.request)
    if passes(scope_in(bare, trace.found.moment, trace.user), trace.node):
        trace.passed("state", trace.node.get_status_display())
        return False
    if trace.found.moment is not None:
        words = _("It was not public in the state that is searched.")
        return trace.lost("state", words, _("Look into its versions for when it was."))
    node, now = trace.node, timezone.now()
    if node.status != NodeStatus.PUBLISHED:
        words = _("It is not published: its status is “%(status)s”.")
        advice = _("Publish it.")
        return trace.lost("state", words % {"status": node.get_status_display()}, advice)
    if node.valid_from is not None and node.valid_from > now:
        words = _("It becomes valid only on %(day)s.")
        day, advice = node.valid_from, _("Wait, or set another day from which it is valid.")
    elif node.valid_until is not None and node.valid_until <= now:
        words = _("It was valid until %(day)s.")
        day, advice = node.valid_until, _("Renew it, and set another day until which it is valid.")
    else:
        words = _("You may open it, but search does not give it to you.")
        return trace.lost("state", words, _("Ask for a role in its space."))
    shown = date_format(timezone.localtime(day), "DATETIME_FORMAT")
    return trace.lost("state", words % {"day": shown}, advice)


def _filters(trace: Trace) -> bool:
    """Look which filters alone leave the node out."""
    given = {name: getattr(trace.request, name) for name in FILTERS}
    given = {name: value for name, value in given.items() if value is not None}
    bare = without_filters(trace.request)
    moment = trace.found.moment
    guilty = [
        name
        for name, value in given.items()
        if not passes(scope_in(with_field(bare, name, value), moment, trace.user), trace.node)
    ]
    if not guilty:
        none = _("There is none.")
        trace.passed("filters", none if not given else _("It fits all of them."))
        return False
    facts = [
        f"{name} = {asked_value(given[name])} ({own_value(trace.node, name)})" for name in guilty
    ]
    trace.numbers["filters"] = guilty
    words = _("Left out by: %(filters)s.") % {"filters": "; ".join(facts)}
    return trace.lost("filters", words, _("Take that filter away, or change the node."))


def _operators(trace: Trace) -> bool:
    """Look which phrases, exclusions, titles and tags of the question leave the node out."""
    conditions = trace.request.conditions
    if conditions is None:
        trace.passed("operators", _("There is none."))
        return False
    bare = scope_in(without_filters(trace.request), trace.found.moment, trace.user)
    scope = only(bare, trace.node) if bare.space_ids else bare
    guilty = []
    for condition in conditions.every:
        alone = replace(conditions, every=(condition,))
        narrowed, _is_whole = _conditions.narrowed(scope, trace.found.moment, alone)
        if not passes(narrowed, trace.node):
            sign = "-" if condition.is_excluded else ""
            guilty.append(f"{sign}{condition.text} ({condition.place})")
    if not guilty:
        trace.passed("operators", _("It meets all of them."))
        return False
    trace.numbers["operators"] = guilty
    words = _("Left out by: %(operators)s.") % {"operators": "; ".join(guilty)}
    return trace.lost("operators", words, _("Take that out of the question."))


def _index(trace: Trace) -> bool:
    """Look whether the node has passages, and vectors of the generation that is searched."""
    node, found = trace.node, trace.found
    own = _own(trace)
    own_gaps = [each for each in found.gaps.values() if each.node == node.pk]
    trace.numbers |= {"passages": len(own) + len(own_gaps), "version": node.version}
    trace.numbers["indexed_version"] = node.indexed_version
    if own or own_gaps:
        words = ngettext("%(count)s passage", "%(count)s passages", len(own)) % {"count": len(own)}
        if found.moment is None and node.indexed_version != node.version:
            behind = _("of version %(old)s; version %(new)s is not indexed yet")
            words += " " + behind % {"old": node.indexed_version, "new": node.version}
        if found.vectors and all(each.similarity is None for each in own):
            words += "; " + _("without a vector in the generation that is searched")
            trace.numbers["has_vectors"] = False
        trace.passed("index", words)
        return False
    if node.indexed_version == node.version:
        words, advice = _("Its text has no passage: it is empty."), _("Write something in it.")
        return trace.lost("index", words, advice)
    jobs = IngestJob.objects.visible_to(trace.user).filter(nodes__contains=[node.pk])
    job = jobs.order_by("-created_at").first()
    if job is not None and job.status == JobStatus.FAILED:
        words = _("It is not indexed: its job failed (%(why)s).")
        why = job.error_message or job.error_code
        return trace.lost("index", words % {"why": why}, _("Mend that, and retry the job."))
    if job is not None and not job.has_ended:
        words = _("It is not indexed yet: its job is “%(status)s”, %(share)s %% done.")
        seen = {"status": job.get_status_display(), "share": round(100 * job.progress)}
        return trace.lost("index", words % seen, _("Wait for the job."))
    words = _("Version %(version)s is not indexed yet.") % {"version": node.version}
    return trace.lost("index", words, _("Wait a minute. If it stays so, look at the worker's log."))


def _legs_reached(trace: Trace) -> bool:
    """Look whether the node was among the candidates of a leg, or was led to."""
    found, node = trace.found, trace.node
    if any(unit.best.node == node.pk for unit in found.units):
        trace.passed("legs", _("It was one of them."))
        return False
    exact = _own(trace, with_ranks=found.scope_passages <= RANKED)
    last = last_of_legs(found)
    parts = [
        *vector_words(found, trace.numbers, exact, last),
        *keyword_words(found, trace.numbers, exact, last),
    ]
    trace.numbers["depth"] = found.depth
    if not found.is_exact and is_near(found, exact, last):
        parts.append(_("An exact scan would have it: the HNSW index passed it by."))
        advice = _("Narrow the search by a filter, or give the profile a greater depth.")
    else:
        advice = _(
            "Let the text say what is asked in the words of those who ask, or relate it to what is "
            "found; a greater depth of the profile takes more candidates."
        )
    return trace.lost("legs", " ".join(parts), advice)


def _own(trace: Trace, *, with_ranks: bool = False) -> list[Candidate]:
    """Return the node's passages with their signals, and their ranks among all where asked for."""
    scope, found = trace.found.scope, trace.found
    assert scope is not None
    if with_ranks:
        return _legs.ranks_of_nodes(scope, found.question, found.vectors, [trace.node.pk])
    own = only(scope, trace.node)
    return _legs.candidates_of_nodes(own, found.question, found.vectors, [trace.node.pk])


def _shown(trace: Trace) -> bool:
    """Look at the rank and score of a node that was ranked."""
    found, request = trace.found, trace.request
    rank, unit = next(
        (rank, unit) for rank, unit in enumerate(found.units, 1) if unit.best.node == trace.node.pk
    )
    trace.numbers |= {"rank": rank, "ranked": len(found.units), **_scores(unit)}
    score = f"{unit.score:.3f}"
    seen = {"score": score, "rank": rank, "all": len(found.units)}
    if request.min_score is not None and unit.score < request.min_score:
        words = _("Its score is %(score)s, below the least one that is wanted, %(least)s.")
        return trace.lost(
            "min_score",
            words % {**seen, "least": f"{request.min_score:.3f}"},
            _("Ask for a lower least score."),
        )
    trace.passed("min_score", score)
    if rank <= request.limit:
        words = _("It is shown at rank %(rank)s, with the score %(score)s.")
        trace.passed("limit", words % seen)
        return True
    last = found.units[request.limit - 1]
    trace.numbers["last_shown"] = {"node": str(last.best.node), **_scores(last)}
    words = _(
        "It ranks %(rank)s of %(all)s with the score %(score)s; %(limit)s are shown, the last with "
        "%(last)s. Its meaning gave %(similarity)s (the last: %(last_similarity)s), its words "
        "%(match)s (the last: %(last_match)s)."
    )
    numbers = {
        "limit": request.limit,
        "last": f"{last.score:.3f}",
        "similarity": f"{unit.similarity:.3f}",
        "last_similarity": f"{last.similarity:.3f}",
        "match": f"{unit.match:.3f}",
        "last_match": f"{last.match:.3f}",
    }
    advice = _(
        "Ask for more results; if it should be before others, label it here and keep the question "
        "as a golden one, so that profiles are tuned and changes measured with it."
    )
    return trace.lost("limit", words % {**seen, **numbers}, advice)


def _scores(unit: Unit) -> dict[str, float]:
    return {
        "score": round(unit.score, 6),
        "similarity": round(unit.similarity, 6),
        "match": round(unit.match, 6),
    }
