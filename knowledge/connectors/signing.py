"""Signing calls as S3 wants it: AWS Signature Version 4, in headers, without a body.

After “Authenticating Requests: Using the Authorization Header” of the Amazon S3 API reference; its
examples are the tests.
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

EMPTY = hashlib.sha256(b"").hexdigest()
_ALGORITHM = "AWS4-HMAC-SHA256"


def path_quoted(path: str) -> str:
    """Return a path as it is both sent and signed: everything quoted but unreserved and slashes."""
    return quote(path, safe="/-_.~")


def canonical_query(query: Mapping[str, str]) -> str:
    """Return a query as it is both sent and signed: sorted, quoted, every name with its “=”."""
    pairs = sorted((quote(name, safe="-_.~"), quote(value, safe="-_.~")) for name, value in
                   query.items())  # fmt: skip
    return "&".join(f"{name}={value}" for name, value in pairs)


@dataclass(frozen=True, slots=True)
class Signer:
    """Somebody's keys in a region."""

    access_key: str
    secret: str
    region: str

    def headers(
        self,
        method: str,
        host: str,
        path: str,
        query: Mapping[str, str],
        at: datetime,
        extra: Mapping[str, str] | None = None,
    ) -> dict[str, str]:
        """Return the headers of a call without a body; `path` is quoted already, `at` is UTC."""
        moment = at.strftime("%Y%m%dT%H%M%SZ")
        signed = {
            "host": host,
            "x-amz-content-sha256": EMPTY,
            "x-amz-date": moment,
            **{name.lower(): value.strip() for name, value in (extra or {}).items()},
        }
        names = ";".join(sorted(signed))
        lines = "".join(f"{name}:{signed[name]}\n" for name in sorted(signed))
        request = "\n".join([method, path, canonical_query(query), lines, names, EMPTY])
        scope = f"{moment[:8]}/{self.region}/s3/aws4_request"
        digest = hashlib.sha256(request.encode()).hexdigest()
        text = "\n".join([_ALGORITHM, moment, scope, digest])
        key = f"AWS4{self.secret}".encode()
        for part in (moment[:8], self.region, "s3", "aws4_request"):
            key = hmac.digest(key, part.encode(), "sha256")
        signature = hmac.new(key, text.encode(), "sha256").hexdigest()
        credential = f"Credential={self.access_key}/{scope}"
        headers = {name: value for name, value in signed.items() if name != "host"}
        authorization = f"{_ALGORITHM} {credential},SignedHeaders={names},Signature={signature}"
        return {**headers, "authorization": authorization}
