"""A server looks for garbage among what is new, and finds it."""

import subprocess
import sys

PROGRAM = """
import gc, weakref
from project.collecting import settle

class Pair:
    pass

def circle():
    one, other = Pair(), Pair()
    one.other, other.other = other, one
    return weakref.ref(one)

settle()
assert gc.get_freeze_count() > 1000
gone = circle()
kept = [[] for _ in range(300_000)]
assert gone() is None
"""


def test_what_was_there_is_left_alone_and_what_comes_is_still_collected() -> None:
    """In a process of its own: this one is settled, or not, as the tests want it."""
    subprocess.run([sys.executable, "-c", PROGRAM], check=True, timeout=60)
