"""Writes of releases: curators make them, managers delete them whole."""

import datetime

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from knowledge.access import not_found, role_require
from knowledge.models import Release, Space
from knowledge.release_writing import release_write, releases_removable
from project.accounts.choices import Role
from project.accounts.models import User
from project.events.services import emit
from project.http.errors import Conflict, Invalid

MAX_NAME = 120
MAX_DESCRIPTION = 10_000


@transaction.atomic
def release_create(
    *,
    acting_user: User,
    space: Space,
    name: str,
    description: str = "",
    as_of: datetime.datetime | None = None,
) -> Release:
    """Name the published state of a space, now or as of a moment, for good.

    Needs a curator. Raises NotFound, Forbidden, Invalid, and Conflict for a taken name.
    """
    role_require(acting_user, space, Role.CURATOR)
    release = Release(
        space=space,
        name=release_name(name),
        description=description.strip(),
        created_by=acting_user,
        author_name=acting_user.get_username(),
        created_at=timezone.now(),
    )
    if "\0" in release.description or len(release.description) > MAX_DESCRIPTION:
        message = _("A description has at most %(count)s characters.")
        raise Invalid(message % {"count": MAX_DESCRIPTION}, field="description")
    if as_of is not None and as_of > release.created_at:
        raise Invalid(_("A release is of now, or of a moment in the past."), field="as_of")
    try:
        with transaction.atomic():
            release_write(release, at=as_of)
    except IntegrityError as error:
        if "one_release_a_name_and_space" not in str(error):
            raise
        message = _("The space has a release of that name already.")
        raise Conflict(message, code="release_exists", field="name") from None
    if not release.node_count:
        message = _("Nothing was published in the space then: a release would be empty.")
        raise Invalid(message, code="release_empty", field="as_of")
    emit(
        "knowledge.release.created",
        {"release": str(release.pk), "name": release.name, "by": acting_user.pk},
        space_id=space.pk,
        subject_id=release.pk,
    )
    return release


@transaction.atomic
def release_delete(*, acting_user: User, release: Release) -> None:
    """Delete a release as a whole; the versions that it held stay. Needs a manager.

    Raises NotFound and Forbidden.
    """
    row = Release.objects.visible_to(acting_user).filter(pk=release.pk).first()
    if row is None:
        raise not_found()
    role_require(acting_user, row.space, Role.MANAGER)
    emit(
        "knowledge.release.deleted",
        {"release": str(row.pk), "name": row.name, "by": acting_user.pk},
        space_id=row.space_id,
        subject_id=row.pk,
    )
    with releases_removable():
        row.delete()


def release_name(name: str) -> str:
    """Return a name as it is stored. Raises Invalid."""
    name = " ".join(name.split())
    if not name or len(name) > MAX_NAME or not name.isprintable():
        message = _("A release has a name of at most %(count)s characters.")
        raise Invalid(message % {"count": MAX_NAME}, field="name")
    return name
