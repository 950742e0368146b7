"""Addresses of the reading pages."""

from django.urls import path

from knowledge import synthesis_views, views

urlpatterns = [
    path("knowledge/", views.browse_page, name="knowledge"),
    path("knowledge/synthesis/", synthesis_views.synthesis_page, name="knowledge-synthesis"),
    path("knowledge/synthesis/write/", synthesis_views.synthesis_write, name="synthesis-write"),
    path("knowledge/synthesis/keep/", synthesis_views.synthesis_keep, name="synthesis-keep"),
    path("knowledge/nodes/<uuid:pk>/", views.node_page, name="node-page"),
    path("knowledge/nodes/<uuid:pk>/passage/", views.node_passage, name="node-passage"),
    path("knowledge/nodes/<uuid:pk>/changes/", views.node_changes, name="node-changes"),
    path("knowledge/nodes/<uuid:pk>/lineage/", views.node_lineage, name="node-lineage"),
    path("knowledge/sources/<uuid:pk>/file/", views.source_file, name="source-file"),
]
