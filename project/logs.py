"""Structured logs: one line an event, with the trace id of the work that made it."""

import logging.config

import structlog
from structlog.types import Processor

_SHARED: list[Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.StackInfoRenderer(),
]


def _is_no_probe(record: logging.LogRecord) -> bool:
    """Leave out what Django says of a health check that answers 503: the asker reads the answer."""
    request = getattr(record, "request", None)
    return not getattr(request, "path", "").startswith("/health/")


def _is_no_socket(record: logging.LogRecord) -> bool:
    """Leave out the server's lines about sockets: their addresses carry the callers' tokens."""
    line = str(record.msg)
    return '"WebSocket' not in line and not line.startswith("connection ")


def configure_logs(*, form: str, level: str) -> None:
    """Set up logging for this process; `form` is `console` or `json`."""
    renderer: Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if form == "json"
        else structlog.dev.ConsoleRenderer(colors=False, pad_event_to=0)
    )
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "filters": {
                "no_probes": {"()": lambda: _is_no_probe},
                "no_sockets": {"()": lambda: _is_no_socket},
            },
            "formatters": {
                "plain": {
                    "()": structlog.stdlib.ProcessorFormatter,
                    "processors": [
                        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                        structlog.processors.format_exc_info,
                        renderer,
                    ],
                    "foreign_pre_chain": _SHARED,
                }
            },
            "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "plain"}},
            "root": {"handlers": ["stderr"], "level": level},
            "loggers": {
                "django.request": {"filters": ["no_probes"]},
                "uvicorn.access": {"level": "WARNING"},
                "uvicorn.error": {"filters": ["no_sockets"]},
                "httpx": {"level": "WARNING"},
                "httpx2": {"level": "WARNING"},
                "openai": {"level": "WARNING"},
                "axes": {"level": "WARNING"},
                "celery.app.trace": {"level": "WARNING"},
                "celery.worker.strategy": {"level": "WARNING"},
                "celery.beat": {"level": "WARNING"},
            },
        }
    )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_SHARED,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.processors.UnicodeDecoder(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
