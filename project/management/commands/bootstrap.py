"""What a new Acervo needs before anybody can sign in."""

import secrets
from typing import Any

from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from knowledge.choices import Visibility
from knowledge.models import Space
from knowledge.profiles import builtin_store
from knowledge.services import space_create
from project.accounts.choices import Scope
from project.accounts.models import ApiKey, User
from project.accounts.services import api_key_create
from project.env import env_secret, env_str
from project.http.errors import ApiError
from project.inference.services import endpoint_bootstrap_from_env
from project.locks import transaction_lock


class Command(BaseCommand):
    """Idempotent: it makes what is missing and changes nothing that is there.

    1. The first admin: ACERVO_ADMIN_USERNAME (admin) with ACERVO_ADMIN_PASSWORD, or with a
       generated password that is printed this once. Where a superuser exists, only a username
       that is set and unknown makes another.
    2. The key ACERVO_BOOTSTRAP_API_KEY with all scopes, for that admin. A revoked one stays so.
    3. The model endpoint of ACERVO_LLM_*.
    4. The default space.
    5. The built-in retrieval profile as a version.
    """

    help = "Create the first admin, API key, model endpoint and space where they are missing."

    @transaction.atomic
    def handle(self, *_args: Any, **_options: Any) -> None:
        transaction_lock("bootstrap")
        try:
            admin = self._admin()
            self._api_key(admin)
            endpoint_bootstrap_from_env()
            self._space(admin)
            builtin_store()
        except ApiError as error:
            raise CommandError(error.message) from error
        except ImproperlyConfigured as error:
            raise CommandError(str(error)) from error

    def _admin(self) -> User:
        username = env_str("ACERVO_ADMIN_USERNAME")
        password = env_secret("ACERVO_ADMIN_PASSWORD")
        if username:
            known = User.objects.filter(username=username).first()
        else:
            admins = User.objects.filter(is_superuser=True, is_active=True)
            known = admins.order_by("date_joined", "pk").first()
        if known is not None:
            return self._checked(known)
        shown = password or secrets.token_urlsafe(12)
        admin = User(username=username or "admin", is_staff=True, is_superuser=True)
        admin.set_password(shown)
        try:
            admin.full_clean()
        except ValidationError as error:
            message = f"ACERVO_ADMIN_USERNAME: {error.messages[0]}"
            raise CommandError(message) from error
        admin.save()
        if not password:
            self.stdout.write(
                f"The first admin is {admin.username} with the password {shown}\n"
                "It is shown this once: sign in and change it."
            )
        return admin

    @staticmethod
    def _checked(user: User) -> User:
        if user.is_superuser and user.is_active:
            return user
        message = (
            f"ACERVO_ADMIN_USERNAME names {user.username}, who is not an active administrator."
            " Name another, or make this one an administrator."
        )
        raise CommandError(message)

    @staticmethod
    def _api_key(admin: User) -> None:
        secret = env_secret("ACERVO_BOOTSTRAP_API_KEY")
        if not secret or ApiKey.objects.filter(hash=ApiKey.hash_of(secret)).exists():
            return
        try:
            api_key_create(acting_user=admin, name="Bootstrap", scopes=Scope.values, secret=secret)
        except ApiError as error:
            message = f"ACERVO_BOOTSTRAP_API_KEY: {error.message}"
            raise CommandError(message) from error

    @staticmethod
    def _space(admin: User) -> None:
        if Space.objects.exists():
            return
        space_create(
            acting_user=admin,
            is_default=True,
            name="General",
            slug="general",
            visibility=Visibility.SIGNED_IN,
        )
