"""How well search finds on a test set: a space for a while, and every question asked in it.

The space is filled as a bulk job fills one and searched as `POST /search/` searches, by each leg
alone and by all together. Then it is removed, also when the work is broken off; what a killed
process left, the next one removes.
"""

import statistics
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

import structlog
from django.db import (
    IntegrityError,
    OperationalError,
    close_old_connections,
    connection,
    transaction,
)

from knowledge.choices import NodeStatus, SearchMode, Visibility
from knowledge.corpora import Corpus
from knowledge.holders import holder_is_dead, holder_name
from knowledge.indexing import prepare_nodes, swap
from knowledge.measures import linear_ndcg_at
from knowledge.models import Chunk, Node, Space
from knowledge.retrieval import search
from knowledge.types import SearchRequest
from project.accounts.models import User
from project.inference.vector_cache import subjects_forget

K = 10
DEEP = 100
BATCH = 250
TRIES = 20  # to remove nodes that workers lock in another order, or write rows of
PREFIX = "throwaway-evaluation-"
LEGS = (SearchMode.KEYWORD, SearchMode.VECTOR, SearchMode.HYBRID)
RECIPROCAL = "reciprocal_ranks"
RRF_K = 60
NO_TITLE = "-"  # a node has a title; this one has no word

Progress = Callable[[str, int, int], None]

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Scores:
    """Means over the questions of a set, 0 to 1; nDCG with linear gain."""

    ndcg_10: float
    recall_10: float
    recall_100: float
    mrr_10: float


