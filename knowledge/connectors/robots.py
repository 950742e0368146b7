"""Keeping to robots.txt, after RFC 9309."""

from urllib.parse import urlsplit
from urllib.robotparser import RobotFileParser

from django.utils.translation import gettext as _

from knowledge.connectors.base import ConnectorFault
from knowledge.connectors.calling import fetched
from project.http.fetching import Fetcher

AGENT = "Acervo"
MOST_BYTES = 512 * 1024
MOST_PAUSE = 30.0  # seconds


class Robots:
    """What the robots.txt of each host leaves open; asked for once a host.

    Without one everything is open; where the server fails to give it, nothing is.
    """

    def __init__(self, fetcher: Fetcher) -> None:
        self._fetcher = fetcher
        self._rules: dict[tuple[str, str], RobotFileParser] = {}

    def allows(self, url: str) -> bool:
        """Return whether an address is open. Raises ConnectorFault where the host says nothing."""
        return self._of(url).can_fetch(AGENT, url)

    def pause(self, url: str) -> float:
        """Return the seconds to wait between two calls."""
        wanted = self._of(url).crawl_delay(AGENT)
        return min(MOST_PAUSE, float(wanted)) if wanted else 0.0

    def _of(self, url: str) -> RobotFileParser:
        parts = urlsplit(url)
        site = parts.scheme, parts.netloc
        if site not in self._rules:
            self._rules[site] = self._read(f"{parts.scheme}://{parts.netloc}/robots.txt")
        return self._rules[site]

    def _read(self, address: str) -> RobotFileParser:
        rules = RobotFileParser()
        answer = fetched(self._fetcher, address)
        if answer.status == 200:
            text = answer.file.read(MOST_BYTES).decode("utf-8", "replace")
            rules.parse(text.lstrip("\ufeff").splitlines())
        elif answer.status >= 500 or answer.status == 429:
            raise ConnectorFault(_unreadable(address))
        else:
            rules.parse([])
        return rules


def _unreadable(address: str) -> str:
    host = urlsplit(address).hostname or ""
    return _("The robots.txt of “%(host)s” cannot be read just now.") % {"host": host}
