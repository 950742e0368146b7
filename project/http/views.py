"""Pages of the web ground."""

from drf_spectacular.views import SpectacularSwaggerSplitView


class ApiDocsView(SpectacularSwaggerSplitView):
    """Swagger UI from our own files; its script is a file too, as the security policy wants."""

    authentication_classes = []
    permission_classes = []
    throttle_classes = []
