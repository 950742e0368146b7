"""The documentation page of the REST API."""

from django.urls import path

from project.http.views import ApiDocsView

urlpatterns = [path("api/docs/", ApiDocsView.as_view(url_name="schema"), name="api-docs")]
