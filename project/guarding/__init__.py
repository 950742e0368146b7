"""Rules about untrusted text: what it may hold, and what in it speaks to a model instead of people.

Pure: text in, findings out. Used for messages, for passages of a prompt and for nodes. A finding is
a reason to look, never a verdict: nothing here decides what happens to a text.
"""

from project.guarding._characters import Cleaned, cleaned
from project.guarding._folding import folded, folded_words
from project.guarding._signals import SUSPECT, Signal, Signals, signals_of

__all__ = [
    "SUSPECT",
    "Cleaned",
    "Signal",
    "Signals",
    "cleaned",
    "folded",
    "folded_words",
    "signals_of",
]
