"""Run an agent: it answers questions and applies events, until it is told to stop."""

import argparse
import asyncio
import signal
import sys
from typing import Any

import redis
import structlog
from django.core.management.base import BaseCommand

from chat.agent import Agent
from chat.answering import answer_turn, warm_up
from project.aio import in_thread
from project.collecting import settle
from project.events.worker import EventWorker
from project.heartbeat import pulse, withdraw

# The event loop shares the interpreter with the threads that ask the database. With the default of
# 5 ms it waits that long for its turn after every write to a socket while such a thread computes.
SWITCH_SECONDS = 0.0005
log = structlog.get_logger(__name__)


class Command(BaseCommand):
    """The agent process."""

    help = "Answer questions and apply events until SIGTERM or SIGINT."
    requires_system_checks: list[str] = []  # they load every page, which an agent never serves

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Take the number of turns at once."""
        parser.add_argument(
            "--turns", type=int, default=None, help="Turns at once (ACERVO_AGENT_TURNS)."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Run."""
        sys.setswitchinterval(SWITCH_SECONDS)
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(_serve(options["turns"]))


def _loop_factory() -> Any:
    """Return uvloop's loop where it is installed; the standard one does as well."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


async def _serve(turns: int | None) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    await in_thread(warm_up)  # the first question must not pay for loading the models
    settle()
    # One event at a time: what handlers compute, answers that are being written wait for.
    agent, worker = Agent(answer_turn, capacity=turns), EventWorker(concurrency=1)
    work = [asyncio.create_task(agent.run()), asyncio.create_task(worker.run())]
    beating = asyncio.create_task(pulse("agent"))
    log.info("agent_ready", name=agent.name)
    ended = asyncio.create_task(stopping.wait())
    await asyncio.wait([ended, *work], return_when=asyncio.FIRST_COMPLETED)
    beating.cancel()
    agent.stop()
    worker.stop()
    await asyncio.gather(*work)
    await in_thread(_sign_off)
    log.info("agent_stopped", name=agent.name)


def _sign_off() -> None:
    try:
        withdraw("agent")
    except redis.RedisError as error:
        log.info("heartbeat_not_withdrawn", error=type(error).__name__)
