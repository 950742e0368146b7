"""Guests: what visitors may ask without signing in, and what stays closed to them."""

from dataclasses import replace

import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from django.utils import timezone

from chat.answer_cache.keys import key_of
from chat.answering.grounding import recall_memories
from chat.choices import TurnRoute
from chat.claiming import turn_claim
from chat.gaps import gap_note
from chat.models import Conversation, KnowledgeGap, Message, Turn
from chat.services import message_send
from knowledge import services as knowledge
from knowledge.choices import Visibility
from knowledge.models import Space
from memory.models import Episode
from memory.services import episodes_create_from_turns
from memory.types import ToldTurn
from project.accounts.models import ApiKey, User
from project.accounts.ws import caller_of_token, socket_token_create
from project.http.errors import Invalid
from tests.conftest import PASSWORD, Api
from tests.support.admin_client import signed_in
from tests.support.visitors import Visitor, guest_now

pytestmark = pytest.mark.django_db


def test_without_a_space_for_guests_everybody_has_to_sign_in(space):
    visitor = Visitor()
    for visibility in Visibility:
        space.visibility = visibility
        space.save()
        assert visitor.get("/")["Location"].startswith("/sign-in/")
        assert visitor.begin().status_code == 401
    assert "Ask without signing in" not in visitor.get("/sign-in/").content.decode()
    assert not User.everybody.exclude(is_guest=False).exists()


def test_a_visitor_asks_and_finds_the_conversation_again(visitor, library):
    page = visitor.get("/").content.decode()
    assert "You are asking as a guest" in page
    assert library.name in page
    assert not User.everybody.filter(is_guest=True).exists()  # who only looks leaves nothing
    begun = visitor.begin()
    assert begun.status_code == 201
    assert begun.json()["space"] == str(library.pk)
    sent = visitor.ask(begun.json()["id"])
    assert sent.status_code == 202
    assert sent.json()["allowance"]["remaining"] == sent.json()["allowance"]["limit"] - 1
    again = visitor.get(begun.json()["url"])
    assert "When does the ferry sail?" in again.content.decode()
    assert visitor.get("/c/").status_code == 200
    turn = sent.json()["turn"]["id"]
    assert visitor.get(f"/api/v1/turns/{turn}/").json()["status"] == "queued"
    assert visitor.get(f"/c/{begun.json()['id']}/turns/{turn}/").status_code == 200
    assert visitor.get("/api/v1/conversations/").json()["results"][0]["id"] == begun.json()["id"]
    assert visitor.call("delete", f"/api/v1/conversations/{begun.json()['id']}/").status_code == 204


def test_a_repeated_call_of_a_guest_with_its_key_is_done_once(visitor, kept):
    path = f"/api/v1/conversations/{kept}/messages/"
    token = visitor.cookies["acervo_csrf"].value

    def sent(text, name):
        body = {"content": text, "client_message_id": name}
        headers = {"X-CSRFToken": token, "Idempotency-Key": "once"}
        return visitor.post(path, body, content_type="application/json", headers=headers)

    first = sent("When does the ferry sail?", "1")
    assert first.status_code == 202
    assert sent("When does the ferry sail?", "1").content == first.content
    assert sent("Where from?", "2").json()["error"]["code"] == "idempotency_mismatch"


def test_a_guest_needs_the_csrf_token_for_every_write(visitor, kept):
    paths = ["/api/v1/conversations/", f"/api/v1/conversations/{kept}/messages/"]
    for path in paths:
        refused = visitor.post(path, {"content": "x", "client_message_id": "1"}, "application/json")
        assert refused.status_code == 403
    bare = Client(enforce_csrf_checks=True)
    assert bare.post(paths[0], {}, "application/json").status_code == 403
    assert User.everybody.filter(is_guest=True).count() == 1


