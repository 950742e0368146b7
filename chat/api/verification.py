"""What a turn says of the sentences of its answer."""

from rest_framework import serializers


class CheckedSentenceSerializer(serializers.Serializer):
    """A sentence of the answer, `answer[start:end]`, and whether its sources say so."""

    start = serializers.IntegerField()
    end = serializers.IntegerField()
    verdict = serializers.ChoiceField(choices=["supported", "partly", "unsupported"])
    reason = serializers.CharField(
        help_text="What decided: quoted, words, meaning, numbers, names, negation and others."
    )
    citations = serializers.ListField(
        child=serializers.IntegerField(), help_text="The citations it was compared with."
    )
    agreement = serializers.FloatField(help_text="Of the words, 0 to 1.")
    similarity = serializers.FloatField(
        allow_null=True, help_text="Cosine to the nearest sentence, where it was asked for."
    )


class VerificationSerializer(serializers.Serializer):
    """How much of an answer its sources support; what states nothing is not counted."""

    share = serializers.FloatField(
        allow_null=True, help_text="Supported sentences, partly supported ones as half."
    )
    supported = serializers.IntegerField()
    partly = serializers.IntegerField()
    unsupported = serializers.IntegerField()
    sentences = CheckedSentenceSerializer(many=True)
    late = serializers.BooleanField(
        required=False, help_text="There was no time to ask all that was to be asked."
    )
