"""The pages that would otherwise go stale in silence."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
READER = re.compile(r"env_(?:str|int|bool|list|secret|path|limit)\(\s*\"([A-Z_]+)\"")
DIRECT = re.compile(r"environ(?:\.get)?[\[(]\"(ACERVO_[A-Z_]+|DATABASE_URL|REDIS_URL)\"")


def test_every_variable_is_documented_and_every_documented_one_is_read() -> None:
    read = set()
    for folder in ("project", "knowledge", "memory", "chat", "monitoring", "tests"):
        for path in (ROOT / folder).rglob("*.py"):
            text = path.read_text(encoding="utf-8")
            read |= set(READER.findall(text)) | set(DIRECT.findall(text))
    page = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"^\| `([A-Z_]+)` \|", page, re.MULTILINE))
    assert {name for name in read if name != "PYTHONPATH"} == documented


def test_the_schema_says_what_may_be_blank() -> None:
    """An evaluation's result has no outcome before it is measured, and the schema must say so."""
    text = (ROOT / "docs" / "openapi.yaml").read_text(encoding="utf-8")
    assert re.search(
        r"^        outcome:\n          oneOf:\n"
        r"          - \$ref: '#/components/schemas/ResultOutcomeEnum'\n"
        r"          - \$ref: '#/components/schemas/BlankEnum'\n",
        text,
        re.MULTILINE,
    )
