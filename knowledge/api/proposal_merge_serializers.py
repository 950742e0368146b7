"""What merging a proposal looks like in REST: diffs, conflicts, checks, previews."""

from typing import Any

from rest_framework import serializers

from knowledge.api.proposal_serializers import ProposalReviewSerializer
from knowledge.api.quality import DependentSerializer, FindingSerializer
from knowledge.api.version_serializers import FieldChangeSerializer


class ChangeDiffSerializer(serializers.Serializer):
    """How a change changes a node, or a relation."""

    change = serializers.UUIDField(source="change.pk")
    action = serializers.CharField(source="change.action")
    node = serializers.UUIDField(source="change.node_id", allow_null=True)
    relation = serializers.UUIDField(source="change.relation_id", allow_null=True)
    source = serializers.UUIDField(source="change.source_id", allow_null=True)  # type: ignore[assignment]  # a field's name
    target = serializers.UUIDField(source="change.target_id", allow_null=True)
    relation_kind = serializers.CharField(source="change.relation_kind")
    base_version = serializers.IntegerField(source="change.base_version", allow_null=True)
    version = serializers.IntegerField(source="change.version")
    title = serializers.CharField()
    changes = FieldChangeSerializer(many=True, source="fields")
    unified = serializers.CharField(help_text="The content's difference as a unified diff.")


class ProposalConflictSerializer(serializers.Serializer):
    """A place where the branch (ours) and what is stored by now (theirs) conflict."""

    id = serializers.CharField()
    kind = serializers.CharField()
    message = serializers.CharField()
    change = serializers.UUIDField()
    node = serializers.UUIDField(allow_null=True)
    title = serializers.CharField()
    field = serializers.CharField()
    path = serializers.ListField(child=serializers.CharField())
    part = serializers.IntegerField(allow_null=True, help_text="Of a text: from 0.")
    base = serializers.JSONField(required=False, allow_null=True)
    ours = serializers.JSONField(required=False, allow_null=True)
    theirs = serializers.JSONField(required=False, allow_null=True)
    others = serializers.ListField(child=serializers.CharField())
    choices = serializers.ListField(child=serializers.CharField())


class ProposalConflictsSerializer(serializers.Serializer):
    """The conflicts of a proposal as it is."""

    conflicts = ProposalConflictSerializer(many=True)


class ProposalMergeErrorSerializer(serializers.Serializer):
    """Why a merge was refused."""

    code = serializers.CharField()
    message = serializers.CharField()
    field = serializers.CharField(required=False)
    details = serializers.JSONField(required=False)
    request_id = serializers.CharField()


class MergeRefusedSerializer(ProposalConflictsSerializer):
    """The refusal of a merge, with the conflicts that are left."""

    error = ProposalMergeErrorSerializer()


class ProposalCheckSerializer(serializers.Serializer):
    """One thing that was looked at."""

    code = serializers.CharField()
    state = serializers.CharField(help_text="passed, warning or failed.")
    message = serializers.CharField()
    node = serializers.UUIDField(allow_null=True)
    details = serializers.JSONField()


class ProposalChecksSerializer(serializers.Serializer):
    """What stands in the way of a merge."""

    mergeable = serializers.BooleanField(source="is_mergeable")
    approvals = ProposalReviewSerializer(many=True)
    approvals_missing = serializers.IntegerField(source="missing")
    conflicts = serializers.SerializerMethodField()
    checks = ProposalCheckSerializer(many=True)
    dependents = DependentSerializer(
        many=True, help_text="What stands on the nodes that would be changed or archived."
    )

    def get_conflicts(self, row: Any) -> int:
        """Return how many conflicts there are."""
        return len(row["conflicts"])


class ProposalPreviewSerializer(serializers.Serializer):
    """A node as the merge would leave it, with the branch's side in what conflicts."""

    node = serializers.UUIDField()
    version = serializers.IntegerField()
    merged_version = serializers.IntegerField(allow_null=True)
    state = serializers.JSONField(help_text="The fields of the node.")
    conflicts = ProposalConflictSerializer(many=True)


class ProposalSuggestionSerializer(serializers.Serializer):
    """What the language model would make of a conflict; nothing is changed by it."""

    conflict = serializers.CharField()
    suggestion = serializers.CharField()


class ProposalFindingsSerializer(serializers.Serializer):
    """What the checks find in a node as the merge would leave it."""

    change = serializers.UUIDField()
    node = serializers.UUIDField()
    title = serializers.CharField()
    findings = FindingSerializer(many=True)
