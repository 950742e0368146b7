"""Addresses of the chat page and of the pieces it loads."""

from django.urls import path

from chat import guest_pages, views
from chat.attachment_pages import attachment_list, attachment_page

urlpatterns = [
    path("", views.chat_home, name="chat-home"),
    path("guest/sign-in/", guest_pages.guest_sign_in, name="guest-sign-in"),
    path("c/", views.conversation_list, name="conversation-list"),
    path("c/<uuid:pk>/", views.conversation_page, name="conversation-page"),
    path("c/<uuid:pk>/attachments/", attachment_list, name="attachment-list"),
    path(
        "c/<uuid:pk>/attachments/<uuid:attachment>/",
        attachment_page,
        name="attachment-page",
    ),
    path("c/<uuid:pk>/earlier/", views.earlier_messages, name="earlier-messages"),
    path("c/<uuid:pk>/export/", views.conversation_export, name="conversation-export"),
    path("c/<uuid:pk>/share/", views.conversation_share, name="conversation-share"),
    path("shared/<uuid:pk>/", views.shared_page, name="shared-page"),
    path("manifest.webmanifest", views.manifest, name="manifest"),
    path("p/<uuid:pk>/answer/", views.proposal_answer, name="proposal-answer"),
    path("c/<uuid:pk>/turns/<uuid:turn>/", views.turn_answer, name="turn-answer"),
    path("c/<uuid:pk>/turns/<uuid:turn>/why/", views.turn_why, name="turn-why"),
]
