"""A small real server that speaks the two calls of S3 that are used, and checks signatures."""

import hashlib
import hmac
import re
from urllib.parse import parse_qsl, quote, unquote
from xml.sax.saxutils import escape

from tests.support.site import Asked, Reply, Site

ACCESS, SECRET, REGION, BUCKET = "AKIATEST", "word/with+signs", "eu-test-1", "library"


class BucketServer(Site):
    """`with BucketServer() as server: server.objects["a.md"] = b"# A"`."""

    def __init__(self, page: int = 2) -> None:
        super().__init__()
        self.objects: dict[str, bytes] = {}
        self.page_size = page
        self.otherwise = self._reply

    def _reply(self, asked: Asked) -> Reply:
        path, _mark, query = asked.path.partition("?")
        if not self._is_signed(asked, path, query):
            return _fault(403, "SignatureDoesNotMatch")
        name = unquote(path).removeprefix(f"/{BUCKET}")
        if name == unquote(path):
            return _fault(404, "NoSuchBucket")
        if not name.strip("/"):
            return self._list(dict(parse_qsl(query, keep_blank_values=True)))
        data = self.objects.get(name.removeprefix("/"))
        return _fault(404, "NoSuchKey") if data is None else Reply(data)

    def _list(self, query: dict[str, str]) -> Reply:
        after = query.get("continuation-token", "")
        names = [each for each in sorted(self.objects) if each.startswith(query["prefix"])]
        rest = [each for each in names if each > after]
        page = rest[: self.page_size]
        entries = "".join(
            f"<Contents><Key>{escape(each)}</Key><LastModified>2026-11-01T10:00:00.000Z"
            f'</LastModified><ETag>"{hashlib.md5(self.objects[each]).hexdigest()}"</ETag>'
            f"<Size>{len(self.objects[each])}</Size></Contents>"
            for each in page
        )
        is_cut = len(rest) > len(page)
        onward = f"<NextContinuationToken>{escape(page[-1])}</NextContinuationToken>"
        return Reply(
            f'<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            f"<IsTruncated>{str(is_cut).lower()}</IsTruncated>{onward if is_cut else ''}{entries}"
            "</ListBucketResult>".encode()
        )

    def _is_signed(self, asked: Asked, path: str, query: str) -> bool:
        """Whether the signature fits what came in, computed from the raw request."""
        given = re.fullmatch(
            rf"AWS4-HMAC-SHA256 Credential={ACCESS}/(\d{{8}})/{REGION}/s3/aws4_request,"
            r"SignedHeaders=([a-z0-9;-]+),Signature=([0-9a-f]{64})",
            asked.headers.get("authorization", ""),
        )
        if given is None:
            return False
        day, names, signature = given.groups()
        pairs = sorted(parse_qsl(query, keep_blank_values=True))
        canonical = "\n".join(
            [
                asked.method,
                path,
                "&".join(f"{quote(a, safe='-_.~')}={quote(b, safe='-_.~')}" for a, b in pairs),
                *(f"{each}:{asked.headers[each]}" for each in names.split(";")),
                "",
                names,
                asked.headers["x-amz-content-sha256"],
            ]
        )
        text = "\n".join(
            [
                "AWS4-HMAC-SHA256",
                asked.headers["x-amz-date"],
                f"{day}/{REGION}/s3/aws4_request",
                hashlib.sha256(canonical.encode()).hexdigest(),
            ]
        )
        key = f"AWS4{SECRET}".encode()
        for part in (day, REGION, "s3", "aws4_request"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        return hmac.compare_digest(
            hmac.new(key, text.encode(), hashlib.sha256).hexdigest(), signature
        )


def _fault(status: int, code: str) -> Reply:
    return Reply(f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode(), status)