@dataclass(frozen=True, slots=True)
class CorpusReport:
    """What a set came to. `seconds` is the median time of a search by all legs for ten results.

    `per_question` has nDCG@10 of each leg by question, `degraded` what could not take part.
    """

    name: str
    documents: int
    passages: int
    questions: int
    missing: int
    scores: dict[str, Scores]
    seconds: float
    index_seconds: float
    degraded: list[str] = field(default_factory=list)
    per_question: dict[str, dict[str, float]] = field(default_factory=dict)

    def plain(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class FilledSpace:
    """A space with the documents of a set: which node stands for which document."""

    space: Space
    documents: dict[uuid.UUID, str]
    passages: int
    seconds: float


def reader() -> User:
    """Return a reader who sees the space; no row, no sign-in."""
    return User(username="evaluation", is_active=True, is_superuser=True)


@contextmanager
def filled_space(
    corpus: Corpus, *, language: str = "en", progress: Progress | None = None
) -> Iterator[FilledSpace]:
    """Yield a space of the set's documents, and remove it whatever happens."""
    leftovers_remove()
    name = holder_name()
    space = Space.objects.create(
        name=f"{PREFIX}{corpus.name}"[:120],
        slug=f"{PREFIX}{uuid.uuid4().hex}",
        description=name,
        language=language,
        visibility=Visibility.MEMBERS,
    )
    try:
        yield _filled(space, corpus, progress)
    finally:
        if not connection.in_atomic_block:
            close_old_connections()  # one that was broken off in the middle is of no use
        space_remove(space)


def leftovers_remove() -> int:
    """Remove the spaces of processes that were killed; return how many."""
    rows = Space.objects.filter(slug__startswith=PREFIX)
    dead = [space for space in rows if holder_is_dead(space.description)]
    for space in dead:
        log.info("throwaway_space_removed", space=space.slug)
        space_remove(space)
    return len(dead)


def space_remove(space: Space) -> None:
    """Remove a throwaway space with all that is in it. Raises ValueError for any other."""
    if not space.slug.startswith(PREFIX):
        message = "Only a throwaway space is removed like this."
        raise ValueError(message)
    lost = 0
    while ids := list(Node.objects.filter(space=space).values_list("pk", flat=True)[:BATCH]):
        try:
            with transaction.atomic():
                _nodes_remove(ids)
        except (OperationalError, IntegrityError):  # a worker looks at the same nodes
            lost += 1
            if lost > TRIES:
                raise
            time.sleep(0.2 * lost)
            continue
        subjects_forget(ids)
    space.delete()


def corpus_evaluate(
    corpus: Corpus,
    *,
    language: str = "en",
    profile: uuid.UUID | None = None,
    progress: Progress | None = None,
) -> CorpusReport:
    """Fill a space with a set and ask all of its questions by every leg."""
    with filled_space(corpus, language=language, progress=progress) as filled:
        return asked(corpus, filled, profile=profile, progress=progress)


def asked(
    corpus: Corpus,
    filled: FilledSpace,
    *,
    profile: uuid.UUID | None = None,
    progress: Progress | None = None,
) -> CorpusReport:
    """Ask all questions of a set in the space that has its documents."""
    rows: dict[str, list[Scores]] = {str(leg): [] for leg in (*LEGS, RECIPROCAL)}
    per_question: dict[str, dict[str, float]] = {}
    degraded: list[str] = []
    seconds = []
    user = reader()

    def found(text: str, leg: SearchMode, limit: int) -> list[str]:
        request = SearchRequest(
            query=text, limit=limit, spaces=(filled.space.pk,), mode=leg, profile=profile
        )
        answer = search(request, user=user)
        degraded.extend(each for each in answer.degraded if each not in degraded)
        return [filled.documents[result.node] for result in answer.results]

    for number, (question, text) in enumerate(corpus.questions.items(), 1):
        grades = corpus.grades[question]
        deep = {leg: found(text, leg, DEEP) for leg in LEGS}
        started = time.perf_counter()
        first = found(text, SearchMode.HYBRID, K)
        seconds.append(time.perf_counter() - started)
        for leg in LEGS:
            ten = first if leg == SearchMode.HYBRID else deep[leg]
            rows[leg].append(scores_of(ten, deep[leg], grades))
        fused = reciprocal_ranks(deep[SearchMode.KEYWORD], deep[SearchMode.VECTOR])
        rows[RECIPROCAL].append(scores_of(fused, fused, grades))
        per_question[question] = {leg: each[-1].ndcg_10 for leg, each in rows.items()}
        if progress:
            progress("ask", number, len(corpus.questions))
    return CorpusReport(
        name=corpus.name,
        documents=len(corpus.documents),
        passages=filled.passages,
        questions=len(corpus.questions),
        missing=corpus.missing,
        scores={leg: mean_scores(each) for leg, each in rows.items()},
        seconds=statistics.median(seconds),
        index_seconds=filled.seconds,
        degraded=degraded,
        per_question=per_question,
    )


def scores_of(first: Sequence[str], deep: Sequence[str], grades: dict[str, float]) -> Scores:
    """Return the measures of one question, of its first results and of a hundred.

    They are two lists as a search for ten and one for a hundred may differ a little.
    """
    return Scores(
        ndcg_10=linear_ndcg_at(first, grades, K),
        recall_10=len(set(first[:K]) & set(grades)) / len(grades),
        recall_100=len(set(deep[:DEEP]) & set(grades)) / len(grades),
        mrr_10=next((1 / rank for rank, each in enumerate(first[:K], 1) if each in grades), 0.0),
    )


def reciprocal_ranks(*lists: Sequence[str]) -> list[str]:
    """Fuse lists by the sum of 1 / (60 + rank): what search is compared with.

    Cormack, Clarke and Büttcher, "Reciprocal Rank Fusion outperforms Condorcet" (2009).
    """
    sums: dict[str, float] = {}
    for found in lists:
        for rank, each in enumerate(found, 1):
            sums[each] = sums.get(each, 0.0) + 1 / (RRF_K + rank)
    return sorted(sums, key=lambda each: -sums[each])


def mean_scores(rows: Sequence[Scores]) -> Scores:
    """Return the mean of each measure."""
    names = ("ndcg_10", "recall_10", "recall_100", "mrr_10")
    return Scores(**{name: statistics.fmean(getattr(row, name) for row in rows) for name in names})


def _nodes_remove(ids: list[uuid.UUID]) -> None:
    """Delete nodes that never had a version, and what refers to them, without any history."""
    every: list[Any] = Node._meta.get_fields(include_hidden=True)
    pointing = [each for each in every if each.one_to_many or each.one_to_one]
    referring = [each for each in pointing if each.field.db_constraint]
    # Checks that run meanwhile wait, and then find that there is no such node.
    list(Node.objects.select_for_update().filter(pk__in=ids).values_list("pk"))
    # Vectors refer to passages, too.
    for each in sorted(referring, key=lambda each: each.related_model is Chunk):
        rows = each.related_model._base_manager.filter(**{f"{each.field.name}__in": ids})
        rows._raw_delete(rows.db)
    nodes: Any = Node.objects.filter(pk__in=ids)
    nodes._raw_delete(nodes.db)


def _filled(space: Space, corpus: Corpus, progress: Progress | None) -> FilledSpace:
    started = time.perf_counter()
    documents: dict[uuid.UUID, str] = {}
    passages = 0
    for at in range(0, len(corpus.documents), BATCH):
        batch = corpus.documents[at : at + BATCH]
        nodes = [
            Node(
                space=space,
                title=document.title.strip()[:300] or NO_TITLE,
                content=document.text,
                language=space.language,
                status=NodeStatus.PUBLISHED,
                checksum="",
            )
            for document in batch
        ]
        Node.objects.bulk_create(nodes)
        documents |= {node.pk: each.id for node, each in zip(nodes, batch, strict=True)}
        prepared = prepare_nodes(nodes)
        swap(prepared)
        passages += prepared.passages
        if progress:
            progress("index", at + len(batch), len(corpus.documents))
    return FilledSpace(space, documents, passages, time.perf_counter() - started)
