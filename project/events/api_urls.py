"""REST addresses of events."""

from rest_framework.routers import SimpleRouter

from project.events.webhooks.api import WebhookViewSet

router = SimpleRouter()
router.register("webhooks", WebhookViewSet, "webhook")

urlpatterns = router.urls
