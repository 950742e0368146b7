"""``[[wiki links]]`` in Markdown: the links between nodes that authors write by hand.

Found by the same parser that renders them, so that what is shown as a link is one, and what
stands in code is not.
"""

from dataclasses import dataclass

from project.markdown import WIKI_LINK, source_spans


@dataclass(frozen=True, slots=True)
class WikiLink:
    """``markdown[start:end]`` is the link; ``text`` is what a reader sees."""

    title: str
    heading: str | None
    text: str
    start: int
    end: int


def find_wiki_links(markdown: str) -> list[WikiLink]:
    """The wiki links of a text, in order of their place, repetitions included."""
    if "[[" not in markdown:
        return []
    return sorted(
        (
            WikiLink(token.meta["title"], token.meta["heading"], token.content, start, end)
            for token, start, end in source_spans(markdown, "wiki_link")
        ),
        key=lambda link: link.start,
    )


def linked_titles(markdown: str) -> list[str]:
    """Each title that ``markdown`` links to, once, in order of first mention."""
    return list(dict.fromkeys(link.title for link in find_wiki_links(markdown)))


def replace_wiki_title(markdown: str, old: str, new: str) -> str:
    """``markdown`` with every link to the title ``old`` leading to ``new``; code stays.

    Titles are compared without regard to case. A link that showed its title shows the new one.
    """
    parts: list[str] = []
    at = 0
    for link in find_wiki_links(markdown):
        if link.title.casefold() != old.casefold():
            continue
        match = WIKI_LINK.fullmatch(markdown, link.start, link.end)
        assert match is not None
        parts += [markdown[at : match.start("title")], new]
        at = match.start("title") + len(match["title"].rstrip("\\"))  # "\|" inside a table
    return "".join([*parts, markdown[at:]])
