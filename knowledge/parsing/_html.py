"""HTML to Markdown: what a reader of the page sees, without its furniture.

Nothing is fetched. Pictures become their descriptions; only absolute links stay links, since a
relative one leads nowhere from here. Elements that are hidden on the page are left out, so that
text nobody saw when approving a document cannot be in it.
"""

import re
from typing import TYPE_CHECKING, Any

from knowledge.parsing._faults import readable
from knowledge.parsing._html_tables import tables_regular

if TYPE_CHECKING:
    from bs4 import BeautifulSoup, Tag

_REMOVED = (
    "script", "style", "noscript", "template", "iframe", "object", "embed", "svg", "canvas",
    "audio", "video", "form", "button", "select", "textarea", "nav", "aside", "dialog", "title",
)  # fmt: skip
_HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0(?![.\d])", re.I)
_PREFORMATTED = frozenset({"pre", "code"})
_LINK = re.compile(r"(?:https?://|mailto:)", re.I)


def html_to_markdown(html: str | bytes) -> tuple[str, dict[str, Any]]:
    """The Markdown of a page, and ``title``, ``language``, ``description``, ``author`` if told.

    Bytes are decoded by their declared encoding. Raises ``UnreadableDocument``. About three
    seconds a megabyte.
    """
    from bs4 import BeautifulSoup

    with readable():
        soup = BeautifulSoup(html, "lxml")
        info = _page_info(soup)
        _strip(soup)
        tables_regular(soup)
        return _converter().convert_soup(_main_part(soup)), info


def _page_info(soup: "BeautifulSoup") -> dict[str, Any]:
    info: dict[str, Any] = {}
    if soup.title is not None:
        info["title"] = " ".join(soup.title.get_text().split())
    root = soup.find("html")
    if root is not None and root.get("lang"):
        info["language"] = str(root.get("lang"))
    for name in ("description", "author"):
        tag = soup.find("meta", attrs={"name": name})
        if tag is not None and tag.get("content"):
            info[name] = " ".join(str(tag.get("content")).split())
    return {key: value for key, value in info.items() if value}


def _strip(soup: "BeautifulSoup") -> None:
    from bs4.element import PreformattedString

    for special in soup.find_all(string=lambda text: isinstance(text, PreformattedString)):
        special.extract()  # comments, doctypes, processing instructions
    for tag in soup.find_all(_is_furniture):
        if not tag.decomposed:
            tag.decompose()
    for text in soup.find_all(string=True):
        if not any(parent.name in _PREFORMATTED for parent in text.parents):
            flat = re.sub(r"\s+", " ", text)
            if flat != text:
                text.replace_with(flat)


def _is_furniture(tag: "Tag") -> bool:
    if tag.name in _REMOVED or tag.has_attr("hidden") or tag.get("aria-hidden") == "true":
        return True
    if _HIDDEN.search(str(tag.get("style", ""))):
        return True
    if tag.name in ("header", "footer"):
        return tag.find("h1") is None and tag.find_parent(["article", "main"]) is None
    return False


def _main_part(soup: "BeautifulSoup") -> "Tag":
    """The page's main element, if it holds most of the text."""
    body = soup.body or soup
    whole = len(body.get_text())
    for main in (soup.find("main"), soup.find(None, {"role": "main"}), soup.find("article")):
        if main is not None and len(main.get_text()) > whole / 2:
            return main
    return body


def _converter() -> Any:
    import markdownify

    base: Any = markdownify.MarkdownConverter  # finds its methods by name, unknown to its types

    class Converter(base):  # type: ignore[misc]
        """Pictures as text, absolute links only, table cells with their pipes escaped."""

        def convert_img(self, el: "Tag", _text: str, *_args: object, **_kwargs: object) -> str:
            return " ".join(str(el.get("alt") or "").split())

        def convert_a(self, el: "Tag", text: str, *args: object, **kwargs: object) -> str:
            if not _LINK.match(str(el.get("href") or "")):
                return text
            converted: str = super().convert_a(el, text, *args, **kwargs)
            return converted

        def convert_td(self, el: "Tag", text: str, *args: object, **kwargs: object) -> str:
            converted: str = super().convert_td(el, text.replace("|", "\\|"), *args, **kwargs)
            return converted

        def convert_th(self, el: "Tag", text: str, *args: object, **kwargs: object) -> str:
            converted: str = super().convert_th(el, text.replace("|", "\\|"), *args, **kwargs)
            return converted

    return Converter(
        heading_style=markdownify.ATX,
        bullets="-",
        escape_asterisks=False,  # a sentence must read in the Markdown as it does on the page
        escape_underscores=False,
        table_infer_header=True,
    )
