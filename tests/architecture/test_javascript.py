"""The chat page stays small: there is no build that could shrink its scripts."""

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.template.loader import get_template

STATIC = Path(settings.BASE_DIR) / "project/static"
MOST = 60_000
"""Bytes of all scripts that the chat page loads, shared ones included, as they are written."""
MOST_EVER = 66_100
"""The same with those that are loaded once somebody needs them."""

ENTRY = re.compile(r"<script[^>]*\{% static '([^']+\.js)' %\}")
SCRIPT = re.compile(r"<script(?![^>]*(?:\ssrc=|application/json))[^>]*>(.*?)</script>", re.DOTALL)
IMPORT = re.compile(r"""(?:\bfrom|\bimport)\s*["']([^"']+)["']""")
IMPORT_LATER = re.compile(r"""\bimport\s*\(\s*["']([^"']+)["']""")


@pytest.mark.parametrize(("most", "later"), [(MOST, False), (MOST_EVER, True)])
def test_the_scripts_of_the_chat_page_stay_small(most: int, later: bool) -> None:
    sizes = {str(each.relative_to(STATIC)): each.stat().st_size for each in _loaded(later=later)}
    assert {"acervo/js/page.js", "acervo/js/http.js", "acervo/js/chat/answer.js"} <= set(sizes)
    assert ("acervo/js/chat/handoff.js" in sizes) == later
    assert sum(sizes.values()) < most, sorted(sizes.items(), key=lambda item: -item[1])


def test_no_template_of_the_chat_page_holds_a_script_that_is_not_counted() -> None:
    pages = [_source("base.html"), _source("chat/chat.html")]
    pages += [_source(name) for page in pages for name in _included(page)]
    assert len(pages) > 5
    assert [found for page in pages for found in SCRIPT.findall(page)] == []


def test_every_script_of_the_chat_is_one_that_its_page_loads() -> None:
    assert set((STATIC / "acervo/js/chat").rglob("*.js")) <= _loaded(later=True)


def _loaded(*, later: bool) -> set[Path]:
    """Return the page's own scripts and all that they import, also `later` if that is asked."""
    # The page's block takes the place of the base's: both name what every page loads.
    waiting = [STATIC / name for name in ENTRY.findall(_source("chat/chat.html"))]
    loaded: set[Path] = set()
    while waiting:
        script = waiting.pop().resolve()
        if script not in loaded:
            loaded.add(script)
            text = script.read_text()
            names = IMPORT.findall(text) + (IMPORT_LATER.findall(text) if later else [])
            waiting += [script.parent / name for name in names]
    return loaded


def _source(name: str) -> str:
    return Path(get_template(name).origin.name).read_text()  # type: ignore[attr-defined]


def _included(page: str) -> set[str]:
    return set(re.findall(r"""\{% include ["']([^"']+\.html)["']""", page))
