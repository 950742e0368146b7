"""People and the keys of programs that act for them."""

import hashlib
import secrets
import uuid

from django.contrib.auth.models import AbstractUser, Group, UserManager
from django.contrib.postgres.fields import ArrayField
from django.core.validators import MinValueValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from project.accounts.choices import Scope
from project.accounts.querysets import ApiKeyQuerySet

KEY_PREFIX = "acv_"


class PeopleManager(UserManager["User"]):
    """The people who sign in: no guests.

    Whatever looks users up finds none of them: sign-in, sessions, forms, lists of the admin.
    """

    use_in_migrations = False

    def get_queryset(self) -> models.QuerySet["User"]:
        """Return all people."""
        return super().get_queryset().filter(is_guest=False)


class EverybodyManager(UserManager["User"]):
    """People and guests."""

    use_in_migrations = False


class User(AbstractUser):
    """A person who signs in, or a guest, who cannot: a visitor known by the browser's session.

    `address` is where a guest asks from (an address block), set by whoever let them in; it is not
    stored. `last_login` of a guest is when the row was made, or its conversations were claimed.
    """

    address = ""

    language = models.CharField(
        _("language"),
        max_length=10,
        blank=True,
        help_text=_("The language of the pages; empty follows the browser."),
    )
    remembers = models.BooleanField(
        _("long-term memory"),
        default=True,
        help_text=_("Whether finished conversations become episodes that later answers may use."),
    )
    messages_per_hour = models.PositiveIntegerField(
        _("messages an hour"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text=_("Empty: what the groups of the person allow, or else everybody."),
    )
    is_guest = models.BooleanField(
        _("guest"), default=False, editable=False, help_text=_("A visitor; nobody can sign in so.")
    )

    objects = PeopleManager()  # type: ignore[misc]  # narrower than AbstractUser's
    everybody = EverybodyManager()

    class Meta(AbstractUser.Meta):
        swappable = "AUTH_USER_MODEL"
        constraints = [
            models.CheckConstraint(
                condition=models.Q(is_guest=False) | models.Q(is_staff=False, is_superuser=False),
                name="guests_have_no_rights",
            )
        ]
        indexes = [
            models.Index(
                fields=["last_login"], name="guest_seen", condition=models.Q(is_guest=True)
            )
        ]

    def __str__(self) -> str:
        return gettext("Guest") if self.is_guest else self.get_username()

    @property
    def is_authenticated(self) -> bool:  # type: ignore[override]  # a guest proved nothing
        """Whether somebody signed in: everything that asks treats a guest like nobody."""
        return not self.is_guest


class GroupAllowance(models.Model):
    """How many chat messages the people of a group may send, where that is more than usual."""

    group = models.OneToOneField(
        Group, models.CASCADE, related_name="allowance", verbose_name=_("group")
    )
    messages_per_hour = models.PositiveIntegerField(
        _("messages an hour"),
        default=1000,
        validators=[MinValueValidator(1)],
        help_text=_(
            "Each person of the group may send as many; of several groups the most counts."
        ),
    )

    class Meta:
        verbose_name = _("allowance")
        verbose_name_plural = _("allowances")

    def __str__(self) -> str:
        return f"{self.group}: {self.messages_per_hour}"


class ApiKey(models.Model):
    """A secret by which a program acts for a user; only its SHA-512 is kept.

    A key is 256 random bits, so one fast hash is enough: there is no small space to search.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(User, models.CASCADE, related_name="api_keys", verbose_name=_("user"))
    name = models.CharField(_("name"), max_length=100, help_text=_("What the key is used for."))
    prefix = models.CharField(_("prefix"), max_length=12, editable=False)
    hash = models.CharField(max_length=128, unique=True, editable=False)
    scopes = ArrayField(
        models.CharField(max_length=32, choices=Scope.choices),
        default=list,
        verbose_name=_("scopes"),
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True)
    last_used_at = models.DateTimeField(_("last used"), null=True, blank=True, editable=False)
    revoked_at = models.DateTimeField(_("revoked"), null=True, blank=True, editable=False)

    objects = ApiKeyQuerySet.as_manager()

    class Meta:
        verbose_name = _("API key")
        verbose_name_plural = _("API keys")
        ordering = ["-created_at", "id"]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    @staticmethod
    def new_secret() -> str:
        """Return a fresh secret."""
        return KEY_PREFIX + secrets.token_urlsafe(32)

    @staticmethod
    def hash_of(secret: str) -> str:
        """Return what is stored of a secret: its SHA-512 in hexadecimal."""
        return hashlib.sha512(secret.encode()).hexdigest()

    @property
    def is_usable(self) -> bool:
        """Whether the key is neither revoked nor past its expiry."""
        return self.revoked_at is None and (
            self.expires_at is None or self.expires_at > timezone.now()
        )
