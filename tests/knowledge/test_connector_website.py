"""Reading pages and websites: which pages, how often, and what robots.txt leaves open."""

import gzip
from collections.abc import Iterator

import pytest

from knowledge.connectors import ConnectorFault
from tests.support.connecting import Memory, content_of, guarded, looked, made
from tests.support.site import Reply, Site

QUICK = {"pause_ms": 0}


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as made_site:
        yield made_site


def linked(*targets: str, more: str = "") -> str:
    links = "".join(f'<a href="{each}">{each}</a> ' for each in targets)
    return f"<html><head>{more}</head><body><p>Words. {links}</p></body></html>"


def paths(site: Site, found: dict[str, str]) -> dict[str, str]:
    return {key.removeprefix(site.url("")): what for key, what in found.items()}


def test_one_page_is_fetched_again_only_when_it_changed(site: Site) -> None:
    site.page("/tides.html", "<p>Tides</p>", etag='"1"')
    page, memory = made("url", url=site.url("/tides.html")), Memory()
    assert list(looked(page, memory).values()) == ["new"]
    assert list(looked(page, memory).values()) == ["same"]
    assert site.asked[-1].headers["if-none-match"] == '"1"'
    site.page("/tides.html", "<p>More tides</p>", etag='"2"')
    assert list(looked(page, memory).values()) == ["changed"]
    del site.replies["/tides.html"]
    assert looked(page, memory) == {}
    site.otherwise = Reply(b"", 503)
    with pytest.raises(ConnectorFault):
        looked(page, memory)


def test_a_date_is_used_where_a_server_has_no_tags(site: Site) -> None:
    changed = "Tue, 03 Nov 2026 10:00:00 GMT"
    site.page("/tides.html", "<p>Tides</p>", **{"Last-Modified": changed})
    memory = Memory()
    looked(made("url", url=site.url("/tides.html")), memory)
    (item,) = memory.items.values()
    assert item.modified is not None
    assert item.modified.year == 2026
    looked(made("url", url=site.url("/tides.html")), memory)
    assert site.asked[-1].headers["if-modified-since"] == changed


def test_the_secret_is_sent_as_the_authorization(site: Site) -> None:
    site.page("/tides.html", "<p>Tides</p>")
    page = made("url", url=site.url("/tides.html"), secret="Bearer word")
    assert "text/html" in page.probe()
    assert site.asked[-1].headers["authorization"] == "Bearer word"


def test_links_are_followed_to_the_depth_and_no_further(site: Site) -> None:
    site.page("/docs/", linked("one.html", "/docs/one.html#part", "two.html"))
    site.page("/docs/one.html", linked("deep.html"))
    site.page("/docs/two.html", linked("/docs/", "one.html"))
    site.page("/docs/deep.html", linked("deeper.html"))
    site.page("/docs/deeper.html", linked())
    for depth, count in ((0, 1), (1, 3), (2, 4), (3, 5)):
        found = looked(made("website", url=site.url("/docs/"), depth=depth, **QUICK), Memory())
        assert len(found) == count, depth


def test_only_pages_of_the_same_host_and_folder_are_read(site: Site) -> None:
    site.page(
        "/docs/",
        linked(
            "a.html", "/other/b.html", "http://127.0.0.2/docs/c.html", "x.png", "y.pdf",
            "mailto:a@b.c", "javascript:1", "https://[broken", "tag/z.html", "../up.html",
        ),
    )  # fmt: skip
    for path in ("/docs/a.html", "/other/b.html", "/docs/tag/z.html", "/up.html"):
        site.page(path, linked())
    site.text("/docs/y.pdf", b"%PDF-1.4", "application/pdf")
    wanted = {"url": site.url("/docs/"), "leave_out": ["/docs/tag/*"], **QUICK}
    found = paths(site, looked(made("website", **wanted), Memory()))
    assert set(found) == {"/docs/", "/docs/a.html", "/docs/y.pdf"}
    assert "/docs/x.png" not in site.paths()
    found = paths(site, looked(made("website", **wanted, whole_host=True), Memory()))
    assert set(found) == {"/docs/", "/docs/a.html", "/docs/y.pdf", "/other/b.html", "/up.html"}


def test_what_did_not_change_is_not_sent_and_its_links_are_followed(site: Site) -> None:
    site.page("/", linked("a.html"), etag='"1"')
    site.page("/a.html", linked("b.html"), etag='"1"')
    site.page("/b.html", linked(), etag='"1"')
    website, memory = made("website", url=site.url("/"), **QUICK), Memory()
    looked(website, memory)
    site.page("/b.html", linked(more="<title>new</title>"), etag='"2"')
    found = paths(site, looked(made("website", url=site.url("/"), **QUICK), memory))
    assert found == {"/": "same", "/a.html": "same", "/b.html": "changed"}


