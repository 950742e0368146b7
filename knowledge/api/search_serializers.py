"""What a search looks like over REST."""

from rest_framework import serializers

from knowledge.api.moments import MomentField
from knowledge.choices import SearchMode
from knowledge.types import MAX_RESULTS
from project.http.serializers import StrictSerializer


class SearchInput(StrictSerializer):
    """What to search, and where."""

    query = serializers.CharField(
        max_length=2000,
        help_text=(
            'Words or a question. Operators: "a phrase", -word, -"a phrase", title:word, '
            'title:"a phrase", tag:name, and -title: or -tag: for the opposite.'
        ),
    )
    limit = serializers.IntegerField(min_value=1, max_value=MAX_RESULTS, default=10)
    space = serializers.UUIDField(required=False)
    spaces = serializers.ListField(child=serializers.UUIDField(), required=False, max_length=200)
    kinds = serializers.ListField(
        child=serializers.CharField(max_length=40), required=False, max_length=50
    )
    tags = serializers.ListField(
        child=serializers.CharField(max_length=64), required=False, max_length=50
    )
    language = serializers.CharField(max_length=10, required=False)
    created_after = serializers.DateTimeField(required=False)
    created_before = serializers.DateTimeField(required=False)
    metadata = serializers.DictField(required=False)
    mode = serializers.ChoiceField(choices=SearchMode.choices, default=SearchMode.HYBRID)
    min_score = serializers.FloatField(min_value=0.0, max_value=1.0, required=False)
    as_of = MomentField(
        required=False, help_text="Search what was public at that moment of the past."
    )
    release = serializers.CharField(
        max_length=120, required=False, help_text="Search a release, by its id or name."
    )
    proposal = serializers.UUIDField(
        required=False, help_text="Search as if that proposal were merged; for editors."
    )
    generation = serializers.UUIDField(
        required=False,
        help_text="Search that index generation instead of the one that serves; for curators.",
    )
    profile = serializers.UUIDField(
        required=False,
        help_text="Search with that retrieval profile and not the active one; for curators.",
    )
    explain = serializers.BooleanField(default=False)
    external_ids = serializers.ListField(
        child=serializers.CharField(max_length=200), required=False, max_length=1000
    )


class SearchResultSerializer(serializers.Serializer):
    """A node that was found, with its best passage: `content[start:end]` of that version."""

    node = serializers.UUIDField()
    external_id = serializers.CharField(allow_null=True)
    version = serializers.IntegerField()
    chunk = serializers.UUIDField()
    title = serializers.CharField()
    snippet = serializers.CharField()
    heading_path = serializers.ListField(child=serializers.CharField())
    start = serializers.IntegerField()
    end = serializers.IntegerField()
    page = serializers.IntegerField(allow_null=True)
    place = serializers.CharField(
        allow_blank=True, help_text="A sheet, slide, message or file of an archive, if it has one."
    )
    url = serializers.CharField()
    score = serializers.FloatField(help_text="From 0 to 1.")
    signals = serializers.DictField(required=False, help_text="With `explain`: every signal.")


class CorrectionSerializer(serializers.Serializer):
    """A word of the query that occurs nowhere, and the similar ones that were searched instead."""

    typed = serializers.CharField()
    used = serializers.ListField(child=serializers.CharField())


class SearchAnswer(serializers.Serializer):
    """One row a node, best first. `degraded` names what could not take part."""

    results = SearchResultSerializer(many=True)
    took_ms = serializers.FloatField()
    mode = serializers.ChoiceField(choices=SearchMode.choices)
    degraded = serializers.ListField(child=serializers.CharField())
    corrections = CorrectionSerializer(many=True)
    explanation = serializers.DictField(required=False)
