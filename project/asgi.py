"""The ASGI application: HTTP by Django, WebSockets by Channels."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
http_application = get_asgi_application()

from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402 - needs the app registry

from chat.routing import websocket_urlpatterns as chat_sockets  # noqa: E402
from knowledge.routing import websocket_urlpatterns as knowledge_sockets  # noqa: E402
from project.accounts.ws import SocketAuth  # noqa: E402

application = ProtocolTypeRouter(
    {
        "http": http_application,
        "websocket": SocketAuth(URLRouter([*chat_sockets, *knowledge_sockets])),
    }
)
