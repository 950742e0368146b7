"""The last gate: an allow-list over the finished HTML.

The parser already escapes raw HTML and the link rules already chose every address; this list
makes sure that a mistake in either cannot reach a browser.
"""

import re

import nh3

from project.markdown._links import is_same_origin, link_kind

_TAGS = {
    "a", "blockquote", "br", "code", "dd", "del", "dl", "dt", "em", "h1", "h2", "h3", "h4", "h5",
    "h6", "hr", "img", "input", "li", "mark", "ol", "p", "pre", "s", "section", "span", "strong",
    "sub", "sup", "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip
_ATTRIBUTES = {
    "*": {"class", "id"},
    "a": {"href", "title", "target", "rel", "data-citation"},
    "img": {"src", "alt", "title", "loading"},
    "input": {"type", "checked", "disabled"},
    "ol": {"start"},
}
_CLASS = re.compile(
    r"language-[\w+#.-]{1,40}|code-[a-z]|align-(?:left|center|right)|passage|citation"
    r"|wiki-link(?:-missing)?|footnotes(?:-list|-sep)?|footnote-(?:ref|item|backref)"
    r"|contains-task-list|task-list-item(?:-checkbox)?"
)
_ID = re.compile(r"passage|h-[\w-]{1,80}|fn(?:ref)?[\w:-]{1,80}")


def _filter(tag: str, attribute: str, value: str) -> str | None:
    """The value an attribute may keep, or None to drop the attribute."""
    match attribute:
        case "class":
            names = [name for name in value.split() if _CLASS.fullmatch(name)]
            return " ".join(names) or None
        case "id":
            return value if _ID.fullmatch(value) else None
        case "href":
            return value if link_kind(value) else None
        case "src":
            return value if is_same_origin(value) else None
        case "type":
            return "checkbox" if tag == "input" else None
        case _:
            return value


_CLEANER = nh3.Cleaner(
    tags=_TAGS,
    attributes=_ATTRIBUTES,
    attribute_filter=_filter,
    clean_content_tags={"script", "style"},
    url_schemes={"http", "https", "mailto", "tel"},
    link_rel=None,  # set by the link rules, for external links only
)


def sanitise(html: str) -> str:
    """``html`` with nothing in it that runs, frames, styles or loads from elsewhere."""
    return _CLEANER.clean(html)
