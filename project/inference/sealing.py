"""Secrets at rest: sealed with a key derived from Django's secret key.

The secret key comes from `ACERVO_SECRET_KEY(_FILE)` or is generated into the data folder; the
fallbacks of a rotated key still open what they sealed.
"""

import base64

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

_INFO = b"acervo: secrets of model endpoints"


class SealBroken(Exception):
    """A secret was sealed with a key that is no longer known."""


def seal(secret: str) -> str:
    """Return the secret in a form that may be stored; "" stays ""."""
    return _box().encrypt(secret.encode()).decode() if secret else ""


def unseal(sealed: str) -> str:
    """Return the secret again. Raises SealBroken."""
    if not sealed:
        return ""
    try:
        return _box().decrypt(sealed.encode()).decode()
    except InvalidToken:
        raise SealBroken("The stored secret was sealed with another secret key.") from None


def _box() -> MultiFernet:
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    return MultiFernet([Fernet(_derived(key)) for key in keys])


def _derived(key: str) -> bytes:
    hkdf = HKDF(algorithm=SHA256(), length=32, salt=None, info=_INFO)
    return base64.urlsafe_b64encode(hkdf.derive(key.encode()))
