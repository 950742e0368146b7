"""What callers send about proposals."""

from typing import Any

from rest_framework import serializers

from knowledge.api.serializers import NodeFields
from knowledge.choices import ChangeAction, ProposalOrigin, ProposalStatus
from knowledge.models.nodes import kind_validator
from project.http.serializers import StrictSerializer

MOST_AT_ONCE = 1000


class ChangeFields(NodeFields):
    """What a change of a node or of a relation sets, inline."""

    title = serializers.CharField(max_length=300, required=False)
    status = serializers.CharField(max_length=20, required=False)  # type: ignore[assignment]  # of nodes or relations
    owner = serializers.IntegerField(required=False, allow_null=True)
    weight = serializers.FloatField(min_value=0.0, max_value=1.0, required=False)


class ChangeInput(ChangeFields):
    """A change: its action, what it is about, and fields of the node or relation inline."""

    action = serializers.ChoiceField(
        choices=ChangeAction.choices,
        required=False,
        help_text="Left out: `edit` where `node` is given, else `create`.",
    )
    node = serializers.UUIDField(
        required=False, help_text="Of a creation: an id of your own, for relations to lead to."
    )
    base_version = serializers.IntegerField(
        min_value=1, max_value=2**31 - 1, required=False, help_text="Left out: the current one."
    )
    relation = serializers.UUIDField(required=False, help_text="To remove or edit.")
    source = serializers.UUIDField(required=False)  # type: ignore[assignment]  # a field's name
    target = serializers.UUIDField(required=False)
    kind = serializers.CharField(
        max_length=40,
        required=False,
        validators=[kind_validator],
        help_text="Of the node, or of the relation to make.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Return the change as the service takes it, with its fields apart."""
        attrs = dict(super().validate(attrs))
        action = attrs.pop("action", "edit" if "node" in attrs else "create")
        about = {"node", "base_version", "relation", "source", "target"}
        if action == ChangeAction.RELATE:
            about.add("kind")
        change = {name: attrs.pop(name) for name in about & set(attrs)}
        return {"action": action, **change, **({"fields": attrs} if attrs else {})}


class ChangeUpdateInput(ChangeFields):
    """What a change is to change besides, or instead."""

    version = serializers.IntegerField(
        min_value=1, required=False, help_text="Of the change that you saw; or `If-Match`."
    )
    replace = serializers.BooleanField(
        required=False, help_text="Whether these fields take the place of all before."
    )


class ChangesInput(StrictSerializer):
    """Many changes at once: all of them or none."""

    changes = serializers.ListField(child=ChangeInput(), max_length=MOST_AT_ONCE)


class ProposalInput(StrictSerializer):
    """A new proposal."""

    space = serializers.UUIDField(required=False)
    title = serializers.CharField(max_length=200)
    description = serializers.CharField(required=False, allow_blank=True, max_length=20_000)
    origin = serializers.ChoiceField(choices=ProposalOrigin.choices, required=False)
    changes = serializers.ListField(child=ChangeInput(), required=False, max_length=MOST_AT_ONCE)


class ProposalUpdateInput(StrictSerializer):
    """New words for a proposal."""

    title = serializers.CharField(max_length=200, required=False)
    description = serializers.CharField(required=False, allow_blank=True, max_length=20_000)
    revision = serializers.IntegerField(
        min_value=1, required=False, help_text="The one that you saw; or `If-Match`."
    )


class RevisionInput(StrictSerializer):
    """Which revision is meant."""

    revision = serializers.IntegerField(
        min_value=1, required=False, help_text="The one that you saw; or `If-Match`."
    )


class DecisionInput(RevisionInput):
    """A verdict in words."""

    comment = serializers.CharField(required=False, allow_blank=True, max_length=20_000)


class MergeInput(RevisionInput):
    """How the conflicts are settled."""

    resolutions = serializers.DictField(
        required=False,
        help_text='By the ids of the conflicts: `{"choice": "ours" | "theirs" | "base" | "both"}`, '
        '`{"text": …}` or `{"value": …}`.',
    )


class ProposalListQuery(serializers.Serializer):
    """Filters of the list of proposals."""

    space = serializers.UUIDField(required=False)
    status = serializers.ChoiceField(choices=ProposalStatus.choices, required=False)
    author = serializers.IntegerField(required=False)
    node = serializers.UUIDField(required=False, help_text="Proposals that change this node.")


class PreviewQuery(serializers.Serializer):
    """Which node to show as if merged."""

    node = serializers.UUIDField()


class CommentInput(StrictSerializer):
    """A comment on the proposal, on a change, or on a line of the proposed text."""

    body = serializers.CharField(max_length=20_000)
    change = serializers.UUIDField(required=False)
    field = serializers.CharField(max_length=40, required=False)
    line = serializers.IntegerField(min_value=1, max_value=10_000_000, required=False)
    parent = serializers.UUIDField(required=False)  # type: ignore[assignment]  # a field's name


class ResolveInput(StrictSerializer):
    """Whether a comment is settled."""

    resolved = serializers.BooleanField(required=False, default=True)


class CommentListQuery(serializers.Serializer):
    """Filters of the list of comments."""

    change = serializers.UUIDField(required=False)
    resolved = serializers.BooleanField(required=False, allow_null=True, default=None)


class ReviewersInput(StrictSerializer):
    """Who is to review."""

    reviewers = serializers.ListField(
        child=serializers.IntegerField(), max_length=50, help_text="Ids of users."
    )


class SuggestInput(StrictSerializer):
    """Which conflict to ask the language model about."""

    conflict = serializers.CharField(max_length=100)
