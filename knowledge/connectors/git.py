"""A repository of git: over the web, or in a folder that the operator has opened.

No git program is needed. A remote repository is asked which commit its branch has; only if that is
another one than last time, its files are fetched, without their history, into a temporary folder.
"""

import base64
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import PurePosixPath
from typing import IO, TYPE_CHECKING, Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from knowledge.choices import SourceKind
from knowledge.connectors.base import (
    Connector,
    ConnectorFault,
    Found,
    Item,
    Known,
    Setting,
    Unchanged,
    key_of,
)
from knowledge.connectors.calling import fetched, status_fault
from knowledge.connectors.checks import address_check, folder_inside
from project.http.fetching import Fetcher

if TYPE_CHECKING:
    from dulwich.repo import Repo

MARKDOWN = ["*.md", "*.markdown"]
MOST_BYTES = 1024 * 1024 * 1024  # of a pack
MOST_SECONDS = 900.0  # of one call
_LINK, _SUBMODULE = 0o120000, 0o160000


class GitConnector(Connector):
    """The Markdown files, or others, of one branch."""

    name = "git"
    label = gettext_lazy("Git repository")
    source_kind = SourceKind.GIT
    settings = (
        Setting(
            "url",
            gettext_lazy("Repository"),
            is_required=True,
            help=gettext_lazy("https://…, or the path of a folder that the operator has opened."),
            binds_secret=True,
        ),
        Setting("branch", gettext_lazy("Branch"), help=gettext_lazy("Empty: the default one.")),
        Setting(
            "folder", gettext_lazy("Folder"), help=gettext_lazy("In the repository. Empty: all.")
        ),
        Setting(
            "patterns",
            gettext_lazy("Files"),
            kind="list",
            default=MARKDOWN,
            help=gettext_lazy("Patterns such as *.md, one a line."),
        ),
    )
    secret_label = gettext_lazy("Token, or user:password")

    @classmethod
    def check(cls, values: Mapping[str, Any]) -> None:
        """Raise ConnectorFault for what is neither a web address nor an opened folder."""
        if values["url"].startswith("/"):
            folder_inside(values["url"], "url")
        else:
            address_check(values["url"], "url")

    def probe(self) -> str:
        """Ask for the newest commit."""
        with _faults_told():
            head = self._local_head() if self._is_local else self._remote_head()
        return _("The repository is there; its newest commit is %(id)s.") % {"id": head[:12]}

    def items(self, known: Known) -> Iterator[Found]:
        """Yield the files by their paths."""
        with _faults_told():
            head = self._local_head() if self._is_local else self._remote_head()
            if known.cursor.get("head") == head:
                for key in list(known.keys()):
                    yield Unchanged(key)
                return
            if self._is_local:
                with self._local() as repo:
                    yield from self._files(repo, head, known)
            else:
                with self._fetched(head) as repo:
                    yield from self._files(repo, head, known)
            known.cursor = {"head": head}

    @property
    def _is_local(self) -> bool:
        return bool(self.values["url"].startswith("/"))

    def _files(self, repo: "Repo", head: str, known: Known) -> Iterator[Found]:
        from dulwich.object_store import iter_tree_contents
        from dulwich.objects import Blob, Commit

        commit = repo[head.encode()]
        if not isinstance(commit, Commit):
            raise ConnectorFault(_("The branch leads to no commit."), is_lasting=True)
        folder = self.values["folder"].strip("/")
        for entry in iter_tree_contents(repo.object_store, commit.tree):
            if entry.mode is None or entry.mode & 0o170000 in {_LINK, _SUBMODULE}:
                continue
            path = (entry.path or b"").decode("utf-8", "replace")
            if not self._is_wanted(path, folder) or entry.sha is None:
                continue
            key, tag = key_of(path), entry.sha.decode()
            before = known.get(key)
            if before is not None and (before.is_done or before.etag == tag):
                yield Unchanged(key)
                continue
            blob = repo[entry.sha]
            if isinstance(blob, Blob):
                yield Item(
                    key,
                    blob.data,
                    filename=PurePosixPath(path).name,
                    etag=tag,
                    url=f"{self.values['url']}#{path}"[:2000],
                )

    def _is_wanted(self, path: str, folder: str) -> bool:
        if folder and not path.startswith(f"{folder}/"):
            return False
        name = PurePosixPath(path).name
        patterns = self.values["patterns"] or MARKDOWN
        return any(fnmatch(path, each) or fnmatch(name, each) for each in patterns)

    # -- in a folder -------------------------------------------------------------------------------

    @contextmanager
    def _local(self) -> Iterator["Repo"]:
        from dulwich.repo import Repo

        folder = folder_inside(self.values["url"], "url")
        own = folder / ".git" if (folder / ".git").exists() else folder
        leads_out = [
            each
            for each in (own, own / "objects", own / "refs", own / "HEAD")
            if each.is_symlink() or not each.exists()
        ]
        if leads_out or own.is_file() or (own / "objects" / "info" / "alternates").exists():
            message = _("This folder holds no repository of its own.")
            raise ConnectorFault(message, is_lasting=True, field="url")
        repo = Repo(str(folder))
        try:
            yield repo
        finally:
            repo.close()

    def _local_head(self) -> str:
        with self._local() as repo:
            refs = dict(repo.get_refs())
            return self._chosen({bytes(name): bytes(sha) for name, sha in refs.items()})

    # -- over the web ------------------------------------------------------------------------------

    def _client(self) -> Any:
        from knowledge.connectors.git_client import GuardedGitClient

        fetcher = replace(self.fetcher, limit=MOST_BYTES, timeout=MOST_SECONDS)
        return GuardedGitClient(self.values["url"], _Caller(fetcher, self.secret))

    def _remote_head(self) -> str:
        found = self._client().get_refs(b"")
        refs = {bytes(name): bytes(sha) for name, sha in found.refs.items() if sha}
        return self._chosen(refs)

    @contextmanager
    def _fetched(self, head: str) -> Iterator["Repo"]:
        from dulwich.errors import GitProtocolError
        from dulwich.repo import Repo

        def wants(_refs: Any, depth: Any = None) -> list[bytes]:
            return [head.encode()]

        with tempfile.TemporaryDirectory(prefix="acervo-git-") as folder:
            repo = Repo.init_bare(folder)
            try:
                try:
                    self._client().fetch(b"", repo, determine_wants=wants, depth=1)
                except GitProtocolError:  # it knows no shallow ones
                    self._client().fetch(b"", repo, determine_wants=wants)
                yield repo
            finally:
                repo.close()

    def _chosen(self, refs: Mapping[bytes, bytes]) -> str:
        branch = self.values["branch"]
        name = f"refs/heads/{branch}".encode() if branch else b"HEAD"
        if name not in refs:
            message = _("The repository has no branch “%(name)s”.") % {"name": branch or "HEAD"}
            raise ConnectorFault(message, is_lasting=True, field="branch")
        return refs[name].decode()


