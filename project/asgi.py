"""The ASGI application: HTTP by Django, WebSockets by Channels."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
django.setup(set_prefix=False)

from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402 - needs the app registry
from django.urls import re_path  # noqa: E402

from chat.routing import websocket_urlpatterns as chat_sockets  # noqa: E402
from knowledge.routing import websocket_urlpatterns as knowledge_sockets  # noqa: E402
from project.accounts.ws import SocketAuth  # noqa: E402
from project.http.body_limit import BodyLimit  # noqa: E402
from project.http.handler import OneThreadHandler  # noqa: E402
from project.http.sockets import NoSuchSocket  # noqa: E402

sockets = [*chat_sockets, *knowledge_sockets, re_path(r"^", NoSuchSocket.as_asgi())]

application = ProtocolTypeRouter(
    {
        "http": BodyLimit(OneThreadHandler()),
        "websocket": SocketAuth(URLRouter(sockets)),
    }
)
