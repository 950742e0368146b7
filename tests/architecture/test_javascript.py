"""The chat page stays small: there is no build that could shrink its scripts."""

from pathlib import Path

from django.conf import settings

CHAT = Path(settings.BASE_DIR) / "project/static/acervo/js/chat"
MOST = 60_000
"""Bytes of all scripts of the chat page, as they are written."""


def test_the_scripts_of_the_chat_page_stay_small() -> None:
    sizes = {each.name: each.stat().st_size for each in CHAT.rglob("*.js")}
    assert "main.js" in sizes
    assert sum(sizes.values()) < MOST, sorted(sizes.items(), key=lambda item: -item[1])
