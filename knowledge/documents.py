"""From the file of a source to the nodes that it becomes, without storing them."""

import uuid
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path, PurePath
from typing import cast

from django.conf import settings
from django.utils.translation import gettext as _

from knowledge.choices import NodeStatus
from knowledge.job_files import JobFolder
from knowledge.models import IngestJob, Node, Relation, Source
from knowledge.node_fields import fields_set
from knowledge.parsing import Limits, ParsedDocument, RawPage, assemble, parse_pages
from knowledge.parts import Part, anchors_within, divide
from knowledge.versions import Anchor

KIND = "document"
PART_OF = "part_of"
MAX_TITLE = 300
_PAGES = "pages"

Progress = Callable[[float], None]


def document_read(source: Source, folder: JobFolder, progress: Progress) -> ParsedDocument:
    """Return the document in a source's file, keeping each page in `folder` as it is read.

    `progress` gets the share of pages read, 0 to 1. Raises ParsingError and OSError.
    """
    limits = Limits(input_bytes=settings.ACERVO_MAX_UPLOAD_BYTES)
    kept = [RawPage.from_json(record) for record in folder.records(_PAGES)]
    if not kept or len(kept) < kept[0].total:
        pages = parse_pages(
            Path(source.file.path),
            filename=source.filename,
            content_type=source.content_type,
            first=len(kept),
            limits=limits,
        )
        for page in pages:
            folder.append(_PAGES, page.to_json())
            kept.append(page)
            progress((page.index + 1) / page.total)
    return assemble(kept, filename=source.filename, limits=limits)


def nodes_planned(job: IngestJob, source: Source, document: ParsedDocument) -> list[Node]:
    """Return the unsaved nodes of a document: one, or an overview and its parts.

    Their ids follow from the job's, so that planning again gives the same nodes.
    """
    anchors = [cast("Anchor", asdict(span)) for span in document.pages]
    title = _title(source, document)
    parts = divide(document.markdown, anchors)
    if len(parts) == 1:
        return [_node(job, source, document, 0, title, document.markdown, anchors)]
    names = _part_titles(title, parts)
    overview = f"# {title}\n\n" + "\n".join(f"- [[{name}]]" for name in names) + "\n"
    nodes = [_node(job, source, document, 0, title, overview, [])]
    for number, (name, part) in enumerate(zip(names, parts, strict=True), 1):
        text = document.markdown[part.start : part.end]
        own = anchors_within(anchors, part)
        nodes.append(_node(job, source, document, number, name, text, own))
    return nodes


def part_relations(nodes: list[Node]) -> list[Relation]:
    """Return the unsaved relations from the parts of a document to its overview."""
    return [
        Relation(source=node, target=nodes[0], kind=PART_OF, created_by=node.owner)
        for node in nodes[1:]
    ]


def node_id(job: IngestJob, number: int) -> uuid.UUID:
    """Return the id of the `number`th node that a job makes: always the same."""
    return uuid.uuid5(job.pk, str(number))


def _node(
    job: IngestJob,
    source: Source,
    document: ParsedDocument,
    number: int,
    title: str,
    content: str,
    anchors: list[Anchor],
) -> Node:
    node = Node(
        id=node_id(job, number),
        space=job.space,
        owner=job.created_by,
        source=source,
        status=NodeStatus.IN_REVIEW,
        anchors=anchors,
    )
    fields_set(
        node,
        {
            "kind": KIND,
            "title": title,
            "content": content,
            "language": source.language or document.language,
            "tags": source.tags,
            "metadata": {**document.metadata, "filename": source.filename},
        },
    )
    return node


def _title(source: Source, document: ParsedDocument) -> str:
    title = source.title or document.title or PurePath(source.filename).stem
    return " ".join(title.split())[:MAX_TITLE] or _("Untitled document")


def _part_titles(title: str, parts: list[Part]) -> list[str]:
    """Return a title for each part, all different, with nothing in it that ends a wiki link."""
    names: list[str] = []
    for number, part in enumerate(parts, 1):
        label = " ".join(part.label.translate(str.maketrans("[]|#", "()/ ")).split())
        base = title.translate(str.maketrans("[]|#", "()/ "))
        ending = f" ({number}/{len(parts)})" + (f" · {label}" if label else "")
        names.append(f"{base[: MAX_TITLE - min(len(ending), 150)]}{ending[:150]}")
    return names
