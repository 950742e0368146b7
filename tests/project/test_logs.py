import logging

import pytest


@pytest.mark.parametrize(
    ("line", "is_kept"),
    [
        ('%s - "WebSocket %s" [accepted]', False),
        ('%s - "WebSocket %s" 403', False),
        ("connection open", False),
        ("connection rejected (%d %s)", False),
        ("Shutting down", True),
    ],
)
def test_the_token_in_a_socket_address_is_not_logged(line: str, is_kept: bool) -> None:
    record = logging.LogRecord("uvicorn.error", logging.INFO, "", 0, line, (), None)
    assert bool(logging.getLogger("uvicorn.error").filter(record)) is is_kept
