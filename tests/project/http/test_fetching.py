"""Calling addresses that others chose: which are refused, and what bounds the rest."""

import gzip
import ipaddress
import threading
from collections.abc import Iterator, Sequence

import pytest

from project.http.addresses import Blocked, Guard, is_public
from project.http.fetching import Fetcher, FetchFailed
from tests.support.site import Reply, Site


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as made:
        made.page("/", "<p>Harbour</p>")
        yield made


def fetcher(*allowed: str, names: dict[str, list[str]] | None = None, **limits: float) -> Fetcher:
    """A fetcher for which names lead where a test says."""

    def resolve(host: str, port: int) -> Sequence[str]:
        return (names or {}).get(host, [host])

    return Fetcher(guard=Guard(allowed=list(allowed), resolver=resolve), **limits)  # type: ignore[arg-type]


PRIVATE = [
    "127.0.0.1", "127.8.9.1", "0.0.0.0", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1",
    "169.254.169.254", "100.64.0.1", "100.100.100.200", "192.0.0.192", "198.18.0.1", "224.0.0.1",
    "255.255.255.255", "240.0.0.1", "::", "::1", "fe80::1", "fc00::1", "fd00:ec2::254",
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:a9fe:a9fe", "::127.0.0.1", "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "2002:a00:1::1", "2001:0:1::1", "ff02::1", "fec0::1",
    "64:ff9b:1::1", "2001:db8::1",
]  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE)
def test_addresses_inside_are_not_public(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "address",
    ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"],
)
def test_addresses_of_the_open_internet_are(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "[0:0:0:0:0:ffff:7f00:1]",
        "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "127.0.0.1.", "LOCALHOST",
        "[::ffff:7f00:1]", "0",
    ],
)  # fmt: skip
def test_no_way_to_write_this_machine_leads_to_it(site: Site, host: str) -> None:
    guarded = Fetcher(guard=Guard(allowed=[]))  # names are resolved as the system does
    with pytest.raises((Blocked, FetchFailed)):
        guarded.fetch(site.url("/", host=host))
    assert site.asked == []


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd", "ftp://example.org/", "gopher://example.org/", "//example.org/",
        "http:///nowhere", "http://user:word@example.org/", "http://exa mple.org/",
        "http://example.org:99999/", "javascript:alert(1)", "http://[fe80::1%25eth0]/", "",
        "http://example.org/\r\nHost: other", "dict://127.0.0.1:11211/", "http://[::1",
    ],
)  # fmt: skip
def test_other_schemes_and_odd_addresses_are_refused(url: str) -> None:
    with pytest.raises(Blocked):
        fetcher().fetch(url)


def test_what_the_operator_allows_is_called(site: Site) -> None:
    for allowed in ("127.0.0.1", "127.0.0.0/8", f"127.0.0.1:{site.port}"):
        assert fetcher(allowed).fetch(site.url()).read() == b"<p>Harbour</p>"
    names = {"wiki.test": ["127.0.0.1"], "other.test": ["127.0.0.1"]}
    for allowed in ("wiki.test", ".test", f"wiki.test:{site.port}"):
        assert fetcher(allowed, names=names).fetch(site.url(host="wiki.test")).status == 200
    with pytest.raises(Blocked):
        fetcher("wiki.test", names=names).fetch(site.url(host="other.test"))
    with pytest.raises(Blocked):
        fetcher("127.0.0.1:1").fetch(site.url())


def test_a_redirect_to_this_machine_is_refused(site: Site) -> None:
    names = {"wiki.test": ["127.0.0.1"]}
    site.page("/secret", "secret")
    for target in (site.url("/secret"), site.url("/secret", host="2130706433"), "file:///etc"):
        site.redirect("/go", target)
        with pytest.raises((Blocked, FetchFailed)):
            fetcher("wiki.test", names=names).fetch(site.url("/go", host="wiki.test"))
    assert "/secret" not in site.paths()


def test_a_name_that_leads_elsewhere_the_second_time_does_not(site: Site) -> None:
    """The name server answers with an allowed address first, and with this machine's then."""
    answers = iter([["127.0.0.1"], ["10.0.0.1"], ["10.0.0.1"]])
    asked = []

    def resolve(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return next(answers)

    guarded = Fetcher(guard=Guard(allowed=["127.0.0.1"], resolver=resolve))
    site.redirect("/go", site.url("/", host="wiki.test"))
    assert guarded.fetch(site.url("/go", host="wiki.test")).status == 200
    assert guarded.fetch(site.url("/", host="wiki.test")).status == 200
    assert asked == ["wiki.test"]


def test_a_name_with_one_private_address_among_others_is_refused() -> None:
    names = {"wiki.test": ["93.184.216.34", "10.0.0.1"]}
    with pytest.raises(Blocked):
        fetcher(names=names).fetch("http://wiki.test/")


def test_a_secret_is_not_taken_to_another_host(site: Site) -> None:
    names = {"wiki.test": ["127.0.0.1"], "other.test": ["127.0.0.1"]}
    site.redirect("/go", site.url("/", host="other.test"))
    caller = fetcher(".test", names=names)
    caller.fetch(site.url("/go", host="wiki.test"), headers={"Authorization": "Bearer x"})
    assert [each.headers.get("authorization") for each in site.asked] == ["Bearer x", None]


def test_endless_redirects_end(site: Site) -> None:
    site.redirect("/go", "/go")
    with pytest.raises(FetchFailed):
        fetcher("127.0.0.1").fetch(site.url("/go"))
    assert len(site.asked) == 6


@pytest.mark.parametrize("packs", [False, True])
def test_an_answer_is_not_read_beyond_the_limit(site: Site, packs: bool) -> None:
    body = b"x" * 300_000
    headers = {"Content-Encoding": "gzip"} if packs else {}
    site.replies["/big"] = Reply(gzip.compress(body) if packs else body, headers=headers)
    with pytest.raises(FetchFailed) as refused:
        fetcher("127.0.0.1", limit=100_000).fetch(site.url("/big"))
    assert refused.value.status == 413
    assert fetcher("127.0.0.1", limit=300_000).fetch(site.url("/big")).read() == body


def test_a_server_that_stalls_is_left(site: Site) -> None:
    ended = threading.Event()
    site.replies["/slow"] = Reply(b"abc", stall=ended)
    with pytest.raises(FetchFailed):
        fetcher("127.0.0.1", timeout=0.3).fetch(site.url("/slow"))
    ended.set()


def test_a_body_that_breaks_off_is_no_answer(site: Site) -> None:
    ended = threading.Event()
    ended.set()
    site.replies["/cut"] = Reply(b"abc", stall=ended, headers={"Connection": "close"})
    with pytest.raises(FetchFailed):
        fetcher("127.0.0.1").fetch(site.url("/cut"))


def test_an_unknown_host_is_told_without_its_addresses() -> None:
    def resolve(host: str, port: int) -> Sequence[str]:
        raise OSError("no such name at 10.0.0.53")

    with pytest.raises(FetchFailed) as refused:
        Fetcher(guard=Guard(resolver=resolve)).fetch("http://nowhere.test/")
    assert "10.0.0.53" not in refused.value.message