def test_nobody_can_sign_in_as_a_guest_or_find_one_among_the_people(visitor, kept, admin_user):
    guest = guest_now()
    guest.set_password(PASSWORD)
    guest.save()
    assert visitor.sign_in(guest.username).status_code == 200  # the form, with its refusal
    intruder = Client()
    intruder.force_login(guest, "django.contrib.auth.backends.ModelBackend")
    assert intruder.get("/account/").status_code == 302
    assert not User.objects.filter(pk=guest.pk).exists()
    admin = Client()
    admin.force_login(admin_user, "django.contrib.auth.backends.ModelBackend")
    assert guest.username not in admin.get("/admin/accounts/user/").content.decode()
    assert admin.get(f"/admin/accounts/user/{guest.pk}/change/").status_code == 302
    assert admin.get("/admin/chat/conversation/").status_code == 200
    for rights in ({"is_staff": True}, {"is_superuser": True}):
        with pytest.raises(IntegrityError), transaction.atomic():
            User.everybody.filter(pk=guest.pk).update(**rights)


def test_a_guest_asks_only_public_spaces_that_take_guests(visitor, library, owner):
    closed = Space.objects.create(name="Office", slug="office", visibility=Visibility.PUBLIC)
    assert visitor.begin(space=str(closed.pk)).status_code == 404
    kept = visitor.begin(space=str(library.pk)).json()["id"]
    path = f"/api/v1/conversations/{kept}/"
    assert visitor.call("patch", path, {"space": str(closed.pk)}).status_code == 404
    assert visitor.call("patch", path, {"space": None}).json()["space"] == str(library.pk)
    assert visitor.call("patch", path, {"model_tier": "complex"}).status_code == 403
    assert visitor.begin(model_tier="complex").status_code == 403
    closed.allows_guests = True
    closed.save()
    unsaid = visitor.begin()
    assert (unsaid.status_code, unsaid.json()["error"]["field"]) == (400, "space")
    assert visitor.begin(space=str(closed.pk)).status_code == 201
    page = visitor.get("/").content.decode()
    assert "All knowledge" not in page
    assert page.count("<option value=") >= 2


@pytest.mark.parametrize("closing", ["switch", "visibility", "deleted"])
def test_closing_a_space_to_guests_ends_what_they_may_at_once(
    visitor, kept, library, owner, closing
):
    if closing == "switch":
        knowledge.space_update(acting_user=owner, space=library, allows_guests=False)
    elif closing == "visibility":
        changed = knowledge.space_update(
            acting_user=owner, space=library, visibility=Visibility.SIGNED_IN
        )
        assert not changed.allows_guests  # and opening the space again does not let guests in
    else:
        Conversation.objects.update(space=None)
    assert visitor.ask(kept).status_code == 404
    assert visitor.get(f"/c/{kept}/").status_code == 404
    assert visitor.get(f"/api/v1/conversations/{kept}/").status_code == 404
    assert guest_now().conversations.count() == 1  # it can still be claimed


def test_only_a_public_space_takes_guests(owner, space, api):
    with pytest.raises(Invalid):
        knowledge.space_update(acting_user=owner, space=space, allows_guests=True)
    path = f"/api/v1/spaces/{space.pk}/"
    assert api.patch(path, {"allows_guests": True}).json()["error"]["field"] == "allows_guests"
    both = api.patch(path, {"allows_guests": True, "visibility": "public"})
    assert both.json()["allows_guests"] is True
    with pytest.raises(IntegrityError), transaction.atomic():
        Space.objects.filter(pk=space.pk).update(visibility=Visibility.MEMBERS)


