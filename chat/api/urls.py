"""REST addresses of chat."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from chat.api.attachments import AttachmentViewSet
from chat.api.conversations import ConversationViewSet, MessageViewSet
from chat.api.handoffs import ConversationHandoffViewSet, HandoffViewSet
from chat.api.turns import SocketTokenViewSet, TurnViewSet

router = SimpleRouter()
router.register("conversations", ConversationViewSet, "conversation")
router.register("handoffs", HandoffViewSet, "handoff")
router.register("messages", MessageViewSet, "message")
router.register("turns", TurnViewSet, "turn")
router.register("ws-tokens", SocketTokenViewSet, "ws-token")

_one = ConversationHandoffViewSet.as_view({"get": "retrieve", "post": "create"})
_back = ConversationHandoffViewSet.as_view({"post": "release"})
_attached = AttachmentViewSet.as_view({"get": "list", "post": "create"})
_attachment = AttachmentViewSet.as_view({"delete": "destroy"})

urlpatterns = [
    path("conversations/<str:pk>/attachments/", _attached, name="conversation-attachments"),
    path(
        "conversations/<str:pk>/attachments/<str:attachment>/",
        _attachment,
        name="conversation-attachment",
    ),
    path("conversations/<str:pk>/handoff/", _one, name="conversation-handoff"),
    path("conversations/<str:pk>/handoff/release/", _back, name="conversation-handoff-release"),
    path("conversations/<str:pk>/release/", _back, name="conversation-release"),
    *router.urls,
]
