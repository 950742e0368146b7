"""The word lists of spaces."""

from django.db import transaction
from django.utils.translation import gettext as _

from chat.models import SpaceWord
from knowledge.access import role_require
from project.accounts.choices import Role
from project.accounts.models import User
from project.guarding import folded_words
from project.http.errors import Conflict, Invalid


@transaction.atomic
def word_save(*, acting_user: User, word: SpaceWord) -> SpaceWord:
    """Add or change a watched word. Raises NotFound and Forbidden below manager, Invalid, Conflict.

    A word that is moved to another space needs the role in both.
    """
    before = SpaceWord.objects.filter(pk=word.pk).select_related("space").first()
    if before is not None:
        role_require(acting_user, before.space, Role.MANAGER)
    else:
        word.created_by = acting_user
    role_require(acting_user, word.space, Role.MANAGER)
    folded = folded_words(word.phrase)
    if not folded.strip():
        raise Invalid(_("Write at least one word with letters or digits."), field="phrase")
    same = SpaceWord.objects.filter(space=word.space, folded=folded).exclude(pk=word.pk)
    if same.exists():
        raise Conflict(_("This space watches for that already."), field="phrase")
    word.save()
    return word


def word_delete(*, acting_user: User, word: SpaceWord) -> None:
    """Watch for a word no more. Raises NotFound and Forbidden below manager."""
    role_require(acting_user, word.space, Role.MANAGER)
    word.delete()
