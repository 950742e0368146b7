"""What the box of the chat page offers beside the question itself."""

from django import template
from django.conf import settings

from knowledge.parsing import EXTENSIONS
from project.inference.choices import Tier
from project.inference.models import ModelEndpoint

register = template.Library()


@register.simple_tag
def tiers_offered() -> list[tuple[str, str]]:
    """Return the tiers that have a language model, as values and labels; none where one has."""
    rows = ModelEndpoint.objects.active().chat().order_by()
    used = set(rows.values_list("tier", flat=True).distinct())
    offered = [(value, str(label)) for value, label in Tier.choices if value in used]
    return offered if len(offered) > 1 else []


@register.simple_tag
def attaching() -> dict[str, object]:
    """Return how many files may be attached, how large, and of which kinds; `most` may be 0."""
    return {
        "most": settings.ACERVO_ATTACHMENTS,
        "megabytes": settings.ACERVO_ATTACHMENT_BYTES // 1024**2,
        "accept": ",".join(sorted(f".{each.removeprefix('.')}" for each in EXTENSIONS)),
    }
