"""One synthesis from the topic to cited sections."""

from __future__ import annotations

import time
import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext as _

from knowledge import metrics
from knowledge.analysis import base_language
from knowledge.choices import RelationStatus
from knowledge.languages import detect_language
from knowledge.models import Node, Relation
from knowledge.querysets import Reader
from knowledge.retrieval import retrieve_passages
from knowledge.stemming import OTHER
from knowledge.synthesis.choosing import aspects_of, chosen_of
from knowledge.synthesis.disagreeing import disagreements_of
from knowledge.synthesis.naming import headings_of
from knowledge.synthesis.types import (
    Disagreement,
    Link,
    Section,
    Sentence,
    Source,
    Synthesis,
    citation_of,
    numbered,
)
from knowledge.synthesis.units import Quotables, quotables_of
from knowledge.synthesis.writing import model_writes
from knowledge.types import RetrievedPassage
from project.http.errors import Invalid
from project.inference.language_models import NOT_CONFIGURED, ModelInterrupted, ModelUnavailable

MOST_TOPIC = 500
MOST_NODES, NODES = 30, 10
PASSAGES_OF_NODE = 4
PASSAGES = 60
FAINT = 0.35
"""Share of the best score, below which a passage is not looked at."""
MOST_RELATIONS = 200


@dataclass(frozen=True, slots=True)
class _Ground:
    """What a topic is written from."""

    topic: str
    language: str
    passages: list[RetrievedPassage]
    degraded: list[str]
    space: uuid.UUID | None


def synthesise(
    topic: str,
    *,
    user: Reader,
    spaces: Sequence[uuid.UUID] | None = None,
    limit: int = NODES,
    by_model: bool = True,
) -> Synthesis:
    """Return a cited summary of a topic over at most `limit` nodes that a reader may read.

    With `by_model` a language model writes it, if one is set up and answers; otherwise it is quoted
    from the sources. Raises Invalid.
    """
    began = time.perf_counter()
    topic = " ".join(topic.split())
    if not topic:
        raise Invalid(_("Say what to summarise."), field="topic")
    if len(topic) > MOST_TOPIC:
        message = _("A topic has at most %(count)s characters.") % {"count": MOST_TOPIC}
        raise Invalid(message, field="topic")
    ground = _ground_of(topic, user, spaces, limit)
    made = _quoted(ground, user)
    if by_model and made.is_found:
        made = written(made, user=user)
    metrics.synthesis_seconds.labels(made.method).observe(time.perf_counter() - began)
    return replace(made, took_ms=round((time.perf_counter() - began) * 1000))


def written(made: Synthesis, *, user: Reader) -> Synthesis:
    """Return a summary in the words of a language model; the same one, with a notice, if none."""
    spaces = {each.space for each in made.sources}
    try:
        found = model_writes(
            made.topic,
            made.passages,
            language=made.language,
            user_id=user.pk,
            space_id=next(iter(spaces)) if len(spaces) == 1 else None,
        )
    except ModelUnavailable as error:
        if error.reason == NOT_CONFIGURED:
            return made
        notice = _("%(reason)s This summary is quoted from the sources instead.")
        return replace(made, notice=notice % {"reason": error.message})
    except ModelInterrupted:
        notice = _("The language model broke off. This summary is quoted from the sources instead.")
        return replace(made, notice=notice)
    if not found.sections:
        notice = _(
            "What the language model wrote is not borne out by the sources. This summary is quoted"
            " from them instead."
        )
        return replace(made, notice=notice, left_out=found.left_out)
    whole = replace(made, method="model", model=found.model, left_out=found.left_out)
    return _whole(whole, found.sections, made.disagreements, user)


def _ground_of(topic: str, user: Reader, spaces: Sequence[uuid.UUID] | None, limit: int) -> _Ground:
    """Find passages: the best of at most `limit` nodes, in the order of their scores."""
    default = base_language(getattr(user, "language", "") or settings.LANGUAGE_CODE)
    language = detect_language(topic, default=default)
    if language == OTHER:
        language = default
    degraded: list[str] = []
    found = retrieve_passages(
        topic, user=user, spaces=spaces, limit=PASSAGES, language=language, degraded=degraded
    )
    least = FAINT * found[0].score if found else 0.0
    held: dict[uuid.UUID, int] = defaultdict(int)
    kept: list[RetrievedPassage] = []
    for each in found:
        is_new = each.node not in held
        if each.score < least or (is_new and len(held) >= limit):
            continue
        if held[each.node] < PASSAGES_OF_NODE:
            held[each.node] += 1
            kept.append(each)
    nodes = Node.objects.filter(pk__in=[kept[0].node] if kept else [])
    space = nodes.values_list("space_id", flat=True).first()
    return _Ground(topic, language, kept, degraded, space)


