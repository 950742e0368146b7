"""Addresses of sign-in and the account page."""

from django.urls import path
from django.views.i18n import set_language

from project.accounts import views

urlpatterns = [
    path("sign-in/", views.SignIn.as_view(), name="sign-in"),
    path("sign-out/", views.SignOut.as_view(), name="sign-out"),
    path("account/", views.account_page, name="account"),
    path("language/", set_language, name="set-language"),
]
