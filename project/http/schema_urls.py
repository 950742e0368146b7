"""The OpenAPI schema."""

from django.urls import path
from drf_spectacular.views import SpectacularAPIView

urlpatterns = [
    path(
        "schema/",
        SpectacularAPIView.as_view(
            authentication_classes=[], permission_classes=[], throttle_classes=[]
        ),
        name="schema",
    )
]
