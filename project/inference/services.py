"""Writes of the inference app."""

from typing import Any

import structlog
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.db import IntegrityError, transaction

from project.accounts.models import User
from project.inference import breaker
from project.inference.choices import Backend, Purpose
from project.inference.models import ModelEndpoint

logger = structlog.get_logger(__name__)

ENVIRONMENT_ENDPOINT = "Language model from the environment"


def endpoint_save(
    *, acting_user: User | None, endpoint: ModelEndpoint, api_key: str | None = None
) -> ModelEndpoint:
    """Check and save an endpoint. `api_key` None keeps the stored key, "" removes it.

    The breaker starts anew: what failed before may have been what was changed. Raises
    `ValidationError`.
    """
    if api_key is not None:
        endpoint.set_api_key(api_key)
    endpoint.base_url = endpoint.base_url.strip()
    endpoint.full_clean()
    endpoint.save()
    transaction.on_commit(lambda: breaker.for_endpoint(endpoint).reset())
    logger.info(
        "endpoint_saved", endpoint=endpoint.name, user=acting_user.pk if acting_user else None
    )
    return endpoint


def endpoint_bootstrap_from_env() -> ModelEndpoint | None:
    """Create or update the endpoint that ACERVO_LLM_* describe; None when they do not.

    Other endpoints are left alone. Raises ImproperlyConfigured with the variable's name.
    """
    address, model = settings.ACERVO_LLM_BASE_URL, settings.ACERVO_LLM_MODEL
    if not address or not model:
        return None
    endpoint = ModelEndpoint.objects.filter(name=ENVIRONMENT_ENDPOINT).first()
    endpoint = endpoint or ModelEndpoint(name=ENVIRONMENT_ENDPOINT)
    wanted: dict[str, Any] = {
        "purpose": Purpose.CHAT,
        "backend": Backend.OPENAI,
        "base_url": address,
        "model_name": model,
    }
    for name, value in wanted.items():
        setattr(endpoint, name, value)
    try:
        with transaction.atomic():
            return endpoint_save(
                acting_user=None, endpoint=endpoint, api_key=settings.ACERVO_LLM_API_KEY
            )
    except ValidationError as error:
        problems = error.message_dict
        if "base_url" in problems:
            message = f"ACERVO_LLM_BASE_URL: {problems['base_url'][0]}"
            raise ImproperlyConfigured(message) from error
        raise ImproperlyConfigured(f"ACERVO_LLM_*: {'; '.join(error.messages)}") from error
    except IntegrityError:
        # Another process created it at the same moment.
        return ModelEndpoint.objects.get(name=ENVIRONMENT_ENDPOINT)
