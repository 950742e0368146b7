"""Staff who are signed in, for tests of the admin."""

from django.test import Client

from project.accounts.models import User


def signed_in(user: User, *, staff: bool = True) -> Client:
    """Return a client of a person who may open the admin, unless `staff` says otherwise."""
    if staff and not user.is_staff:
        user.is_staff = True
        user.save(update_fields=["is_staff"])
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client
