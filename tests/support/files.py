"""Small real files, made in memory: PDF, Word, Excel, PowerPoint and mail."""

import io
import zipfile
from collections.abc import Sequence
from email.message import EmailMessage
from typing import Any

PAGE_WIDTH, PAGE_HEIGHT = 595, 842


def make_pdf(
    pages: Sequence[Sequence[str]],
    *,
    title: str = "",
    header: str = "",
    footer: str = "",
    password: str = "",
) -> bytes:
    """A PDF with one page for each list of paragraphs, wrapped as a word processor would.

    A paragraph that begins with ``# `` is a heading in large bold type. ``{page}`` in header and
    footer is the page's number. With ``password`` the file cannot be opened without it.
    """
    from reportlab.lib.pdfencrypt import StandardEncryption
    from reportlab.lib.utils import simpleSplit
    from reportlab.pdfgen.canvas import Canvas

    buffer = io.BytesIO()
    encryption = StandardEncryption(password, canPrint=0) if password else None
    canvas = Canvas(buffer, pagesize=(PAGE_WIDTH, PAGE_HEIGHT), encrypt=encryption)
    if title:
        canvas.setTitle(title)
    for number, paragraphs in enumerate(pages, start=1):
        canvas.setFont("Helvetica", 8)
        canvas.drawString(70, PAGE_HEIGHT - 40, header.format(page=number))
        canvas.drawString(280, 30, footer.format(page=number))
        y = PAGE_HEIGHT - 90
        for paragraph in paragraphs:
            font, size = ("Helvetica-Bold", 16) if paragraph.startswith("# ") else ("Helvetica", 11)
            canvas.setFont(font, size)
            for line in simpleSplit(paragraph.removeprefix("# "), font, size, PAGE_WIDTH - 140):
                canvas.drawString(70, y, line)
                y -= size * 1.2
            y -= size * 0.8
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def make_lines_pdf(pages: Sequence[Sequence[str]]) -> bytes:
    """A PDF whose lines are broken exactly as given."""
    from reportlab.pdfgen.canvas import Canvas

    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=(PAGE_WIDTH, PAGE_HEIGHT))
    for lines in pages:
        canvas.setFont("Helvetica", 11)
        for index, line in enumerate(lines):
            canvas.drawString(70, PAGE_HEIGHT - 90 - 13 * index, line)
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def make_placed_pdf(pieces: Sequence[tuple[float, float, str]]) -> bytes:
    """A PDF of one page with each (x, y, text) printed at its place."""
    from reportlab.pdfgen.canvas import Canvas

    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=(PAGE_WIDTH, PAGE_HEIGHT))
    canvas.setFont("Helvetica", 11)
    for x, y, text in pieces:
        canvas.drawString(x, y, text)
    canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def make_scanned_pdf(pages: int = 1, *, text_pages: int = 0) -> bytes:
    """A PDF whose pages hold a picture each and no text, after ``text_pages`` with text."""
    from PIL import Image
    from reportlab.lib.utils import ImageReader
    from reportlab.pdfgen.canvas import Canvas

    buffer = io.BytesIO()
    canvas = Canvas(buffer)
    for number in range(text_pages):
        canvas.drawString(70, 700, f"Text of page {number + 1} goes here.")
        canvas.showPage()
    for _ in range(pages):
        canvas.drawImage(ImageReader(Image.new("RGB", (40, 40), "gray")), 70, 300, 400, 400)
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def make_picture(lines: Sequence[str], kind: str = "PNG", *, pages: int = 1) -> bytes:
    """A picture of lines of text, black on white; a TIFF may have many pages."""
    from PIL import Image, ImageDraw, ImageFont

    font = ImageFont.load_default(size=48)
    pictures = []
    for number in range(1, pages + 1):
        picture = Image.new("L", (1500, 120 + 90 * len(lines)), "white")
        draw = ImageDraw.Draw(picture)
        for index, line in enumerate(lines):
            draw.text((60, 60 + 90 * index), line.format(page=number), font=font, fill="black")
        pictures.append(picture)
    buffer = io.BytesIO()
    more = {"save_all": True, "append_images": pictures[1:]} if pages > 1 else {}
    pictures[0].save(buffer, kind, **more)
    return buffer.getvalue()


def make_picture_pdf(*pages: Sequence[str]) -> bytes:
    """A PDF of scanned pages: each is a picture of its lines."""
    from PIL import Image
    from reportlab.lib.utils import ImageReader
    from reportlab.pdfgen.canvas import Canvas

    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=(PAGE_WIDTH, PAGE_HEIGHT))
    for lines in pages:
        picture = Image.open(io.BytesIO(make_picture(lines)))
        height = 500 * picture.height / picture.width
        canvas.drawImage(ImageReader(picture), 40, 780 - height, 500, height)
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def make_mbox(*messages: bytes) -> bytes:
    """A mailbox file."""
    return b"".join(
        b"From ana@example.org Fri Nov 20 09:30:00 2026\n" + message.rstrip(b"\n") + b"\n\n"
        for message in messages
    )


