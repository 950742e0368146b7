"""REST addresses of memory."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from memory.api.episodes import EpisodeViewSet, RecallView

router = SimpleRouter()
router.register("episodes", EpisodeViewSet, "episode")

urlpatterns = [*router.urls, path("recall/", RecallView.as_view(), name="recall")]
