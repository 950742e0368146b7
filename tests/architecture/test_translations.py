"""Whoever reads Portuguese reads it everywhere: the catalogues are whole, compiled and used."""

import ast
import gettext
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.test import Client
from django.utils.translation.template import templatize

from knowledge import services
from knowledge.models import Space
from project.accounts.models import User
from tests.support.admin_client import signed_in

ROOT = Path(__file__).parents[2]
OWN = ROOT / "project/locale/pt_BR/LC_MESSAGES/django.po"
OF_PACKAGES = ROOT / "project/locale_packages/pt_BR/LC_MESSAGES/django.po"
CALLS = frozenset(
    {"_", "gettext", "gettext_lazy", "ngettext", "ngettext_lazy", "pgettext", "pgettext_lazy"}
)
_STRING = re.compile(r'^(msgctxt|msgid|msgid_plural|msgstr(?:\[\d\])?)? ?(".*")$')
_MARKED = re.compile(r"""\b(p?)(n?)gettext\(\s*(u?(?:"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'))""")
_PLACE = re.compile(r"%\(\w+\)[sd]|%[sd]|\{\w*\}")
_ENGLISH = re.compile(r">\s*([A-Z][^<>{}]*?)\s*<")


@dataclass(frozen=True, slots=True)
class Entry:
    """One message: its ids (singular, then plural), its translations, and whether it is a guess."""

    context: str
    ids: tuple[str, ...]
    texts: tuple[str, ...]
    is_fuzzy: bool

    @property
    def keys(self) -> list[object]:
        """The keys under which a compiled catalogue has the translations."""
        key = f"{self.context}\x04{self.ids[0]}" if self.context else self.ids[0]
        return [key] if len(self.ids) == 1 else [(key, n) for n in range(len(self.texts))]


def entries(path: Path) -> list[Entry]:
    """Read a .po file; the first entry, its header, is left out."""
    found = []
    for block in path.read_text(encoding="utf-8").strip().split("\n\n")[1:]:
        parts: dict[str, str] = {}
        name = ""
        for line in block.splitlines():
            match = _STRING.match(line)
            if match is not None:
                name = match[1] or name
                parts[name] = parts.get(name, "") + ast.literal_eval(match[2])
        ids = tuple(parts[name] for name in ("msgid", "msgid_plural") if name in parts)
        texts = tuple(parts[name] for name in sorted(parts) if name.startswith("msgstr"))
        is_fuzzy = any(line.startswith("#,") and "fuzzy" in line for line in block.splitlines())
        found.append(Entry(parts.get("msgctxt", ""), ids, texts, is_fuzzy))
    return found


def marked_messages() -> Iterator[str]:
    """Every message that the code and the templates mark for translation."""
    listed = subprocess.run(
        ["git", "ls-files", "*.py", "*.html"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in listed.stdout.split():
        path = ROOT / name
        if name.startswith(("tests/", "benchmarks/")) or not path.exists():
            continue
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".html":
            for context, _plural, literal in _MARKED.findall(templatize(text, origin=name)):
                if not context:
                    yield ast.literal_eval(literal)
            continue
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in CALLS and node.args:
                has_context = getattr(node.func, "id", "").startswith("pgettext")
                first = node.args[1 if has_context else 0]
                if isinstance(first, ast.Constant) and isinstance(first.value, str):
                    yield first.value


def test_every_marked_message_is_in_the_catalogue() -> None:
    """If this fails: `make messages`, then translate what is empty."""
    known = {entry.ids[0] for entry in entries(OWN)}
    marked = set(marked_messages())
    assert len(marked) > 900
    assert sorted(marked - known) == []


@pytest.mark.parametrize("path", [OWN, OF_PACKAGES], ids=["own", "packages"])
def test_every_message_is_translated(path: Path) -> None:
    found = entries(path)
    assert len(found) > 150
    assert [entry.ids[0] for entry in found if entry.is_fuzzy] == []
    assert [entry.ids[0] for entry in found if not all(entry.texts)] == []
    assert [entry.ids[0] for entry in found if len(entry.ids) != len(entry.texts)] == []


@pytest.mark.parametrize("path", [OWN, OF_PACKAGES], ids=["own", "packages"])
def test_every_placeholder_is_in_the_translation(path: Path) -> None:
    wrong = [
        (source, text)
        for entry in entries(path)
        for source, text in zip(entry.ids, entry.texts, strict=True)
        if Counter(_PLACE.findall(source)) != Counter(_PLACE.findall(text))
    ]
    assert wrong == []


@pytest.mark.parametrize("path", [OWN, OF_PACKAGES], ids=["own", "packages"])
def test_the_compiled_catalogue_says_what_its_source_says(path: Path) -> None:
    """A fresh machine has no gettext tools: what is compiled is what people read."""
    with path.with_suffix(".mo").open("rb") as compiled:
        catalogue = dict(gettext.GNUTranslations(compiled)._catalog)  # type: ignore[attr-defined]
    catalogue.pop("", None)
    assert catalogue == {
        key: text
        for entry in entries(path)
        for key, text in zip(entry.keys, entry.texts, strict=True)
    }


@pytest.mark.parametrize(
    ("address", "portuguese", "english"),
    [
        ("/admin/", ("Painel", "Nós", "Tarefas de ingestão", "Processos", "Pessoas"),
         {"Dashboard", "Nodes", "Ingest jobs", "Processes", "People", "Search index", "Models"}),
        ("/admin/knowledge/node/", ("Rascunhos", "Título", "Situação", "Aplicar filtros"),
         {"Drafts", "Title", "Status", "Space", "Apply Filters", "Review overdue", "Owner"}),
        ("/admin/knowledge/node/add/", ("Conteúdo", "Etiquetas", "Motivo desta versão"),
         {"Content", "Tags", "Bold", "Preview", "Reason for this version", "What it is"}),
        ("/admin/knowledge/source/add/", ("Adicionar fontes", "Enviar", "Todas as tarefas"),
         {"Add sources", "Upload", "All jobs", "Drop files here, or choose them"}),
        ("/admin/django_celery_beat/periodictask/", ("Tarefas periódicas",), {"Periodic tasks"}),
        ("/", ("Nova conversa", "Pesquisar conversas"), {"New conversation", "Messages"}),
        ("/sign-in/", ("Entrar", "Senha"), {"Sign in", "Password", "Sign in to Acervo"}),
    ],
)  # fmt: skip
def test_pages_speak_portuguese(
    admin_user: User, space: Space, address: str, portuguese: tuple[str, ...], english: set[str]
) -> None:
    services.node_create(acting_user=admin_user, space=space, title="Maré")
    client = Client() if address == "/sign-in/" else signed_in(admin_user)
    page = client.get(address, headers={"accept-language": "pt-BR"}, follow=True).content.decode()
    assert '<html lang="pt-br"' in page
    assert [text for text in portuguese if text not in page] == []
    assert english & {text.strip() for text in _ENGLISH.findall(page)} == set()
