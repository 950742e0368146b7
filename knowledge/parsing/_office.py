"""DOCX and PPTX. The archive has been checked (``_archives``) before these readers open it."""

import io
import zipfile
from collections.abc import Iterator
from typing import Any

from knowledge.parsing._faults import readable
from knowledge.parsing._html import html_to_markdown
from knowledge.parsing._speech import gettext as _
from knowledge.parsing._text import escape_block_start, table
from knowledge.parsing.pages import RawPage
from knowledge.parsing.types import Limits, UnreadableDocument

_CORE = "docProps/core.xml"
_CORE_FIELDS = {"title": "title", "creator": "author", "created": "created", "modified": "modified"}
_STYLES = """
p[style-name='Title'] => h1:fresh
p[style-name='Subtitle'] => p:fresh
p[style-name='Code'] => pre:separator('\\n')
r[style-name='Strong'] => strong
"""


def core_properties(data: bytes) -> dict[str, str]:
    """``title``, ``author``, ``created`` and ``modified`` of an office file, where filled in."""
    from defusedxml.ElementTree import fromstring

    with readable(), zipfile.ZipFile(io.BytesIO(data)) as archive:
        if _CORE not in archive.namelist():
            return {}
        root = fromstring(archive.read(_CORE))
    found: dict[str, str] = {}
    for element in root:
        name = _CORE_FIELDS.get(element.tag.rpartition("}")[2])
        if name and element.text and element.text.strip():
            found[name] = " ".join(element.text.split())
    return found


def read_docx(data: bytes, _limits: Limits) -> Iterator[RawPage]:
    """One page: headings, lists, tables, links and foot notes of a Word document."""
    import mammoth

    properties = core_properties(data)
    title = properties.pop("title", "")
    with readable():
        result = mammoth.convert_to_html(
            io.BytesIO(data),
            style_map=_STYLES,
            convert_image=mammoth.images.img_element(lambda _image: {}),
        )
    markdown, _info = html_to_markdown(result.value)
    info = {"title": title, "metadata": properties}
    yield RawPage(index=0, total=1, markdown=markdown, info=info)


def read_pptx(data: bytes, limits: Limits) -> Iterator[RawPage]:
    """One page a slide: its title as a heading, its text as a list, tables, speaker notes."""
    from pptx import Presentation
    from pptx.exc import PythonPptxError

    properties = core_properties(data)
    title = properties.pop("title", "")
    if title == "PowerPoint Presentation":
        title = ""
    with readable(PythonPptxError):
        slides = list(Presentation(io.BytesIO(data)).slides)
    if len(slides) > limits.pages:
        raise UnreadableDocument("too_many_pages", _("The presentation has too many slides."))
    for index, slide in enumerate(slides):
        with readable(PythonPptxError):
            markdown = _slide(slide, index + 1)
        yield RawPage(
            index=index,
            total=len(slides),
            number=index + 1,
            label=_("slide %(number)s") % {"number": index + 1},
            markdown=markdown,
            info={"title": title, "metadata": properties} if index == 0 else {},
        )


def _slide(slide: Any, number: int) -> str:
    title_shape = slide.shapes.title
    title = " ".join(title_shape.text_frame.text.split()) if title_shape is not None else ""
    heading = title or _("Slide %(number)s") % {"number": number}
    parts = [part for shape in slide.shapes for part in _shape(shape, title_shape)]
    if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
        notes = " ".join(slide.notes_slide.notes_text_frame.text.split())
        if notes:
            parts.append(_("Notes: %(text)s") % {"text": notes})
    if not parts and not title:
        return ""
    return "\n\n".join([f"## {heading}", *parts])


def _shape(shape: Any, title_shape: Any) -> Iterator[str]:
    if title_shape is not None and shape.shape_id == title_shape.shape_id:
        return
    if shape.shape_type is not None and shape.shape_type.name == "GROUP":
        for inner in shape.shapes:
            yield from _shape(inner, title_shape)
    elif getattr(shape, "has_table", False):
        yield table([[cell.text for cell in row.cells] for row in shape.table.rows])
    elif shape.has_text_frame:
        filled = [p for p in shape.text_frame.paragraphs if p.text.strip()]
        if len(filled) == 1:
            yield escape_block_start(" ".join(filled[0].text.split()))
        elif filled:
            yield "\n".join("  " * p.level + "- " + " ".join(p.text.split()) for p in filled)
