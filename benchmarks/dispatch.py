"""How fast messages are dispatched, and whether once and in order, however their events arrive.

Usage: python benchmarks/dispatch.py [MESSAGES] [CONVERSATIONS]

Messages of all classes wait in many conversations (10,000 in 1,000), as after an hour without an
agent. The event of each is put on the stream one to five times, all of them shuffled. Two processes
read the stream as agents do, and dispatch. Half of the spaces have somebody at the desk, so that
what no knowledge base can answer goes to triage: an effect that would show if it came twice, or out
of turn. Some conversations are then answered by two claimers at once.

Printed are events a second of wall time and of processor time, of the two processes and of
PostgreSQL. Ends with 1 when anything happened twice, not at all, or out of order.
"""

import asyncio
import json
import os
import random
import subprocess
import sys
import threading
import time
import uuid
from typing import Any

import processes
import stage

MESSAGES, CONVERSATIONS = 10_000, 1_000
MOST_DELIVERIES = 5
DISPATCHERS = 2
CLAIMED = 20  # conversations
IDLE_MS = 1500  # without an event, a dispatcher is done
KINDS = {
    "question": ("When does the ferry to pier {n} sail?", "Quanto custa o bilhete {n}?"),
    "follow_up": ("And pier {n}?", "E para {n}?"),
    "small_talk": ("Hello!", "Muito obrigado!"),
    "command": ("/help", "/ajuda"),
    "out_of_scope": ("Tell me a joke", "Que horas são?"),
}
WEIGHTS = (60, 18, 10, 4, 8)


def main() -> None:
    """Measure, check, and print."""
    if sys.argv[1:2] == ["--dispatcher"]:
        sys.exit(asyncio.run(dispatcher()))
    messages = int(sys.argv[1]) if len(sys.argv) > 1 else MESSAGES
    count = int(sys.argv[2]) if len(sys.argv) > 2 else CONVERSATIONS
    stage.begin()
    machine = stage.machine()
    kinds, turns = store(messages, count)
    delivered = deliver([turn for each in turns for turn in each])
    told, before = run()
    spent = processes.processor_seconds(processes.postgres_processes())["PostgreSQL"] - before
    faults = [*check(kinds, turns, told), *claim(turns[:CLAIMED])]
    show(machine, messages, count, delivered, told, spent)
    for each in faults[:20]:
        print(each)
    sys.exit(1 if faults else 0)


def store(messages: int, count: int) -> tuple[list[list[str]], list[list[uuid.UUID]]]:
    """Store conversations with messages; return the classes and the turns of each."""
    from django.contrib.auth.models import Group

    from chat.models import Conversation, Message, Turn
    from knowledge.models import SpaceRole
    from project.accounts.choices import Role
    from project.accounts.models import User

    chance = random.Random(20)
    user = User.objects.create_user("asker")
    spaces = [stage.make_space(name) for name in ("watched", "alone")]
    operator = User.objects.create_user("operator", is_staff=True)
    group = Group.objects.create(name="desk")
    operator.groups.add(group)
    SpaceRole.objects.create(group=group, space=spaces[0], role=Role.EDITOR)
    sit_down(operator.pk)
    conversations = Conversation.objects.bulk_create(
        [Conversation(user=user, space=spaces[n % 2]) for n in range(count)]
    )
    kinds: list[list[str]] = [[] for _ in conversations]
    rows: list[list[Any]] = [[] for _ in conversations]
    for n in range(messages):
        at = n % count
        kind = chance.choices(list(KINDS), WEIGHTS)[0]
        kind = "question" if kind == "follow_up" and not rows[at] else kind
        text = chance.choice(KINDS[kind]).format(n=n)
        parent = rows[at][-1] if rows[at] else None
        rows[at].append(
            Message(conversation=conversations[at], parent=parent, role="user", content=text)
        )
        kinds[at].append(kind)
    depth = max(map(len, rows))
    turns: list[list[uuid.UUID]] = [[] for _ in conversations]
    for level in range(depth):  # parents first, and created_at in the order of the messages
        some = [each[level] for each in rows if len(each) > level]
        Message.objects.bulk_create(some, batch_size=2000)
        made = Turn.objects.bulk_create(
            [Turn(conversation=each.conversation, question=each) for each in some],
            batch_size=2000,
        )
        for at, turn in enumerate(made):
            turns[at].append(turn.pk)
    return kinds, turns


