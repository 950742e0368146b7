"""The address that a request comes from, as far as it can be believed."""

import ipaddress

from django.conf import settings
from django.http import HttpRequest


def client_address(request: HttpRequest, *_: object) -> str:
    """Return the address of whoever asks.

    Behind `ACERVO_TRUSTED_PROXIES` proxies each adds the address that it was called from to
    `X-Forwarded-For`: the one that the outermost of them added is true, whatever stands before it
    was written by the caller. A header with fewer did not come through all of them.
    """
    direct = str(request.META.get("REMOTE_ADDR", ""))
    proxies: int = settings.ACERVO_TRUSTED_PROXIES
    if not proxies:
        return direct
    passed = [each.strip() for each in request.headers.get("X-Forwarded-For", "").split(",")]
    if len(passed) < proxies:
        return direct
    return _plain(passed[-proxies]) or direct


def address_block(address: str) -> str:
    """Return what belongs to one caller: an IPv4 address, or the /64 of an IPv6 one.

    An IPv4 address in IPv6 clothes is itself.
    """
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, 64), strict=False))


def _plain(text: str) -> str:
    """Return an address without port and brackets, "" for what is none."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return ""
