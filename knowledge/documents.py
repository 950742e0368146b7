"""From the file of a source to the nodes that it becomes, without storing them."""

import math
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path, PurePath
from typing import cast

from django.conf import settings
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from knowledge.choices import NodeStatus
from knowledge.job_files import JobFolder
from knowledge.models import IngestJob, Node, Relation, Source
from knowledge.node_fields import fields_set
from knowledge.ocr import ocr_for
from knowledge.parsing import Limits, ParsedDocument, Place
from knowledge.parsing.apart import Apart, ParseBounds
from knowledge.parts import Part, anchors_within, divide
from knowledge.versions import Anchor

KIND = "document"
PART_OF = "part_of"
MAX_TITLE = 300
MOST_UNREAD = 100  # of a container's documents, named in its overview
_PAGES = "pages"

Progress = Callable[[int, int], None]


def file_reading(path: Path, filename: str, content_type: str, language: str) -> Apart:
    """Return the reading of a file in a process of its own, under the operator's limits.

    `language` is that of the text, as far as it is known; what is told is in the active one.
    """
    return Apart(
        path,
        filename=filename,
        content_type=content_type or None,
        language=get_language() or "en",
        limits=Limits(input_bytes=settings.ACERVO_MAX_UPLOAD_BYTES),
        bounds=ParseBounds(
            memory=settings.ACERVO_PARSE_MEMORY_BYTES,
            page_seconds=settings.ACERVO_PARSE_PAGE_SECONDS,
        ),
        ocr=ocr_for(language),
    )


def documents_read(
    source: Source, folder: JobFolder, progress: Progress, check: Callable[[], None]
) -> list[ParsedDocument]:
    """Return the documents in a source's file, keeping each page in `folder` as it is read.

    `progress` gets the number of pages read and of all, which is a guess for an archive; `check`
    is called a few times a second and may raise. Raises ParsingError and OSError.
    """
    done, last, is_whole = 0, None, False
    for record in folder.records(_PAGES):
        if "end" in record:
            is_whole = True
        else:
            done += 1
            is_over = "error" in record["info"]
            last = Place(record.get("entry", ""), record["index"], is_over)
    language = source.language or source.space.language
    file = Path(source.file.path)
    with file_reading(file, source.filename, source.content_type, language) as reading:
        if not is_whole:
            for page in reading.pages(after=last, waiting=check):
                folder.append(_PAGES, page.to_json())
                done += 1
                progress(done, max(done, math.ceil(done / (page.share or 1.0) - 1e-6)))
            folder.append(_PAGES, {"end": True})
        return reading.documents(folder.path(_PAGES), waiting=check)


def nodes_planned(job: IngestJob, source: Source, documents: list[ParsedDocument]) -> list[Node]:
    """Return the unsaved nodes of a file's documents; the first is that of the whole.

    A long document is an overview and its parts; an archive or mailbox an overview and a node for
    each document in it. Their ids follow from the job's, so that planning again gives the same
    nodes.
    """
    whole, *others = documents
    title = _title(source, whole)
    if not others:
        return _document_nodes(job, source, whole, title, 0)
    titles = _entry_titles(others, title)
    nodes: list[Node] = []
    for document, name in zip(others, titles, strict=True):
        made = _document_nodes(job, source, document, name, 1 + len(nodes))
        nodes += made[1:] if len(made) > 1 else made  # the overview is that of the whole file
    if whole.metadata.get("format") != "eml":
        text = _contents(title, nodes, whole.warnings)
        own = _node(job, source, whole, 0, title, text, [])
        own.language = source.language or _usual([node.language for node in nodes])
        return [own, *nodes]
    links = "\n".join(f"- [[{node.title}]]" for node in nodes)
    text = f"{whole.markdown.rstrip()}\n\n{links}\n"
    anchors = [cast("Anchor", asdict(span)) for span in whole.pages]
    return [_node(job, source, whole, 0, title, text, anchors), *nodes]


def _document_nodes(
    job: IngestJob, source: Source, document: ParsedDocument, title: str, first: int
) -> list[Node]:
    """Return the nodes of one document, numbered from `first`: one, or an overview and parts."""
    anchors = [cast("Anchor", asdict(span)) for span in document.pages]
    parts = divide(document.markdown, anchors)
    if len(parts) == 1:
        return [_node(job, source, document, first, title, document.markdown, anchors)]
    names = _part_titles(title, parts)
    overview = f"# {title}\n\n" + "\n".join(f"- [[{name}]]" for name in names) + "\n"
    nodes = [_node(job, source, document, first, title, overview, [])]
    for number, (name, part) in enumerate(zip(names, parts, strict=True), first + 1):
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


def _entry_titles(documents: list[ParsedDocument], whole: str) -> list[str]:
    """Return a title for each document of a container, all different and fit for wiki links.

    They do not depend on how many there are: a later edition of the file keeps them.
    """
    names = [_linkable(" ".join(document.title.split()))[:200] for document in documents]
    counts = Counter([*names, _linkable(whole)])
    titles: list[str] = []
    for document, name in zip(documents, names, strict=True):
        if counts[name] > 1:
            is_mail = document.metadata.get("format") == "eml"
            told = document.metadata.get("date") if is_mail else document.entry
            name = f"{name} ({_linkable(str(told or document.entry))[-90:]})"
        number = 2
        free = name
        while free in titles:
            free, number = f"{name} ({number})", number + 1
        titles.append(free)
    return titles


def _contents(title: str, nodes: list[Node], unread: list[str]) -> str:
    """Return the text of the node of an archive: what is in it, and what could not be read."""
    lines = [f"# {title}", "", *(f"- [[{node.title}]]" for node in nodes)]
    if unread:
        lines += ["", "## " + _("Not read"), "", *(f"- {each}" for each in unread[:MOST_UNREAD])]
        if len(unread) > MOST_UNREAD:
            more = _("and %(count)s more") % {"count": len(unread) - MOST_UNREAD}
            lines.append(f"- {more}")
    return "\n".join(lines) + "\n"


def _usual(languages: list[str]) -> str:
    return Counter(languages).most_common(1)[0][0]


def _linkable(text: str) -> str:
    """Return a text with nothing in it that ends a wiki link."""
    return text.translate(str.maketrans("[]|#", "()/ "))


def _part_titles(title: str, parts: list[Part]) -> list[str]:
    """Return a title for each part, all different, with nothing in it that ends a wiki link."""
    names: list[str] = []
    for number, part in enumerate(parts, 1):
        label = " ".join(_linkable(part.label).split())
        base = _linkable(title)
        ending = f" ({number}/{len(parts)})" + (f" · {label}" if label else "")
        names.append(f"{base[: MAX_TITLE - min(len(ending), 150)]}{ending[:150]}")
    return names
