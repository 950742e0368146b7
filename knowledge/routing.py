"""WebSocket addresses."""

from django.urls import path

from knowledge.consumers import JobConsumer

websocket_urlpatterns = [
    path("ws/jobs/<str:job>/", JobConsumer.as_asgi()),
]
