"""Handing a conversation to a person, and back.

Direction: `wording`, `states`, `querysets` (pure, and reads of rows) <- `news`, `presence`
(Redis) <- `line` (following a handoff live) and `desk` (what the inbox shows).
The writes are `chat.services.handoffs`.
"""
