"""Every address of Acervo: each app lists its own pages and its part of the REST API."""

from django.contrib import admin
from django.urls import include, path

api = [
    path("", include("project.accounts.api_urls")),
    path("", include("knowledge.api.urls")),
    path("", include("memory.api.urls")),
    path("", include("chat.api.urls")),
    path("", include("project.events.api_urls")),
    path("", include("project.http.schema_urls")),
]

urlpatterns = [
    path("", include("knowledge.admin.workbench")),
    path("admin/", admin.site.urls),
    path("api/v1/", include(api)),
    path("", include("project.http.urls")),
    path("", include("project.accounts.urls")),
    path("", include("knowledge.urls")),
    path("", include("chat.urls")),
    path("", include("memory.urls")),
    path("", include("monitoring.urls")),
]

handler400 = "project.http.error_pages.bad_request"
handler403 = "project.http.error_pages.forbidden"
handler404 = "project.http.error_pages.not_found"
handler500 = "project.http.error_pages.server_error"
