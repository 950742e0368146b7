"""Who is there: at a desk (the inbox is open), or in a conversation. Kept in Redis, for a while.

A member of a sorted set is `{who}|{socket}`, its score the moment until which it counts: a tab
that is closed, and a process that dies, are gone within HERE_SECONDS.
"""

import secrets
import time
import uuid
from dataclasses import dataclass
from typing import Any

import redis
import redis.asyncio
from django.db.models import Q

from chat.handoff.news import DESK
from knowledge.models import Space
from project.accounts.choices import Role
from project.accounts.models import User
from project.quick_redis import aquick, quick

HERE_SECONDS = 45.0
_KEY = "acervo:handoff-here:{}"


@dataclass(frozen=True, slots=True)
class Here:
    """The presence of one socket; `place` is a handoff, or the desk."""

    place: uuid.UUID | str
    member: str

    @classmethod
    def of(cls, place: uuid.UUID | str, who: str) -> "Here":
        """Return the presence of a new socket of `who`."""
        return cls(place, f"{who}|{secrets.token_hex(6)}")

    async def come(self) -> None:
        """Be there, for the next HERE_SECONDS."""
        await self._write(time.time() + HERE_SECONDS)

    async def go(self) -> None:
        """Be there no longer."""
        await self._write(None)

    async def _write(self, until: float | None) -> None:
        key = _KEY.format(self.place)

        async def write(client: redis.asyncio.Redis) -> None:
            pipe = client.pipeline(transaction=False)
            if until is None:
                pipe.zrem(key, self.member)
            else:
                pipe.zadd(key, {self.member: until})
                pipe.expire(key, int(HERE_SECONDS) + 1)
            await pipe.execute()

        await aquick(write)


def present(place: uuid.UUID | str) -> set[str]:
    """Return who is there; nobody while Redis is away."""
    key = _KEY.format(place)
    members: Any = quick(lambda client: client.zrangebyscore(key, time.time(), "+inf"))
    return {member.decode().partition("|")[0] for member in members or ()}


def at_desk(space: Space) -> int:
    """Return how many operators of a space have their inbox open."""
    known = [int(each) for each in present(DESK) if each.isdigit()]
    return operators_of(space).filter(pk__in=known).count() if known else 0


def operators_of(space: Space) -> Any:
    """Return the people who may answer in a space: staff who edit it."""
    return User.objects.filter(
        Q(is_superuser=True)
        | Q(groups__space_roles__space=space, groups__space_roles__role__gte=Role.EDITOR),
        is_active=True,
        is_staff=True,
    ).distinct()
