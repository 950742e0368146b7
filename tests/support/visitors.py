"""Somebody's browser, in which nobody is signed in yet."""

import uuid

from django.conf import settings
from django.test import Client

from project.accounts.models import User
from tests.conftest import PASSWORD

COOKIE = settings.SESSION_COOKIE_NAME


class Visitor(Client):
    """A browser in which nobody is signed in, and that shows the CSRF token."""

    def __init__(self, **extra):
        super().__init__(enforce_csrf_checks=True, **extra)

    def call(self, method, path, body=None):
        self.get("/sign-in/") if "acervo_csrf" not in self.cookies else None
        token = self.cookies["acervo_csrf"].value
        return getattr(self, method)(
            path, body or {}, content_type="application/json", headers={"X-CSRFToken": token}
        )

    def begin(self, **body):
        return self.call("post", "/api/v1/conversations/", body)

    def ask(self, conversation, text="When does the ferry sail?"):
        body = {"content": text, "client_message_id": uuid.uuid4().hex}
        return self.call("post", f"/api/v1/conversations/{conversation}/messages/", body)

    def sign_in(self, name, where="/sign-in/"):
        self.get(where)
        token = self.cookies["acervo_csrf"].value
        body = {"username": name, "password": PASSWORD, "csrfmiddlewaretoken": token}
        return self.post(where, body)

    @property
    def key(self):
        return self.cookies[COOKIE].value


def guest_now() -> User:
    """Return the only guest there is."""
    return User.everybody.get(is_guest=True)