class _Caller:
    """Makes the calls of the client, through the guard."""

    def __init__(self, fetcher: Fetcher, secret: str) -> None:
        self._fetcher = fetcher
        self._secret = secret

    def __call__(
        self, url: str, headers: Mapping[str, str], body: bytes | None
    ) -> tuple[str, str, IO[bytes]]:
        """Return where the redirects ended, the media type and the body of an answer."""
        sent = dict(headers)
        if self._secret:
            pair = self._secret if ":" in self._secret else f"x-access-token:{self._secret}"
            sent["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
        method = "GET" if body is None else "POST"
        answer = fetched(self._fetcher, url, method=method, headers=sent, body=body)
        if answer.status != 200:
            raise status_fault(answer)
        return answer.url, answer.headers.get("Content-Type", ""), answer.file


@contextmanager
def _faults_told() -> Iterator[None]:
    """Turn what the library raises into faults."""
    from dulwich.errors import (
        ChecksumMismatch,
        GitProtocolError,
        NotGitRepository,
        ObjectFormatException,
    )

    try:
        yield
    except NotGitRepository:
        message = _("There is no repository of git.")
        raise ConnectorFault(message, is_lasting=True, field="url") from None
    except (GitProtocolError, ObjectFormatException, ChecksumMismatch, KeyError) as error:
        message = _("The repository cannot be read: %(why)s")
        raise ConnectorFault(message % {"why": type(error).__name__}) from error
