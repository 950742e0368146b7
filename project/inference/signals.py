"""Signals with which apps above take part in what models cost. All are sent synchronously."""

from django.dispatch import Signal

budget_passed = Signal()
"""Sent when a month has used so much of a budget, in the transaction that counts it.

Keyword argument: `notice` (a `BudgetNotice` that was just made). There is one a budget, month and
percentage, so that each is sent once, whatever many processes count.
"""
