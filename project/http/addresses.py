"""Which addresses Acervo may call on somebody's behalf: public ones, and what the operator allows.

A name is resolved once, every address that it has must be allowed, and the connection goes to an
address that was looked at: a name server that answers differently a moment later changes nothing.
"""

import ipaddress
import re
import socket
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from django.conf import settings
from django.utils.translation import gettext as _

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network
Resolver = Callable[[str, int], Sequence[str]]

# What `ipaddress` of some Python versions takes for public, and is not.
_CLOSED = [
    ipaddress.ip_network(each)
    for each in (
        "0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.88.99.0/24", "198.18.0.0/15",
        "240.0.0.0/4", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "5f00::/16",
        "fc00::/7", "fec0::/10",
    )
]  # fmt: skip
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_COMPATIBLE = ipaddress.ip_network("::/96")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_LOOPBACK = ipaddress.IPv4Address("127.0.0.1")


class Blocked(Exception):
    """An address that may not be called; `message` is for people."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def system_addresses(host: str, port: int) -> Sequence[str]:
    """Return the addresses of a name as the system resolves it. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))


def address_written(host: str) -> IPAddress | None:
    """Return the address that a host is before anybody is asked, None for a name.

    Read as the system does: `0x7f.1`, `2130706433` and `0177.0.0.1` are this machine. Raises
    Blocked for what can be neither.
    """
    host = unicodedata.normalize("NFKC", _plain_host(host.strip("[]"))).replace("\u3002", ".")
    if host == "localhost" or host.endswith(".localhost"):
        return _LOOPBACK
    address = _address(host)
    if address is not None or not _NUMBER.fullmatch(host.rpartition(".")[2]):
        return address
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except OSError:
        raise Blocked(_("The address names no valid host.")) from None


def is_public(address: IPAddress) -> bool:
    """Return whether an address belongs to the open internet, in whatever form it hides another."""
    inner = _embedded(address)
    if inner is not None:
        return is_public(inner)
    if address.is_multicast or address.is_unspecified or address.is_reserved:
        return False
    if address.is_loopback or address.is_link_local or address.is_private:
        return False
    return address.is_global and not any(
        address in network for network in _CLOSED if network.version == address.version
    )


def _embedded(address: IPAddress) -> IPAddress | None:
    """Return the IPv4 address that an IPv6 address leads to, None without one."""
    if not isinstance(address, ipaddress.IPv6Address):
        return None
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address in _NAT64 or (address in _COMPATIBLE and int(address) > 1):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return None


@dataclass(slots=True)
class Guard:
    """Decides which hosts may be called, and remembers to which addresses a name led at first.

    `allowed` are host names, `.suffixes` of them, addresses or networks, each perhaps with a port
    (`host:port`), that may be called although they are not public.
    """

    allowed: Sequence[str] = field(default_factory=lambda: settings.ACERVO_FETCH_ALLOW)
    resolver: Resolver | None = None
    _pinned: dict[str, list[str]] = field(default_factory=dict)

    def addresses(self, host: str, port: int) -> list[str]:
        """Return the addresses to connect to. Raises Blocked, and OSError for an unknown name."""
        host = _plain_host(host)
        if host not in self._pinned:
            resolve = self.resolver or system_addresses
            try:
                self._pinned[host] = list(resolve(host, port))
            except UnicodeError:
                raise Blocked(_("The address names no valid host.")) from None
        found = self._pinned[host]
        if not found:
            raise OSError(f"{host} has no address")
        for text in found:
            if not self._may(host, port, text):
                raise _inside(host)
        return found

    def check_written(self, host: str, port: int) -> None:
        """Raise Blocked for a host that no name server can make an allowed one."""
        host = _plain_host(host)
        address = address_written(host)
        if address is not None and not self._may(host, port, str(address)):
            raise _inside(host)

    def is_listed(self, host: str, port: int) -> bool:
        """Return whether the operator names a host, or the address that it is, as allowed."""
        address = _address(host.strip("[]"))
        return any(_matches(entry, host, port, address) for entry in self.allowed)

    def _may(self, host: str, port: int, text: str) -> bool:
        address = _address(text.partition("%")[0])
        if address is None:
            return False
        return is_public(address) or any(
            _matches(entry, host, port, address) for entry in self.allowed
        )


def _inside(host: str) -> Blocked:
    message = _("“%(host)s” is inside a private network, and the operator does not allow it.")
    return Blocked(message % {"host": host})


def _address(text: str) -> IPAddress | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _network(text: str) -> IPNetwork | None:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def _plain_host(host: str) -> str:
    host = host.strip().rstrip(".").lower()
    if not host or "%" in host or any(char.isspace() or ord(char) < 33 for char in host):
        raise Blocked(_("The address names no valid host."))
    return host


def _matches(entry: str, host: str, port: int, address: IPAddress | None) -> bool:
    """Return whether an entry of the allow-list covers a host at an address."""
    entry = entry.strip().lower()
    network = _network(entry)
    if network is not None:
        mapped = getattr(address, "ipv4_mapped", None)
        return any(each in network for each in (address, mapped) if each is not None)
    name, colon, wanted = entry.rpartition(":")
    if colon and wanted.isdigit():
        if int(wanted) != port:
            return False
        return _matches(name.strip("[]"), host, port, address)
    if entry.startswith("."):
        return host.endswith(entry)
    return host == entry
