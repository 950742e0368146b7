"""A bucket that speaks the protocol of S3: Amazon's, MinIO's, Ceph's and others'.

Two calls are used, ListObjectsV2 and GetObject, each signed (`knowledge.connectors.signing`). They
go through the guard, which the usual library would go around.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from knowledge.connectors.base import (
    Connector,
    ConnectorFault,
    Fault,
    Found,
    Item,
    Known,
    Setting,
    Unchanged,
    key_of,
)
from knowledge.connectors.calling import fetched, status_fault
from knowledge.connectors.checks import address_check, is_readable
from knowledge.connectors.signing import Signer, canonical_query, path_quoted
from project.http.fetching import Fetched

MOST_KEYS = 1000  # a page of the list


class BucketConnector(Connector):
    """The objects below a prefix."""

    name = "s3"
    label = gettext_lazy("S3 bucket")
    settings = (
        Setting(
            "endpoint",
            gettext_lazy("Address of the service"),
            is_required=True,
            help="https://s3.eu-central-1.amazonaws.com",
            binds_secret=True,
        ),
        Setting("bucket", gettext_lazy("Bucket"), is_required=True, binds_secret=True),
        Setting("region", gettext_lazy("Region"), default="us-east-1"),
        Setting("prefix", gettext_lazy("Prefix")),
        Setting("access_key", gettext_lazy("Access key"), binds_secret=True),
    )
    secret_label = gettext_lazy("Secret key")

    @classmethod
    def check(cls, values: Mapping[str, Any]) -> None:
        """Raise ConnectorFault for what is no address, or no name of a bucket."""
        address_check(values["endpoint"], "endpoint")
        if "/" in values["bucket"] or values["bucket"] in {".", ".."}:
            message = _("This is not the name of a bucket.")
            raise ConnectorFault(message, is_lasting=True, field="bucket")

    def probe(self) -> str:
        """List the first objects."""
        objects, onward = self._page("")
        count = len(objects)
        if onward:
            return _("The bucket is there, with more than %(count)s objects.") % {"count": count}
        return _("The bucket is there, with %(count)s objects.") % {"count": count}

    def items(self, known: Known) -> Iterator[Found]:
        """Yield the objects whose names promise a readable format."""
        onward = ""
        while True:
            objects, onward = self._page(onward)
            for facts in objects:
                name = facts.get("Key", "")
                if name and not name.endswith("/") and is_readable(name):
                    yield self._found(name, facts, known)
            if not onward:
                return

    def _found(self, name: str, facts: Mapping[str, str], known: Known) -> Found:
        key, tag = key_of(name), facts.get("ETag", "").strip('"')[:300]
        before = known.get(key)
        if before is not None and (before.is_done or (tag and before.etag == tag)):
            return Unchanged(key)
        try:
            answer = self._call(path_quoted(f"/{self.values['bucket']}/{name}"), {})
        except ConnectorFault as error:
            return Fault(key, error.message)
        if answer.status != 200:
            return Fault(key, status_fault(answer).message)
        return Item(
            key,
            lambda: answer.file,
            filename=PurePosixPath(name).name,
            content_type=answer.headers.get("Content-Type", "").partition(";")[0],
            etag=tag,
            modified=_time(facts.get("LastModified", "")),
            url=f"s3://{self.values['bucket']}/{name}"[:2000],
        )

    def _page(self, onward: str) -> tuple[list[dict[str, str]], str]:
        """Return a page of the list, and the token of the next one, "" at the end."""
        query = {"list-type": "2", "max-keys": str(MOST_KEYS), "prefix": self.values["prefix"]}
        if onward:
            query["continuation-token"] = onward
        answer = self._call(path_quoted(f"/{self.values['bucket']}"), query)
        if answer.status != 200:
            raise self._refused(answer)
        root = _parsed(answer.read())
        objects = [
            {_bare(field.tag): field.text or "" for field in entry}
            for entry in root
            if _bare(entry.tag) == "Contents"
        ]
        facts = {_bare(each.tag): (each.text or "").strip() for each in root}
        if facts.get("IsTruncated", "").lower() != "true":
            return objects, ""
        token = facts.get("NextContinuationToken", "")
        if not token or token == onward:
            raise ConnectorFault(_("The service's list of objects has no end."))
        return objects, token

    def _call(self, path: str, query: Mapping[str, str]) -> Fetched:
        parts = urlsplit(self.values["endpoint"])
        path = parts.path.rstrip("/") + path
        headers: dict[str, str] = {}
        if self.values["access_key"]:
            signer = Signer(self.values["access_key"], self.secret, self.values["region"])
            headers = signer.headers("GET", parts.netloc, path, query, datetime.now(UTC))
        text = canonical_query(query)
        url = f"{parts.scheme}://{parts.netloc}{path}" + (f"?{text}" if text else "")
        return fetched(self.fetcher, url, headers=headers, redirects=0)

    def _refused(self, answer: Fetched) -> ConnectorFault:
        try:
            code = next(
                (each.text or "" for each in _parsed(answer.read()) if _bare(each.tag) == "Code"),
                "",
            )
        except ConnectorFault:
            code = ""
        if not code:
            return status_fault(answer)
        message = _("The service refused to list the bucket: %(code)s.") % {"code": code[:80]}
        return ConnectorFault(message, is_lasting=answer.status in {400, 401, 403, 404})


def _parsed(data: bytes) -> Any:
    from defusedxml import ElementTree
    from defusedxml.common import DefusedXmlException

    try:
        return ElementTree.fromstring(data, forbid_dtd=True)
    except (ElementTree.ParseError, DefusedXmlException, ValueError):
        raise ConnectorFault(_("The service does not answer as S3 does.")) from None


def _bare(tag: str) -> str:
    return tag.rpartition("}")[2]


def _time(text: str) -> datetime | None:
    try:
        return parse_datetime(text)
    except ValueError:
        return None
