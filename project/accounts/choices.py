"""Fixed vocabularies of accounts."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Role(models.IntegerChoices):
    """What a member may do in a space; each role may do all that the ones below it may."""

    READER = 10, _("Reader")
    EDITOR = 20, _("Editor")
    CURATOR = 30, _("Curator")
    MANAGER = 40, _("Manager")


class Scope(models.TextChoices):
    """What an API key may be used for; never more than its user may do."""

    KNOWLEDGE_READ = "knowledge:read", _("Read knowledge and search")
    KNOWLEDGE_WRITE = "knowledge:write", _("Write knowledge and upload")
    MEMORY_READ = "memory:read", _("Read memory")
    MEMORY_WRITE = "memory:write", _("Write memory")
    MEMORY_ANY = "memory:any", _("Use the memory of any subject")
    CHAT = "chat", _("Chat")
    ADMIN = "admin", _("Operate: health details and metrics")
