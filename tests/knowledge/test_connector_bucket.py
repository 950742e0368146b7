"""Reading buckets: signed as the service wants it, page by page, and only what changed."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from knowledge.connectors import ConnectorFault
from knowledge.connectors.signing import Signer, path_quoted
from tests.support.bucket_server import ACCESS, BUCKET, REGION, SECRET, BucketServer
from tests.support.connecting import Memory, looked, made
from tests.support.site import Reply

# The examples of “Authenticating Requests: Using the Authorization Header” in Amazon's reference.
EXAMPLE = Signer("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "us-east-1")
EXAMPLES: list[tuple[str, dict[str, str], dict[str, str], str]] = [
    (
        "/test.txt",
        {},
        {"Range": "bytes=0-9"},
        "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
    ),
    (
        "/",
        {"lifecycle": ""},
        {},
        "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
    ),
    (
        "/",
        {"max-keys": "2", "prefix": "J"},
        {},
        "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
    ),
]


@pytest.mark.parametrize(("path", "query", "extra", "signature"), EXAMPLES)
def test_signatures_are_those_of_the_reference(
    path: str, query: dict[str, str], extra: dict[str, str], signature: str
) -> None:
    at = datetime(2013, 5, 24, tzinfo=UTC)
    host = "examplebucket.s3.amazonaws.com"
    headers = EXAMPLE.headers("GET", host, path_quoted(path), query, at, extra)
    assert headers["authorization"].endswith(f"Signature={signature}")


@pytest.fixture
def server() -> Iterator[BucketServer]:
    with BucketServer() as running:
        running.objects = {
            "notes/tides.md": b"# Tides",
            "notes/maré alta + vento (2).md": b"# Moon",
            "notes/folder/": b"",
            "notes/film.mp4": b"film",
            "other/sun.md": b"# Sun",
        }
        yield running


def bucket(server: BucketServer, secret: str = SECRET, **values: Any) -> Any:
    wanted = {
        "endpoint": server.url("/"), "bucket": BUCKET, "region": REGION, "access_key": ACCESS,
        "prefix": "notes/", **values,
    }  # fmt: skip
    return made("s3", secret=secret, **wanted)


def test_objects_below_the_prefix_are_read_over_several_pages(server: BucketServer) -> None:
    reader, memory = bucket(server), Memory()
    assert reader.probe()
    names = {"notes/tides.md", "notes/maré alta + vento (2).md"}
    assert looked(reader, memory) == dict.fromkeys(names, "new")
    assert memory.items["notes/tides.md"].sha256 == b"# Tides".hex()
    server.asked.clear()
    assert looked(reader, memory) == dict.fromkeys(names, "same")
    assert not [path for path in server.paths() if "tides" in path and "list-type" not in path]
    server.objects["notes/tides.md"] = b"# Tides, again"
    del server.objects["notes/maré alta + vento (2).md"]
    assert looked(reader, memory) == {"notes/tides.md": "changed"}


@pytest.mark.parametrize(
    "wrong", [{"secret": "x"}, {"access_key": "x"}, {"bucket": "none"}, {"region": "x"}]
)
def test_what_the_service_refuses_is_told(server: BucketServer, wrong: dict[str, str]) -> None:
    with pytest.raises(ConnectorFault) as refused:
        bucket(server, **wrong).probe()
    assert refused.value.is_lasting
    assert SECRET not in refused.value.message


def test_a_list_without_an_end_is_a_fault(server: BucketServer) -> None:
    server.otherwise = Reply(
        b"<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>"
    )
    with pytest.raises(ConnectorFault):
        looked(bucket(server), Memory())
    server.otherwise = Reply(b"<html>not S3")
    with pytest.raises(ConnectorFault):
        looked(bucket(server), Memory())


def test_an_object_that_cannot_be_read_is_not_gone(server: BucketServer) -> None:
    server.replies[f"/{BUCKET}/notes/tides.md"] = Reply(b"", 500)
    assert looked(bucket(server), Memory())["notes/tides.md"] == "fault"
