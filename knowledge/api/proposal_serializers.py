"""What proposals look like in REST."""

from typing import Any

from rest_framework import serializers

from knowledge.models import Proposal, ProposalChange, ProposalComment, ProposalReview

CHANGES_SHOWN = 200


class ProposalChangeSerializer(serializers.ModelSerializer):
    """A change of a proposal."""

    node = serializers.UUIDField(source="node_id", allow_null=True)
    relation = serializers.UUIDField(source="relation_id", allow_null=True)
    source = serializers.UUIDField(source="source_id", allow_null=True)  # type: ignore[assignment]  # a field's name
    target = serializers.UUIDField(source="target_id", allow_null=True)
    fields = serializers.JSONField(  # type: ignore[assignment]  # a field's name
        help_text="Only what the branch changes."
    )

    class Meta:
        model = ProposalChange
        fields = [
            "id",
            "proposal",
            "action",
            "node",
            "base_version",
            "fields",
            "relation",
            "source",
            "target",
            "relation_kind",
            "version",
            "resolutions",
            "author",
            "created_at",
            "updated_at",
        ]


class ProposalReviewSerializer(serializers.ModelSerializer):
    """A verdict on one revision of a proposal."""

    user_name = serializers.CharField(source="user.username", default="")
    is_stale = serializers.SerializerMethodField(
        help_text="Whether the proposal has changed since."
    )

    class Meta:
        model = ProposalReview
        fields = [
            "id",
            "user",
            "user_name",
            "verdict",
            "comment",
            "revision",
            "is_stale",
            "created_at",
        ]

    def get_is_stale(self, row: ProposalReview) -> bool:
        """Return whether it was given for another revision than the current one."""
        return row.revision != row.proposal.revision


class ProposalRowSerializer(serializers.ModelSerializer):
    """A proposal in a list."""

    author_name = serializers.CharField(source="author.username", default="")
    changes_count = serializers.IntegerField()

    class Meta:
        model = Proposal
        fields = [
            "id",
            "space",
            "title",
            "description",
            "status",
            "origin",
            "author",
            "author_name",
            "revision",
            "changes_count",
            "created_at",
            "updated_at",
            "submitted_at",
            "decided_at",
            "merged_at",
            "merged_by",
        ]


class ProposalSerializer(ProposalRowSerializer):
    """A proposal, whole but for what is behind its first 200 changes."""

    changes = serializers.SerializerMethodField(
        help_text="The first 200; all are listed at `changes/`."
    )
    reviewers = serializers.SerializerMethodField(help_text="Ids of the users who were asked.")
    reviews = serializers.SerializerMethodField(help_text="The last 50, newest first.")

    class Meta(ProposalRowSerializer.Meta):
        fields = [*ProposalRowSerializer.Meta.fields, "changes", "reviewers", "reviews"]

    def get_changes(self, row: Proposal) -> list[dict[str, Any]]:
        """Return the first changes."""
        return list(ProposalChangeSerializer(row.changes.all()[:CHANGES_SHOWN], many=True).data)

    def get_reviewers(self, row: Proposal) -> list[int]:
        """Return who was asked to review."""
        return list(row.reviewers.values_list("user", flat=True))

    def get_reviews(self, row: Proposal) -> list[dict[str, Any]]:
        """Return the last reviews."""
        rows = row.reviews.select_related("user", "proposal")[:50]
        return list(ProposalReviewSerializer(rows, many=True).data)


class ProposalCommentSerializer(serializers.ModelSerializer):
    """A comment; replies name their parent."""

    author_name = serializers.CharField(source="author.username", default="")

    class Meta:
        model = ProposalComment
        fields = [
            "id",
            "proposal",
            "change",
            "change_version",
            "field",
            "line",
            "parent",
            "body",
            "author",
            "author_name",
            "created_at",
            "resolved_at",
            "resolved_by",
        ]


class ProposalReviewersSerializer(serializers.Serializer):
    """Who was asked to review."""

    reviewers = serializers.ListField(child=serializers.IntegerField())