def test_guests_have_no_memory_no_share_no_export_and_no_person(visitor, kept, library, teammate):
    teammate.is_staff = True
    teammate.save()
    sent = visitor.ask(kept, "I would like to talk to a person.")
    assert sent.status_code == 202
    turn = Turn.objects.get()
    if turn.route == "human":
        assert "Sign in first" in turn.trace["notice"]
    assert not turn.conversation.handoffs.exists()
    assert visitor.call("post", f"/api/v1/conversations/{kept}/handoff/").status_code == 401
    assert visitor.call("put", f"/api/v1/conversations/{kept}/share/").status_code == 401
    for path in ("export/?as=json", "share/"):
        assert visitor.get(f"/c/{kept}/{path}").status_code == 302
    assert visitor.get(f"/c/{kept}/turns/{turn.pk}/why/").status_code == 302
    guest = guest_now()
    guest.remembers = True
    told = ToldTurn(guest, turn.pk, kept, "q", "a", timezone.now(), library.pk)
    assert episodes_create_from_turns([told]) == []
    assert not Episode.objects.exists()


def test_answers_for_guests_are_kept_apart_from_those_of_members(visitor, kept, library, owner):
    def scope_of(user):
        conversation = Conversation.objects.create(user=user, space=library)
        sent = message_send(
            acting_user=user, conversation_id=conversation.pk, content="When does the ferry sail?",
            client_message_id="1",
        )  # fmt: skip
        Turn.objects.filter(pk=sent.turn.pk).update(message_class="question")
        request = turn_claim(sent.turn.pk, agent="tests").request
        if user.is_guest:
            assert recall_memories(request, "ferry") == []
        return key_of(replace(request, route=TurnRoute.AI)).scope

    assert scope_of(guest_now()) != scope_of(owner)


def test_a_gap_counts_the_questions_of_guests_and_names_nobody(visitor, kept, library, teammate):
    sent = visitor.ask(kept).json()
    turn = Turn.objects.get(pk=sent["turn"]["id"])
    turn.status, turn.trace = "completed", {"unanswered": True}
    turn.finished_at = timezone.now()
    turn.answer = Message.objects.create(conversation_id=kept, role="assistant", content="Unknown.")
    turn.save()
    visitor.call("post", f"/api/v1/messages/{turn.answer.pk}/feedback/", {"value": -1})
    gap_note(turn.pk)
    gap = KnowledgeGap.objects.visible_to(teammate).get()
    assert gap.people == 1
    staff = Client()
    teammate.is_staff = True
    teammate.save()
    staff.force_login(teammate, "django.contrib.auth.backends.ModelBackend")
    page = staff.get(f"/admin/chat/knowledgegap/{gap.pk}/change/").content.decode()
    assert "guest-" not in page


def test_a_key_of_a_person_never_becomes_a_guest(library, owner):
    answer = Api(owner, scopes=[]).post("/api/v1/conversations/", {})
    assert answer.status_code == 403
    assert not User.everybody.filter(is_guest=True).exists()


def test_a_guest_is_nobody_where_people_are_meant(visitor, kept):
    guest = guest_now()
    assert not guest.is_authenticated
    assert str(guest) == "Guest"
    token = socket_token_create(acting_user=guest, key=None)
    assert caller_of_token(token) is None
    key = ApiKey.objects.create(user=guest, name="k", hash=ApiKey.hash_of("s"), scopes=["chat"])
    assert not ApiKey.objects.usable().filter(pk=key.pk).exists()


def test_the_switch_is_on_the_page_of_the_space_and_refuses_what_is_not_public(space, owner):
    staff = signed_in(owner)
    address = f"/admin/knowledge/space/{space.pk}/change/"
    page = staff.get(address)
    assert 'name="allows_guests"' in page.content.decode()
    form = page.context["adminform"].form
    inlines = {
        f"{each.formset.prefix}-{name}": "0"
        for each in page.context["inline_admin_formsets"]
        for name in ("TOTAL_FORMS", "INITIAL_FORMS")
    }
    fields = {name: form[name].value() for name in form.fields}
    body = {name: value for name, value in fields.items() if value not in (None, False, "")}
    body |= inlines | {"allows_guests": "on"}
    refused = staff.post(address, body)
    assert "Only a public space may be asked" in refused.content.decode()
    assert staff.post(address, body | {"visibility": "public"}).status_code == 302
    space.refresh_from_db()
    assert space.allows_guests
