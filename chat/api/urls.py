"""REST addresses of chat."""

from rest_framework.routers import SimpleRouter

from chat.api.conversations import ConversationViewSet, MessageViewSet
from chat.api.turns import SocketTokenViewSet, TurnViewSet

router = SimpleRouter()
router.register("conversations", ConversationViewSet, "conversation")
router.register("messages", MessageViewSet, "message")
router.register("turns", TurnViewSet, "turn")
router.register("ws-tokens", SocketTokenViewSet, "ws-token")

urlpatterns = router.urls
