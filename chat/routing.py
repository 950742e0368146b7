"""WebSocket addresses."""

from django.urls import path

from chat.consumers import ChatConsumer
from chat.handoff_consumers import DeskConsumer, HandoffConsumer

websocket_urlpatterns = [
    path("ws/chat/<str:conversation>/", ChatConsumer.as_asgi()),
    path("ws/handoffs/<str:handoff>/", HandoffConsumer.as_asgi()),
    path("ws/desk/", DeskConsumer.as_asgi()),
]