def _quoted(ground: _Ground, user: Reader) -> Synthesis:
    made = Synthesis(ground.topic, ground.language, "extractive", degraded=tuple(ground.degraded))
    quotables = quotables_of(
        ground.topic,
        ground.passages,
        language=ground.language,
        space_id=ground.space,
        user_id=user.pk,
    )
    if not quotables.rows:
        with translation.override(_spoken(ground.language)):
            notice = _("Nothing was found about “%(topic)s” in what you may read.")
            return replace(made, notice=notice % {"topic": ground.topic})
    aspects = aspects_of(quotables)
    nodes = [each.node for each in ground.passages]
    chosen = chosen_of(quotables, aspects, nodes)
    sections = _sections(ground, quotables, aspects, chosen)
    telling = {each.passage for each in quotables.rows}
    clashes = disagreements_of(ground.passages, telling, ground.space)
    used = [passage for number, passage in enumerate(ground.passages) if number in telling]
    return _whole(replace(made, passages=tuple(used)), sections, clashes, user)


def _sections(
    ground: _Ground,
    quotables: Quotables,
    aspects: dict[int, int],
    chosen: Sequence[int],
) -> list[Section]:
    """Return the chosen sentences by aspect, the telling ones first, each as its source reads."""
    passages, shares = ground.passages, defaultdict[int, float](float)
    for row in quotables.rows:
        shares[row.passage] = max(shares[row.passage], row.score / quotables.rows[0].score)
    used = {quotables.rows[number].passage for number in chosen}
    headings = headings_of(
        ground.topic, passages, {p: a for p, a in aspects.items() if p in used}, shares
    )
    by_aspect: dict[int, list[int]] = defaultdict(list)
    for number in chosen:
        by_aspect[aspects[quotables.rows[number].passage]].append(number)
    sections = []
    for aspect, numbers in sorted(by_aspect.items(), key=lambda item: min(item[1])):
        order = list(dict.fromkeys(quotables.rows[number].passage for number in sorted(numbers)))
        numbers.sort(
            key=lambda each: (
                order.index(quotables.rows[each].passage),
                quotables.rows[each].unit.start,
            )
        )
        sentences = []
        for number in numbers:
            row = quotables.rows[number]
            citation = citation_of(passages[row.passage], row.unit.start, row.unit.end)
            sentences.append(Sentence(row.unit.text, (citation,), "quoted", row.unit.kind))
        sections.append(Section(headings[aspect], tuple(sentences)))
    return sections


def _whole(
    made: Synthesis,
    sections: Sequence[Section],
    disagreements: Sequence[Disagreement],
    user: Reader,
) -> Synthesis:
    """Number the citations, and add the sources with what relates them."""
    shown, clashes, order = numbered(sections, disagreements)
    made = replace(made, sections=shown, disagreements=clashes)
    spaces = dict(Node.objects.visible_to(user).filter(pk__in=order).values_list("pk", "space_id"))
    held = {each.node: each for each in made.passages}
    sources = tuple(
        Source(
            number,
            node,
            spaces[node],
            held[node].version,
            held[node].title,
            held[node].language,
            f"/knowledge/nodes/{node}/?version={held[node].version}",
        )
        for number, node in enumerate(order, start=1)
        if node in spaces
    )
    rows = Relation.objects.visible_to(user).filter(
        source__in=order, target__in=order, status=RelationStatus.CONFIRMED
    )
    names = ("pk", "source_id", "target_id", "kind", "weight")
    relations = rows.order_by("-weight", "kind", "pk").values_list(*names)[:MOST_RELATIONS]
    return replace(made, sources=sources, relations=tuple(Link(*row) for row in relations))


def _spoken(language: str) -> str:
    """Return the language of the product's own words that is nearest."""
    return "pt-br" if base_language(language) == "pt" else "en"
