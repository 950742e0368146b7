"""Webhooks: events for other programs, by the Standard Webhooks specification.

A delivery is a row that is written in the transaction of its event; a task sends what is due, one
webhook at a time, each event as far as the webhook's owner may know of it when it is sent.
"""