def sit_down(operator: int) -> None:
    """Have an operator at the desk for as long as this takes."""
    from project.aio import sync_redis

    sync_redis().zadd("acervo:handoff-here:desk", {f"{operator}|bench": time.time() + 3600})


def deliver(turns: list[uuid.UUID]) -> int:
    """Put the event of each turn on the stream one to five times; return how many that are."""
    from chat.agent import GROUP
    from project.aio import sync_redis
    from project.events import bus

    sync_redis().xgroup_create(bus.STREAM, GROUP, id="0", mkstream=True)
    chance = random.Random(21)
    entries = [
        (n, "chat.message.received", turn)
        for n, turn in enumerate(turns)
        for _ in range(chance.randint(1, MOST_DELIVERIES))
    ]
    chance.shuffle(entries)
    for at in range(0, len(entries), 2000):
        if not bus.publish_many(entries[at : at + 2000]):
            sys.exit("The stream took no events.")
    return len(entries)


def run() -> tuple[list[dict[str, Any]], float]:
    """Run the dispatchers, all from the same moment on.

    Return what they tell, and the seconds that PostgreSQL had used before.
    """
    began = [
        subprocess.Popen(
            [sys.executable, __file__, "--dispatcher"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(DISPATCHERS)
    ]
    for each in began:
        assert each.stdout is not None
        each.stdout.readline()  # it is ready
    before = processes.processor_seconds(processes.postgres_processes())["PostgreSQL"]
    for each in began:
        assert each.stdin is not None
        each.stdin.write("go\n")
        each.stdin.flush()
    return [json.loads(each.communicate()[0].splitlines()[-1]) for each in began], before


async def dispatcher() -> int:
    """Read events as an agent does, and dispatch them; tell what it took. A process of its own."""
    import django

    os.environ["DJANGO_SETTINGS_MODULE"] = "project.settings"
    django.setup()
    from chat.agent import GROUP, WAKE_EVENT
    from chat.dispatching.dispatcher import dispatch
    from chat.dispatching.inbox import BATCH, Inbox
    from chat.metrics import dispatched
    from project.aio import in_thread, redis_client
    from project.events import bus

    inbox, client = Inbox(dispatch), await redis_client()
    await in_thread(dispatch, [uuid.uuid4()])  # a connection, as a running agent has
    print("ready", flush=True)
    sys.stdin.readline()
    cpu, began, heard, last = time.process_time(), time.monotonic(), 0, 0.0
    while True:
        wait = 1 if len(inbox) else IDLE_MS
        entries = await bus.read_group(
            client, GROUP, f"bench-{os.getpid()}", count=BATCH, block_ms=wait, acknowledge=True
        )
        heard += len(entries)
        inbox.put(e.subject_id for e in entries if e.type == WAKE_EVENT and e.subject_id)
        if not len(inbox):
            break  # after IDLE_MS: what was busy has come back by then
        await inbox.dispatch_next()
        last = time.monotonic()
    used = time.process_time() - cpu
    counts = [
        [sample.labels["class"], sample.labels["route"], int(sample.value)]
        for metric in dispatched.collect()
        for sample in metric.samples
        if sample.name.endswith("_total")
    ]
    print(json.dumps({"heard": heard, "cpu": used, "wall": last - began, "counts": counts}))
    return 0


def expected(kinds: list[list[str]]) -> list[list[tuple[str, str]]]:
    """Return class and route of every message, as one dispatcher would choose them one by one."""
    found = []
    for at, row in enumerate(kinds):
        is_taken = at % 2 == 0 and row[0] == "out_of_scope"  # somebody is at the desk
        routes = ["triage", *["human"] * (len(row) - 1)] if is_taken else ["ai"] * len(row)
        found.append(list(zip(row, routes, strict=True)))
    return found


def check(
    kinds: list[list[str]], turns: list[list[uuid.UUID]], told: list[dict[str, Any]]
) -> list[str]:
    """Return in words what is not as it should be."""
    from chat.models import Handoff, Turn
    from project.aio import sync_redis
    from project.events.models import Event

    wanted = expected(kinds)
    rows = Turn.objects.values_list("pk", "message_class", "dispatched_to")
    there = {pk: (kind, route) for pk, kind, route in rows.iterator(chunk_size=5000)}
    faults = [
        f"turn {pk}: {there[pk]}, not {want}"
        for some, wants in zip(turns, wanted, strict=True)
        for pk, want in zip(some, wants, strict=True)
        if there[pk] != want
    ]
    triaged = [some[0] for some, want in zip(turns, wanted, strict=True) if want[0][1] == "triage"]
    counts = {
        "messages counted": (sum(n for each in told for *_, n in each["counts"]), len(there)),
        "handoffs": (Handoff.objects.count(), len(triaged)),
        "events of handoffs": (
            Event.objects.filter(type="chat.handoff.requested").count(),
            len(triaged),
        ),
        "ends told": (sum(sync_redis().xlen(f"turn:{pk}") for pk in triaged), len(triaged)),
    }
    return faults + [f"{name}: {a}, not {b}" for name, (a, b) in counts.items() if a != b]


def claim(conversations: list[list[uuid.UUID]]) -> list[str]:
    """Have two claimers answer conversations at once; return in words where order was broken."""
    from chat.choices import TurnStatus
    from chat.claiming import turn_claim
    from chat.finishing import Ending, turn_finish
    from chat.models import Turn
    from chat.types import AnswerDraft

    queued = set(Turn.objects.filter(status=TurnStatus.QUEUED).values_list("pk", flat=True))
    wanted = [[pk for pk in each if pk in queued] for each in conversations]
    order: dict[uuid.UUID, list[uuid.UUID]] = {}
    left = {pk for each in wanted for pk in each}
    running: set[uuid.UUID] = set()
    faults: list[str] = []
    lock = threading.Lock()

    def work(chance: random.Random) -> None:
        while left and not faults:
            with lock:
                tried = sorted(left)
            for pk in chance.sample(tried, len(tried)):
                claimed = turn_claim(pk, agent=threading.current_thread().name)
                if claimed is None:
                    continue
                with lock:
                    if claimed.conversation_id in running:
                        faults.append(f"two turns of {claimed.conversation_id} at once")
                    running.add(claimed.conversation_id)
                    order.setdefault(claimed.conversation_id, []).append(pk)
                    left.discard(pk)
                time.sleep(chance.random() / 1000)
                with lock:
                    running.discard(claimed.conversation_id)
                turn_finish(claimed, AnswerDraft(), Ending(TurnStatus.STOPPED), last_seq=1)

    threads = [threading.Thread(target=work, args=(random.Random(n),)) for n in range(2)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    answered = {tuple(each) for each in order.values()}
    return faults + [
        f"answered out of order: {each}" for each in wanted if each and tuple(each) not in answered
    ]


def show(
    machine: str,
    messages: int,
    count: int,
    delivered: int,
    told: list[dict[str, Any]],
    postgres: float,
) -> None:
    """Print the table."""
    cpu, wall = sum(each["cpu"] for each in told), max(each["wall"] for each in told)
    heard = " and ".join(f"{each['heard']:,}" for each in told)
    stage.table(
        f"{messages:,} messages in {count:,} conversations, {delivered:,} events (each one to"
        f" {MOST_DELIVERIES} times, shuffled), {DISPATCHERS} dispatchers that heard {heard};"
        f" {machine}",
        ["", "processor s", "messages a second", "events a second"],
        [
            row("dispatchers, of one core's time", cpu, messages, delivered),
            row("with PostgreSQL's part", cpu + postgres, messages, delivered),
            row("as it took", wall, messages, delivered),
        ],
    )


def row(name: str, seconds: float, messages: int, delivered: int) -> list[str]:
    """Return a row of the table."""
    return [name, f"{seconds:.2f}", f"{messages / seconds:,.0f}", f"{delivered / seconds:,.0f}"]


if __name__ == "__main__":
    main()
