"""How many chat messages a person may send."""

from django.conf import settings
from django.db.models import Max

from project.accounts.models import GroupAllowance, User
from project.ratelimit import windows_of


def message_limit(user: User) -> str:
    """Return the limit of a person, "" for none.

    Their own; else the widest of what everybody has, what their groups allow, and, for superusers,
    the premium limit. Guests have one of their own.
    """
    if user.is_guest:
        return settings.ACERVO_RATE_GUEST
    if not settings.ACERVO_RATE_MESSAGES:
        return ""
    if user.messages_per_hour is not None:
        return f"{user.messages_per_hour}/hour"
    groups = GroupAllowance.objects.filter(group__user=user)
    return limit_with(user, groups.aggregate(most=Max("messages_per_hour"))["most"])


def limit_with(user: User, most: int | None) -> str:
    """Do the same where `most` is known: what the groups of the person allow at most."""
    if user.is_guest or not settings.ACERVO_RATE_MESSAGES or user.messages_per_hour is not None:
        return message_limit(user)  # whatever groups say
    limits = [settings.ACERVO_RATE_MESSAGES]
    if most is not None:
        limits.append(f"{most}/hour")
    if user.is_superuser and settings.ACERVO_RATE_MESSAGES_PREMIUM:
        limits.append(settings.ACERVO_RATE_MESSAGES_PREMIUM)
    return max(limits, key=_hits_a_second)


def message_limits(user: User) -> dict[str, str]:
    """Return all limits that a message of somebody counts against, by who is counted.

    A guest counts for themselves and for the address; who is none yet has used nothing. Empty for
    no limit.
    """
    limits = {str(user.pk or "nobody"): message_limit(user)}
    if user.is_guest:
        limits[f"address:{user.address}"] = settings.ACERVO_RATE_GUEST_ADDRESS
    return {who: limit for who, limit in limits.items() if limit}


def _hits_a_second(limit: str) -> float:
    """Return what a limit lets through in the long run."""
    return min(each.limit / each.seconds for each in windows_of(limit))
