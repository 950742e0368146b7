"""Django's cache in Redis: one that is away or hangs is an empty cache, and costs no time.

Sessions are read through it, so that a hanging Redis would hold up every request.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from project.quick_redis import quick

if TYPE_CHECKING:
    from django.core.cache.backends.base import BaseCache as RedisCache
else:
    from django_redis.cache import RedisCache


class QuickCache(RedisCache):
    """`django_redis` behind `quick_redis`; its option IGNORE_EXCEPTIONS must be off."""

    def get(self, key: Any, default: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Return a value; `default` also while Redis is away."""
        return _asked(lambda: super(QuickCache, self).get(key, default, *args, **kwargs), default)

    def get_many(self, *args: Any, **kwargs: Any) -> Any:
        """Return values by their keys; none while Redis is away."""
        return _asked(lambda: super(QuickCache, self).get_many(*args, **kwargs), {})

    def has_key(self, *args: Any, **kwargs: Any) -> bool:
        """Return whether there is a value."""
        return bool(_asked(lambda: super(QuickCache, self).has_key(*args, **kwargs), default=False))

    def set(self, *args: Any, **kwargs: Any) -> Any:
        """Keep a value, or not."""
        return _asked(lambda: super(QuickCache, self).set(*args, **kwargs), default=False)

    def set_many(self, *args: Any, **kwargs: Any) -> Any:
        """Keep values, or not."""
        return _asked(lambda: super(QuickCache, self).set_many(*args, **kwargs), [])

    def add(self, *args: Any, **kwargs: Any) -> Any:
        """Keep a value if there is none; while Redis is away there is none, and it is not kept."""
        return _asked(lambda: super(QuickCache, self).add(*args, **kwargs), default=True)

    def touch(self, *args: Any, **kwargs: Any) -> Any:
        """Prolong a value."""
        return _asked(lambda: super(QuickCache, self).touch(*args, **kwargs), default=False)

    def delete(self, *args: Any, **kwargs: Any) -> Any:
        """Forget a value."""
        return _asked(lambda: super(QuickCache, self).delete(*args, **kwargs), default=False)

    def delete_many(self, *args: Any, **kwargs: Any) -> Any:
        """Forget values."""
        return _asked(lambda: super(QuickCache, self).delete_many(*args, **kwargs), 0)


def _asked(use: Callable[[], Any], default: Any) -> Any:
    """Return what the cache answers; `default` while Redis is away."""
    answer = quick(lambda _client: (use(),))
    return default if answer is None else answer[0]
