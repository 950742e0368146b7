"""Reading repositories of git: in opened folders, and over the web from git's own server."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from http.server import CGIHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from pytest_django import Settings

from knowledge.connectors import ConnectorFault
from tests.support.connecting import Memory, looked, made

GIT = shutil.which("git")
pytestmark = pytest.mark.skipif(GIT is None, reason="the server to read from is git's own")
OLD = "speaks-only-the-old-protocol"
QUIET = {
    "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull, "GIT_AUTHOR_NAME": "Ann",
    "GIT_AUTHOR_EMAIL": "ann@example.org", "GIT_COMMITTER_NAME": "Ann",
    "GIT_COMMITTER_EMAIL": "ann@example.org", "PATH": os.environ["PATH"],
}  # fmt: skip


def git(folder: Path, *words: str) -> None:
    assert GIT is not None
    subprocess.run([GIT, "-C", str(folder), *words], check=True, env=QUIET, capture_output=True)


def commit(folder: Path, **files: str | None) -> None:
    """Write files (`a__b` is a/b.md), or remove those of None, and commit."""
    for name, text in files.items():
        path = folder / f"{name.replace('__', '/')}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink() if text is None else path.write_text(text)
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "Change")


@pytest.fixture
def repository(tmp_path: Path, settings: Settings) -> Path:
    settings.ACERVO_FEED_FOLDERS = [str(tmp_path)]
    folder = tmp_path / "notes"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    (folder / "picture.png").write_bytes(b"png")
    (folder / "link.md").symlink_to("/etc/passwd")
    commit(folder, tides="# Tides", docs__moon="# Moon")
    return folder


@pytest.fixture
def address(repository: Path) -> Iterator[str]:
    """The repository behind git's own web server."""
    git(repository, "config", "http.uploadpack", "true")

    class Handler(CGIHTTPRequestHandler):
        def is_cgi(self) -> bool:
            self.cgi_info = "", self.path.removeprefix("/")
            return True

        def run_cgi(self) -> None:
            path, _mark, query = self.path.partition("?")
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            env = QUIET | {
                "GIT_PROJECT_ROOT": str(repository.parent), "GIT_HTTP_EXPORT_ALL": "1",
                "PATH_INFO": path, "QUERY_STRING": query, "REQUEST_METHOD": self.command,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "CONTENT_LENGTH": str(len(body)),
            }  # fmt: skip
            if not (repository / ".git" / OLD).exists():
                env["GIT_PROTOCOL"] = self.headers.get("Git-Protocol", "")
            assert GIT is not None
            ran = subprocess.run(
                [GIT, "http-backend"], input=body, env=env, capture_output=True, check=True
            )
            head, _blank, answer = ran.stdout.partition(b"\r\n\r\n")
            fields = dict(line.split(b": ", 1) for line in head.split(b"\r\n"))
            self.send_response(int(fields.pop(b"Status", b"200").split()[0]))
            for name, value in fields.items():
                self.send_header(name.decode(), value.decode())
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/{repository.name}/.git"
    server.shutdown()
    server.server_close()


def test_a_folder_is_read_by_its_newest_commit(repository: Path) -> None:
    reader, memory = made("git", url=str(repository)), Memory()
    assert reader.probe()
    assert looked(reader, memory) == {"tides.md": "new", "docs/moon.md": "new"}
    (repository / "tides.md").write_text("not committed")
    assert set(looked(reader, memory).values()) == {"same"}
    commit(repository, tides="# Tides, again", docs__moon=None, docs__sun="# Sun")
    assert looked(reader, memory) == {"tides.md": "changed", "docs/sun.md": "new"}


@pytest.mark.parametrize("is_old", [False, True])
def test_a_repository_is_read_over_the_web(repository: Path, address: str, is_old: bool) -> None:
    if is_old:
        (repository / ".git" / OLD).touch()
    reader, memory = made("git", url=address), Memory()
    assert looked(reader, memory) == {"tides.md": "new", "docs/moon.md": "new"}
    assert memory.items["tides.md"].sha256 == b"# Tides".hex()
    assert set(looked(reader, memory).values()) == {"same"}
    commit(repository, tides="# Tides, again")
    assert looked(reader, memory) == {"tides.md": "changed", "docs/moon.md": "same"}


def test_another_branch_folder_and_pattern_can_be_chosen(repository: Path) -> None:
    git(repository, "checkout", "-q", "-b", "draft")
    commit(repository, docs__draft="# Draft")
    git(repository, "checkout", "-q", "main")
    draft = made("git", url=str(repository), branch="draft", folder="/docs/")
    assert set(looked(draft, Memory())) == {"docs/moon.md", "docs/draft.md"}
    some = made("git", url=str(repository), patterns=["docs/m*"])
    assert set(looked(some, Memory())) == {"docs/moon.md"}
    with pytest.raises(ConnectorFault) as refused:
        looked(made("git", url=str(repository), branch="none"), Memory())
    assert refused.value.field == "branch"


def test_what_is_no_repository_is_told(tmp_path: Path, repository: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "aside").mkdir()
    (tmp_path / "aside" / ".git").write_text(f"gitdir: {repository}/.git")
    for name in ("empty", "aside"):
        with pytest.raises(ConnectorFault):
            looked(made("git", url=str(tmp_path / name)), Memory())


def test_a_repository_inside_is_refused(repository: Path, settings: Settings) -> None:
    settings.ACERVO_FETCH_ALLOW = []
    for url in ("http://10.0.0.1/notes.git", "http://169.254.169.254/x.git"):
        with pytest.raises(ConnectorFault) as refused:
            made("git", url=url).probe()
        assert refused.value.is_lasting
    for url in ("/etc", "file:///etc", "ssh://host/x.git", "git@host:x.git", "ext::sh -c id"):
        with pytest.raises(ConnectorFault):
            made("git", url=url)
