"""One page, or any other file, at one address."""

from collections.abc import Iterator, Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from knowledge.choices import SourceKind
from knowledge.connectors.base import Connector, Found, Item, Known, Setting, Unchanged, key_of
from knowledge.connectors.calling import (
    conditions,
    content_type_of,
    fetched,
    filename_of,
    memo_of,
    modified_of,
    status_fault,
    tag_of,
)
from knowledge.connectors.checks import address_check

GONE = {404, 410}


class PageConnector(Connector):
    """One address. It counts as missing when the server says that it is not there."""

    name = "url"
    label = gettext_lazy("Web page")
    source_kind = SourceKind.URL
    settings = (
        Setting(
            "url", gettext_lazy("Address"), is_required=True, help="https://", binds_secret=True
        ),
    )
    secret_label = gettext_lazy("Value of the Authorization header")

    @classmethod
    def check(cls, values: Mapping[str, Any]) -> None:
        """Raise ConnectorFault for what is no web address."""
        address_check(values["url"], "url")

    def probe(self) -> str:
        """Call the page."""
        answer = fetched(self.fetcher, self.values["url"], headers=self._headers())
        if answer.status != 200:
            raise status_fault(answer)
        facts = {"type": content_type_of(answer.headers) or "?", "size": answer.size}
        return _("The page is there: %(type)s, %(size)s bytes.") % facts

    def items(self, known: Known) -> Iterator[Found]:
        """Yield the page."""
        url = self.values["url"]
        key = key_of(url)
        before = known.get(key)
        if before is not None and before.is_done:
            yield Unchanged(key)
            return
        answer = fetched(self.fetcher, url, headers={**self._headers(), **conditions(before)})
        if answer.status == 304 and before is not None:
            yield Unchanged(key)
        elif answer.status in GONE:
            return
        elif answer.status != 200:
            raise status_fault(answer)
        else:
            content_type = content_type_of(answer.headers)
            yield Item(
                key,
                lambda: answer.file,
                filename=filename_of(answer.url, content_type),
                content_type=content_type,
                etag=tag_of(answer),
                modified=modified_of(answer.headers),
                url=answer.url,
                memo=memo_of(answer.headers),
            )

    def _headers(self) -> dict[str, str]:
        return {"Authorization": self.secret} if self.secret else {}