def make_zip(members: dict[str, bytes | str]) -> bytes:
    """A zip file."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


_WORD = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
_TYPES = "http://schemas.openxmlformats.org/package/2006/content-types"
_RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_MAIN = "application/vnd.openxmlformats-officedocument.wordprocessingml"


def make_docx(
    blocks: Sequence[str | Sequence[Sequence[str]]],
    *,
    title: str = "",
    extra: dict[str, bytes | str] | None = None,
) -> bytes:
    """A Word document. A string is a paragraph (``# ``, ``## `` headings, ``- `` list items,
    ``**bold**`` as a whole), a list of rows a table. ``extra`` adds or replaces parts."""
    body = "".join(_word_block(block) for block in blocks)
    styles = "".join(
        f'<w:style w:type="paragraph" w:styleId="Heading{n}">'
        f'<w:name w:val="heading {n}"/></w:style>'
        for n in (1, 2, 3)
    )
    numbering = (
        '<w:abstractNum w:abstractNumId="0"><w:lvl w:ilvl="0"><w:numFmt w:val="bullet"/></w:lvl>'
        '</w:abstractNum><w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num>'
    )
    overrides = "".join(
        f'<Override PartName="/word/{name}.xml" ContentType="{_MAIN}.{kind}+xml"/>'
        for name, kind in (
            ("document", "document.main"), ("styles", "styles"), ("numbering", "numbering")
        )
    )  # fmt: skip
    members: dict[str, bytes | str] = {
        "[Content_Types].xml": f'<Types xmlns="{_TYPES}"><Default Extension="rels" ContentType='
        '"application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Default Extension="xml" ContentType="application/xml"/>{overrides}</Types>',
        "_rels/.rels": f'<Relationships xmlns="{_RELATIONS}"><Relationship Id="rId1" '
        f'Type="{_OFFICE}/officeDocument" Target="word/document.xml"/></Relationships>',
        "word/_rels/document.xml.rels": f'<Relationships xmlns="{_RELATIONS}">'
        f'<Relationship Id="rId1" Type="{_OFFICE}/styles" Target="styles.xml"/>'
        f'<Relationship Id="rId2" Type="{_OFFICE}/numbering" Target="numbering.xml"/>'
        "</Relationships>",
        "word/document.xml": f"<w:document {_WORD}><w:body>{body}</w:body></w:document>",
        "word/styles.xml": f"<w:styles {_WORD}>{styles}</w:styles>",
        "word/numbering.xml": f"<w:numbering {_WORD}>{numbering}</w:numbering>",
    }
    if title:
        members["docProps/core.xml"] = (
            '<cp:coreProperties xmlns:cp="http://schemas.openxmlformats.org/package/2006/metadata/'
            'core-properties" xmlns:dc="http://purl.org/dc/elements/1.1/">'
            f"<dc:title>{title}</dc:title><dc:creator>Ana</dc:creator></cp:coreProperties>"
        )
    return make_zip(members | (extra or {}))


def _word_block(block: str | Sequence[Sequence[str]]) -> str:
    from xml.sax.saxutils import escape

    if not isinstance(block, str):
        rows = "".join(
            "<w:tr>" + "".join(f"<w:tc>{_word_block(cell)}</w:tc>" for cell in row) + "</w:tr>"
            for row in block
        )
        return f"<w:tbl>{rows}</w:tbl>"
    properties, run = "", ""
    hashes = len(block) - len(block.lstrip("#"))
    if hashes:
        properties = f'<w:pPr><w:pStyle w:val="Heading{hashes}"/></w:pPr>'
    elif block.startswith("- "):
        number = '<w:numPr><w:ilvl w:val="0"/><w:numId w:val="1"/></w:numPr>'
        properties = f"<w:pPr>{number}</w:pPr>"
    elif block.startswith("**"):
        run = "<w:rPr><w:b/></w:rPr>"
    text = escape(block.strip("*").lstrip("#-").strip())
    return f'<w:p>{properties}<w:r>{run}<w:t xml:space="preserve">{text}</w:t></w:r></w:p>'


def make_xlsx(sheets: dict[str, Sequence[Sequence[Any]]], *, hidden: Sequence[str] = ()) -> bytes:
    """An Excel book; a sheet is its rows."""
    import openpyxl

    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(list(row))
        if name in hidden:
            sheet.sheet_state = "hidden"
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def make_pptx(slides: Sequence[tuple[str, Sequence[str]]], *, notes: str = "") -> bytes:
    """A presentation: a title and bullet points a slide; ``notes`` on the first."""
    from pptx import Presentation

    presentation = Presentation()
    for index, (title, points) in enumerate(slides):
        slide = presentation.slides.add_slide(presentation.slide_layouts[1])
        slide.shapes.title.text = title
        slide.placeholders[1].text = "\n".join(points)
        if notes and index == 0:
            slide.notes_slide.notes_text_frame.text = notes
    buffer = io.BytesIO()
    presentation.save(buffer)
    return buffer.getvalue()


def make_eml(
    subject: str, body: str, *, html: str = "", attachment: tuple[str, bytes] | None = None
) -> bytes:
    """A mail message from Ana to Bruno; ``html`` is its only body if ``body`` is empty."""
    message = EmailMessage()
    message["Subject"] = subject
    message["From"] = "Ana Lima <ana@example.org>"
    message["To"] = "bruno@example.org"
    message["Date"] = "Fri, 20 Nov 2026 09:30:00 -0300"
    if body:
        message.set_content(body)
    if html and body:
        message.add_alternative(html, subtype="html")
    elif html:
        message.set_content(html, subtype="html")
    if attachment:
        name, content = attachment
        message.add_attachment(content, maintype="application", subtype="pdf", filename=name)
    return message.as_bytes()
