"""Writes of accounts: keys of programs."""

import datetime
from collections.abc import Iterable

import structlog
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from project.accounts.choices import Scope
from project.accounts.models import ApiKey, User
from project.http.errors import Forbidden, Invalid, NotFound

SHOWN = 8  # characters of a secret by which its owner knows it again
log = structlog.get_logger(__name__)


@transaction.atomic
def api_key_create(
    *,
    acting_user: User,
    name: str,
    scopes: Iterable[str],
    user: User | None = None,
    expires_at: datetime.datetime | None = None,
    secret: str | None = None,
) -> tuple[ApiKey, str]:
    """Create a key and return it with its secret, which is shown this once only.

    `user` is who the key acts for, the acting user by default; others need a superuser, and so
    does the scope over the memory of any subject. `secret` is for operators who bring their own.
    Raises Forbidden and Invalid.
    """
    holder = user or acting_user
    wanted = list(dict.fromkeys(scopes))
    if not acting_user.is_superuser:
        if holder.pk != acting_user.pk:
            raise Forbidden(_("You may create keys for yourself only."))
        if {Scope.MEMORY_ANY, Scope.ADMIN} & set(wanted):
            raise Forbidden(_("Only an administrator may give this scope."), field="scopes")
    if not name.strip():
        raise Invalid(_("Name the key after what it is used for."), field="name")
    if not wanted or set(wanted) - set(Scope.values):
        raise Invalid(_("Choose one or more of the known scopes."), field="scopes")
    if expires_at is not None and expires_at <= timezone.now():
        raise Invalid(_("The key would be expired already."), field="expires_at")
    secret = secret or ApiKey.new_secret()
    key = ApiKey.objects.create(
        user=holder,
        name=name.strip(),
        prefix=secret[: min(SHOWN, len(secret) // 3)],
        hash=ApiKey.hash_of(secret),
        scopes=wanted,
        expires_at=expires_at,
    )
    log.info("api_key_created", key=str(key.pk), user=holder.pk, by=acting_user.pk)
    return key, secret


@transaction.atomic
def api_key_revoke(*, acting_user: User, key: ApiKey) -> ApiKey:
    """Make a key unusable from now on; repeating it changes nothing. Raises NotFound."""
    keys = ApiKey.objects.select_for_update()
    row = keys.filter(pk=key.pk).first()
    if row is None or not (acting_user.is_superuser or row.user_id == acting_user.pk):
        raise NotFound(_("There is no such object, or it is not yours to see."))
    if row.revoked_at is None:
        row.revoked_at = timezone.now()
        row.save(update_fields=["revoked_at"])
        log.info("api_key_revoked", key=str(row.pk), by=acting_user.pk)
    return row
