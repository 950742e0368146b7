"""The line between page and server: cut, blocked, silent or slow, the answer comes all the same."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Request, Route, WebSocketRoute, expect

from knowledge.models import Node
from tests.browser.conftest import Acervo, Visit
from tests.browser.test_chat import LONG, ask

SOCKETS = re.compile(r"/ws/chat/")


def _answered(page: Page) -> None:
    answer = page.locator(".answer")
    expect(answer).to_have_attribute("data-status", "completed", timeout=30_000)
    assert page.locator(".answer-body").inner_text().count("of a long answer.") == 12


def _asked_for(page: Page, part: str) -> list[str]:
    """Return the addresses with that part that are asked for from now on."""
    found: list[str] = []

    def note(request: Request) -> None:
        if part in request.url:
            found.append(request.url)

    page.on("request", note)
    return found


def _refuse(socket: WebSocketRoute) -> None:
    socket.close(code=3000)


def _stay_silent(socket: WebSocketRoute) -> None:
    """Open, and let nothing through."""


@pytest.mark.parametrize("block", [_refuse, _stay_silent])
def test_where_sockets_are_blocked_the_answer_streams_over_http(
    visit: Visit, acervo: Acervo, tides: Node, block: Callable[[WebSocketRoute], None]
) -> None:
    acervo.model.behave(answer=LONG, token_delay=0.02)
    page = visit.page
    page.route_web_socket(SOCKETS, block)
    streams = _asked_for(page, "/events/")
    page.goto("/")
    ask(page)
    _answered(page)
    assert streams


def test_where_streams_are_blocked_too_the_answer_is_polled(
    visit: Visit, acervo: Acervo, tides: Node
) -> None:
    acervo.model.behave(answer=LONG, token_delay=0.08)
    page = visit.page
    page.route_web_socket(SOCKETS, _refuse)
    page.route("**/events/**", lambda route: route.abort())
    polls = _asked_for(page, "/poll/")
    page.goto("/")
    ask(page)
    _answered(page)
    assert polls


def test_a_stream_that_is_kept_back_is_given_up_for_polling(
    visit: Visit, acervo: Acervo, tides: Node
) -> None:
    acervo.model.behave(answer=LONG, token_delay=0.3)
    page = visit.page
    page.route_web_socket(SOCKETS, _refuse)
    held: list[Route] = []
    page.route("**/events/**", lambda route: held.append(route))
    polls = _asked_for(page, "/poll/")
    page.goto("/")
    ask(page)
    expect(page.locator(".answer-body")).to_contain_text("Paragraph 1", timeout=30_000)
    assert held
    assert polls


def test_a_reader_that_was_too_slow_comes_back_for_what_it_missed(
    visit: Visit, acervo: Acervo, tides: Node
) -> None:
    acervo.model.behave(answer=LONG, token_delay=0.04)
    page = visit.page
    opened: list[WebSocketRoute] = []

    def cut_the_first(socket: WebSocketRoute) -> None:
        opened.append(socket)
        server = socket.connect_to_server()
        if len(opened) > 1:
            return
        heard: list[str | bytes] = []

        def pass_on(message: str | bytes) -> None:
            heard.append(message)
            if len(heard) == 9:
                socket.close(code=4413, reason="too slow")
            elif len(heard) < 9:
                socket.send(message)

        server.on_message(pass_on)

    page.route_web_socket(SOCKETS, cut_the_first)
    page.goto("/")
    ask(page)
    _answered(page)
    assert len(opened) > 1


def test_a_connection_that_another_sign_in_replaced_is_tried_once_more(
    visit: Visit, acervo: Acervo, tides: Node
) -> None:
    acervo.model.behave(answer=LONG, token_delay=0.04)
    page = visit.page
    opened: list[WebSocketRoute] = []

    def sign_out_the_first(socket: WebSocketRoute) -> None:
        opened.append(socket)
        server = socket.connect_to_server()
        if len(opened) == 1:
            heard: list[str | bytes] = []

            def pass_on(message: str | bytes) -> None:
                heard.append(message)
                if len(heard) == 5:
                    socket.close(code=4401)
                elif len(heard) < 5:
                    socket.send(message)

            server.on_message(pass_on)

    page.route_web_socket(SOCKETS, sign_out_the_first)
    page.goto("/")
    ask(page)
    _answered(page)
    expect(page.locator("[data-banner]")).to_be_hidden()


def test_tries_are_spread_by_chance_over_a_time_that_doubles_up_to_thirty_seconds(
    visit: Visit, acervo: Acervo
) -> None:
    page = visit.page
    page.goto("/")
    waits = page.evaluate(
        """async () => {
          const { liveSocket } = await import("/static/acervo/js/socket.js");
          const later = window.setTimeout;
          const found = { early: [], late: [] };
          for (const [name, chance] of [["early", 0], ["late", 1]]) {
            Math.random = () => chance;
            const sockets = [];
            window.WebSocket = class extends EventTarget {
              constructor() { super(); sockets.push(this); }
              close() {}
              send() {}
            };
            const timers = [];
            window.setTimeout = (call, wait) => timers.push([call, wait]);
            const socket = liveSocket(() => "/ws/chat/x/");
            socket.open();
            const fail = (kind, extra) =>
              sockets.at(-1).dispatchEvent(Object.assign(new Event(kind), extra));
            // Something was heard once, so that the line counts as one that works.
            fail("message", { data: '{"type":"pong"}' });
            for (let attempt = 0; attempt < 7; attempt += 1) {
              fail("close", { code: 1006 });
              const [connect, wait] = timers.at(-1);
              found[name].push(wait);
              connect();
            }
            window.setTimeout = later;
          }
          return found;
        }"""
    )
    assert waits["early"] == [0] * 7
    assert waits["late"] == [2000, 4000, 8000, 16000, 30000, 30000, 30000]


def test_what_is_asked_elsewhere_is_there_at_once_or_when_the_page_is_looked_at_again(
    visit: Visit, acervo: Acervo, tides: Node
) -> None:
    acervo.model.behave(answer="At **11:40** [1].")
    page = visit.page
    page.goto("/")
    ask(page)
    expect(page.locator(".answer")).to_have_attribute("data-status", "completed")
    tab = page.context.new_page()
    machine = page.context.browser.new_context(storage_state=page.context.storage_state())
    other = machine.new_page()
    for each in (tab, other):
        each.goto(page.url)
    ask(page, "And on 4 May?")
    for each in (page, tab):
        expect(each.locator(".question")).to_have_count(2)
        expect(each.locator(".answer").last).to_have_attribute("data-status", "completed")
        expect(each.locator(".answer").last).to_contain_text("11:40")
    expect(other.locator(".question")).to_have_count(1)
    with other.expect_navigation():
        other.evaluate("window.dispatchEvent(new Event('focus'))")
    expect(other.locator(".question")).to_have_count(2)
    expect(other.locator(".answer").last).to_contain_text("11:40")
    machine.close()


def test_text_that_comes_while_the_page_goes_to_the_end_does_not_hold_it_back(
    visit: Visit, tides: Node
) -> None:
    page = visit.page
    page.goto("/")
    rest = page.evaluate(
        """async () => {
          const box = document.querySelector("[data-scroller]");
          const thread = document.querySelector("[data-thread]");
          for (let count = 0; count < 30; count += 1) {
            const block = document.createElement("div");
            block.style.height = "100px";
            thread.append(block);
            await new Promise((done) => setTimeout(done, 8));
          }
          await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
          return box.scrollHeight - box.scrollTop - box.clientHeight;
        }"""
    )
    assert rest < 2
