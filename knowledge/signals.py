"""Signals with which apps above take part in what knowledge does. All are sent synchronously."""

from django.dispatch import Signal

versions_erased = Signal()
"""Sent inside the transaction of an erase for legal reasons, before a node itself is deleted.

Keyword arguments: `node_id` (UUID), `versions` (list of numbers; all of them for a whole node).
Receivers remove every copy of the text that they keep. What they raise stops the erase.
"""
