"""Addresses of the reading pages."""

from django.urls import path

from knowledge import views

urlpatterns = [
    path("knowledge/", views.browse_page, name="knowledge"),
    path("knowledge/nodes/<uuid:pk>/", views.node_page, name="node-page"),
    path("knowledge/nodes/<uuid:pk>/passage/", views.node_passage, name="node-passage"),
    path("knowledge/nodes/<uuid:pk>/lineage/", views.node_lineage, name="node-lineage"),
    path("knowledge/sources/<uuid:pk>/file/", views.source_file, name="source-file"),
]
