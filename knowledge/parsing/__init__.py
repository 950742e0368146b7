from knowledge.parsing.types import PageSpan

__all__ = ["PageSpan"]
