"""Signing in and out, the account page, languages, and the pages that say what went wrong."""

import re

import pytest
from django.core.exceptions import PermissionDenied
from django.test import Client, RequestFactory
from django.utils import translation
from pytest_django import Settings

from project.accounts.models import User
from project.accounts.preferences import interface_strings
from project.http import error_pages
from tests.conftest import PASSWORD


def sign_in(client: Client, name: str, password: str = PASSWORD, **extra: str) -> object:
    return client.post("/sign-in/", {"username": name, "password": password, **extra})


def test_signing_in_leads_to_where_the_visitor_was_heading(client: Client, owner: User) -> None:
    response = sign_in(client, "owner", next="/account/")
    assert response.headers["Location"] == "/account/"
    assert client.get("/account/").status_code == 200


def test_signing_in_never_leads_to_another_site(client: Client, owner: User) -> None:
    assert sign_in(client, "owner", next="//evil.example").headers["Location"] == "/"


def test_a_wrong_password_is_refused_without_saying_what_was_wrong(
    client: Client, owner: User
) -> None:
    known = sign_in(client, "owner", "wrong").content.decode()
    unknown = sign_in(client, "nobody", "wrong").content.decode()
    assert "do not match" in known
    assert "do not match" in unknown


def test_too_many_wrong_passwords_pause_the_account_with_a_page_that_says_so(
    client: Client, owner: User, settings: Settings
) -> None:
    settings.AXES_FAILURE_LIMIT = 3
    for _ in range(3):
        response = sign_in(client, "owner", "wrong")
    assert response.status_code == 429
    assert "15 minutes" in response.content.decode()
    assert sign_in(client, "owner").status_code == 429


def test_signing_out_needs_a_post(client: Client, owner: User) -> None:
    client.force_login(owner)
    assert client.get("/sign-out/").status_code == 405
    assert client.post("/sign-out/").headers["Location"] == "/sign-in/"
    assert client.get("/account/").status_code == 302


def test_the_language_of_the_account_goes_before_cookie_and_browser(
    client: Client, owner: User
) -> None:
    client.force_login(owner)
    client.cookies["acervo_language"] = "pt-br"
    assert '<html lang="pt-br"' in client.get("/account/").content.decode()
    owner.language = "en"
    owner.save()
    page = client.get("/account/", headers={"accept-language": "pt-BR"}).content.decode()
    assert '<html lang="en"' in page


@pytest.mark.parametrize(
    ("header", "language"), [("pt-BR,pt;q=0.9", "pt-br"), ("de,en;q=0.5", "en"), ("zh", "en")]
)
def test_a_visitor_gets_the_language_of_the_browser(
    client: Client, db: None, header: str, language: str
) -> None:
    page = client.get("/sign-in/", headers={"accept-language": header}).content.decode()
    assert f'<html lang="{language}"' in page


def test_the_pages_and_their_scripts_speak_portuguese(client: Client, db: None) -> None:
    page = client.get("/sign-in/", headers={"accept-language": "pt-BR"}).content.decode()
    assert "Entrar no Acervo" in page
    with translation.override("en"):
        english = interface_strings()
    with translation.override("pt-br"):
        portuguese = interface_strings()
    same = [key for key, sentence in english.items() if portuguese[key] == sentence]
    assert same == []
    for key, sentence in english.items():
        assert set(re.findall(r"{\w+}", sentence)) == set(re.findall(r"{\w+}", portuguese[key])), (
            key
        )


def test_preferences_are_saved(client: Client, owner: User) -> None:
    client.force_login(owner)
    answer = client.post("/account/", {"form": "preferences", "language": "pt-br"}, follow=True)
    owner.refresh_from_db()
    assert owner.language == "pt-br"
    assert not owner.remembers
    assert '<html lang="pt-br"' in answer.content.decode()


def test_an_unknown_language_is_refused(client: Client, owner: User) -> None:
    client.force_login(owner)
    response = client.post("/account/", {"form": "preferences", "language": "xx"})
    assert response.status_code == 400
    owner.refresh_from_db()
    assert owner.language == ""


def test_a_new_password_keeps_this_session_and_ends_the_others(client: Client, owner: User) -> None:
    elsewhere = Client()
    elsewhere.force_login(owner)
    client.force_login(owner)
    fresh = "another-battery-staple"
    fields = {"old_password": PASSWORD, "new_password1": fresh, "new_password2": fresh}
    assert client.post("/account/", {"form": "password", **fields}).status_code == 302
    assert client.get("/account/").status_code == 200
    assert elsewhere.get("/account/").status_code == 302


def test_a_wrong_old_password_changes_nothing(client: Client, owner: User) -> None:
    client.force_login(owner)
    fresh = "another-battery-staple"
    fields = {"old_password": "wrong", "new_password1": fresh, "new_password2": fresh}
    assert client.post("/account/", {"form": "password", **fields}).status_code == 400
    owner.refresh_from_db()
    assert owner.check_password(PASSWORD)


def test_the_time_zone_cookie_is_believed_only_when_it_names_one(
    client: Client, owner: User
) -> None:
    client.force_login(owner)
    for value in ("America/Sao_Paulo", "../../etc/passwd", "Nowhere/None", ""):
        client.cookies["acervo_time_zone"] = value
        assert client.get("/account/").status_code == 200


def test_a_page_that_is_not_there_says_so_with_a_reference(client: Client, db: None) -> None:
    response = client.get("/nothing/here/", headers={"x-request-id": "abcdef1234567890"})
    assert response.status_code == 404
    page = response.content.decode()
    assert "There is nothing here" in page
    assert "abcdef1234567890" in page


def test_a_program_gets_the_error_envelope_instead(client: Client, db: None) -> None:
    response = client.get("/api/v1/nothing-here/")
    assert response.status_code == 404
    assert response.json()["error"]["code"] == "not_found"


def test_a_form_without_its_token_is_refused_in_plain_words(owner: User) -> None:
    client = Client(enforce_csrf_checks=True)
    response = client.post("/sign-in/", {"username": "owner", "password": PASSWORD})
    assert response.status_code == 403
    assert "open for too long" in response.content.decode()


def test_the_pages_for_faults_need_neither_user_nor_database() -> None:
    request = RequestFactory().get("/somewhere/")
    assert error_pages.server_error(request).status_code == 500
    assert b"our fault" in error_pages.server_error(request).content
    assert error_pages.forbidden(request, PermissionDenied()).status_code == 403
    assert error_pages.bad_request(request, ValueError()).status_code == 400
