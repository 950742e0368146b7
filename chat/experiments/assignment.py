"""Which arm of an experiment a person falls to. Pure.

Weighted rendezvous hashing (Thaler and Ravishankar, 1998; weights by Schindelhauer and Schomaker,
2005): every arm draws a number from the experiment, the arm and the person, and the best one wins.
The same person falls to the same arm for as long as the shares stay; where a share grows, people
only come to that arm, and nobody moves between the others.
"""

import hashlib
import math
import uuid
from collections.abc import Sequence

_RANGE = 2**64


def chosen_arm(
    experiment: uuid.UUID, user_id: int, arms: Sequence[tuple[uuid.UUID, int]]
) -> uuid.UUID | None:
    """Return the arm of a person among pairs of id and weight; None where no weight is over 0."""
    scored = [
        (weight / -math.log(_uniform(experiment, arm, user_id)), arm.bytes, arm)
        for arm, weight in arms
        if weight > 0
    ]
    return max(scored)[2] if scored else None


def _uniform(experiment: uuid.UUID, arm: uuid.UUID, user_id: int) -> float:
    """Return a number between 0 and 1, neither included."""
    text = f"{experiment}/{arm}/{user_id}".encode()
    number = int.from_bytes(hashlib.blake2b(text, digest_size=8).digest())
    return (number + 0.5) / _RANGE if number < _RANGE - 1024 else 1 - 2.0**-53
