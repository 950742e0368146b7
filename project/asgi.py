"""The ASGI application: HTTP by Django, WebSockets by Channels."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
http_application = get_asgi_application()

from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402 - needs the app registry
from django.urls import re_path  # noqa: E402

from chat.routing import websocket_urlpatterns as chat_sockets  # noqa: E402
from knowledge.routing import websocket_urlpatterns as knowledge_sockets  # noqa: E402
from project.accounts.ws import SocketAuth  # noqa: E402
from project.http.body_limit import BodyLimit  # noqa: E402
from project.http.sockets import NoSuchSocket  # noqa: E402

sockets = [*chat_sockets, *knowledge_sockets, re_path(r"^", NoSuchSocket.as_asgi())]

application = ProtocolTypeRouter(
    {
        "http": BodyLimit(http_application),
        "websocket": SocketAuth(URLRouter(sockets)),
    }
)