def test_a_page_that_fails_hides_nothing_behind_it(site: Site) -> None:
    site.page("/", linked("a.html"))
    site.page("/a.html", linked("b.html"))
    site.page("/b.html", linked())
    memory = Memory()
    looked(made("website", url=site.url("/"), **QUICK), memory)
    site.replies["/a.html"] = Reply(b"Try later", 503)
    found = paths(site, looked(made("website", url=site.url("/"), **QUICK), memory))
    assert found == {"/": "changed", "/a.html": "fault", "/b.html": "changed"}
    del site.replies["/a.html"]
    assert set(paths(site, looked(made("website", url=site.url("/"), **QUICK), memory))) == {"/"}


def test_robots_and_pages_that_want_to_be_left_alone_are(site: Site) -> None:
    site.text("/robots.txt", "User-agent: *\nDisallow: /private/\n", "text/plain")
    site.page("/", linked("private/a.html", "hidden.html", "quiet.html"))
    site.page("/private/a.html", linked())
    site.page("/hidden.html", linked("b.html", more='<meta name="robots" content="noindex">'))
    site.page("/quiet.html", linked("c.html", more='<meta name="ROBOTS" content="NoFollow">'))
    site.page("/b.html", linked())
    site.page("/c.html", linked())
    found = paths(site, looked(made("website", url=site.url("/"), **QUICK), Memory()))
    assert set(found) == {"/", "/quiet.html", "/b.html"}
    assert "/private/a.html" not in site.paths()
    with pytest.raises(ConnectorFault):
        looked(made("website", url=site.url("/private/"), **QUICK), Memory())
    site.replies["/robots.txt"] = Reply(b"", 500)
    with pytest.raises(ConnectorFault):
        looked(made("website", url=site.url("/"), **QUICK), Memory())


def test_a_sitemap_names_the_pages_and_what_changed(site: Site) -> None:
    def entry(path: str, day: int) -> str:
        return f"<url><loc>{site.url(path)}</loc><lastmod>2026-11-{day:02}</lastmod></url>"

    inner = f"<urlset>{entry('/a.html', 1)}{entry('/b.html', 1)}</urlset>"
    outer = f"<sitemapindex><sitemap><loc>{site.url('/pages.xml.gz')}</loc></sitemap>"
    site.text("/sitemap.xml", f"{outer}</sitemapindex>", "application/xml")
    site.text("/pages.xml.gz", gzip.compress(inner.encode()), "application/gzip")
    for path in ("/a.html", "/b.html", "/c.html"):
        site.page(path, linked("c.html"))
    website, memory = made("website", url=site.url("/sitemap.xml"), **QUICK), Memory()
    assert "2" in website.probe()
    assert paths(site, looked(website, memory)) == {"/a.html": "new", "/b.html": "new"}
    changed = inner.replace(entry("/b.html", 1), entry("/b.html", 2)).encode()
    site.text("/pages.xml.gz", gzip.compress(changed), "application/gzip")
    site.asked.clear()
    again = made("website", url=site.url("/sitemap.xml"), **QUICK)
    assert paths(site, looked(again, memory)) == {"/a.html": "same", "/b.html": "changed"}
    assert "/a.html" not in site.paths()


def test_a_sitemap_that_is_an_attack_is_no_sitemap(site: Site) -> None:
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaa">]><urlset><url><loc>&a;</loc></url></urlset>'
    site.text("/sitemap.xml", bomb, "application/xml")
    assert looked(made("website", url=site.url("/sitemap.xml"), **QUICK), Memory()) == {}


def test_beyond_the_most_pages_nothing_counts_as_gone(site: Site) -> None:
    site.page("/", linked("a.html", "b.html", "c.html"))
    for path in ("/a.html", "/b.html", "/c.html"):
        site.page(path, linked())
    memory = Memory()
    assert len(looked(made("website", url=site.url("/"), **QUICK), memory)) == 4
    found = looked(made("website", url=site.url("/"), most_pages=2, **QUICK), memory)
    assert sorted(found.values()) == ["changed", "changed", "fault", "fault"]


def test_a_page_that_leads_inside_is_a_fault_and_not_read(site: Site) -> None:
    names = {"wiki.test": ["127.0.0.1"]}
    site.page("/", linked("go.html", "away.html"))
    site.redirect("/go.html", "http://10.0.0.1/secret")
    site.redirect("/away.html", site.url("/secret.html"))
    site.page("/secret.html", "secret")
    start = site.url("/", host="wiki.test")
    website = made("website", url=start, fetcher=guarded("wiki.test", names=names), **QUICK)
    found = looked(website, Memory())
    assert {key.rpartition("/")[2]: what for key, what in found.items()} == {
        "": "new", "go.html": "fault",
    }  # fmt: skip


def test_the_text_of_a_page_is_what_was_sent(site: Site) -> None:
    site.page("/", "<p>Só as marés</p>")
    (item,) = list(made("website", url=site.url("/"), **QUICK).items(Memory()))
    assert content_of(item).decode() == "<p>Só as marés</p>"
    assert (item.filename, item.content_type) == ("127.0.0.1.html", "text/html")
