"""Guests: they ask what is open to them, from one browser, and keep it by signing in."""

import asyncio
import datetime
import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from channels.testing import WebsocketCommunicator
from django.conf import settings as django_settings
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.utils import timezone

from chat.answer_cache.keys import key_of
from chat.answering.grounding import recall_memories
from chat.choices import TurnRoute
from chat.gaps import gap_note
from chat.models import Conversation, Feedback, KnowledgeGap, Message, Turn
from chat.services import conversation_create, message_send
from chat.services.guests import conversations_claim, guests_expire
from chat.turns import turn_claim
from knowledge import services as knowledge
from knowledge.choices import Visibility
from knowledge.models import Space
from memory.models import Episode
from memory.services import episode_create_from_turn
from project.accounts import connections as watching
from project.accounts.guests import KEY
from project.accounts.models import ApiKey, User
from project.accounts.ws import caller_of_token, socket_token_create
from project.aio import in_thread
from project.asgi import application
from project.http.errors import Invalid, NotFound, TooMany
from tests.conftest import PASSWORD, Api

pytestmark = pytest.mark.django_db
COOKIE = django_settings.SESSION_COOKIE_NAME


@pytest.fixture
def library(space: Space) -> Space:
    """A public space that is open to guests."""
    space.visibility, space.allows_guests = Visibility.PUBLIC, True
    space.save()
    return space


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


@pytest.fixture
def visitor(library) -> Visitor:
    return Visitor()


@pytest.fixture
def kept(visitor) -> str:
    """A conversation of the guest."""
    return visitor.begin().json()["id"]


def guest_now() -> User:
    return User.everybody.get(is_guest=True)


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
    episode_create_from_turn(
        user=guest, turn_id=turn.pk, session=kept, question="q", answer="a",
        occurred_at=timezone.now(), space=library,
    )  # fmt: skip
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
        assert recall_memories(request, "ferry") == [] or not user.is_guest
        return key_of(replace(request, route=TurnRoute.AI)).scope

    assert scope_of(guest_now()) != scope_of(owner)


def test_signing_in_takes_the_conversations_along_once_and_says_so(visitor, kept, owner):
    visitor.ask(kept)
    answer = Message.objects.create(conversation_id=kept, role="assistant", content="At nine.")
    visitor.call("post", f"/api/v1/messages/{answer.pk}/feedback/", {"value": 1})
    before = visitor.key
    leave = visitor.get("/guest/sign-in/")["Location"]
    assert leave == f"/sign-in/?next=/c/{kept}/"
    assert visitor.sign_in("owner", leave).status_code == 302
    page = visitor.get(f"/c/{kept}/").content.decode()
    assert "The conversation that you began as a guest is yours now." in page
    assert "When does the ferry sail?" in page
    assert Conversation.objects.get().user == owner
    assert Feedback.objects.get().user == owner
    assert visitor.key != before
    assert KEY not in visitor.session
    guest = guest_now()
    assert not guest.is_active
    assert conversations_claim(acting_user=owner, guest_id=guest.pk) == 0
    with pytest.raises(NotFound):  # what was on its way is not begun beside what was claimed
        conversation_create(acting_user=guest)
    assert "is yours now" not in visitor.get("/").content.decode()


def test_another_sign_in_page_takes_them_along_too(visitor, kept, admin_user):
    visitor.sign_in("admin", "/admin/login/?next=/admin/")
    assert Conversation.objects.get().user == admin_user


def test_a_key_that_was_known_before_opens_nothing(library, owner):
    thief, victim = Visitor(), Visitor()
    thief.get("/sign-in/")
    session = thief.session
    session["planted"] = True
    session.save()
    thief.cookies[COOKIE] = session.session_key
    victim.cookies[COOKIE] = session.session_key  # fixed by the thief
    mine = victim.begin().json()["id"]
    assert victim.key != session.session_key
    assert thief.get(f"/api/v1/conversations/{mine}/").status_code == 401
    # And one that the thief took after that is void when the victim signs in.
    thief.cookies[COOKIE] = stolen = victim.key
    assert thief.get(f"/api/v1/conversations/{mine}/").status_code == 200
    victim.sign_in("owner")
    assert victim.key != stolen
    assert thief.get(f"/api/v1/conversations/{mine}/").status_code == 401
    assert thief.get("/account/").status_code == 302


def test_nobody_claims_what_another_session_asked(visitor, kept, library, stranger, owner):
    other = Visitor()
    other.begin()
    assert other.get(f"/api/v1/conversations/{kept}/").status_code == 404
    assert other.get(f"/c/{kept}/").status_code == 404
    assert other.ask(kept).status_code == 404
    other.sign_in("stranger")
    assert set(stranger.conversations.values_list("user", flat=True)) == {stranger.pk}
    assert not stranger.conversations.filter(pk=kept).exists()
    fresh = Visitor()
    fresh.sign_in("owner")
    assert not owner.conversations.exists()
    assert Conversation.objects.get(pk=kept).user == guest_now_of(kept)


def guest_now_of(conversation):
    return User.everybody.get(conversations=conversation, is_guest=True)


def test_what_is_signed_out_of_leaves_no_guest_behind(visitor, kept, stranger):
    visitor.sign_in("owner")
    token = visitor.cookies["acervo_csrf"].value
    visitor.post("/sign-out/", {"csrfmiddlewaretoken": token})
    assert visitor.get(f"/c/{kept}/").status_code == 302
    visitor.sign_in("stranger")
    assert not stranger.conversations.exists()


@pytest.mark.django_db(transaction=True)
def test_of_many_claims_at_once_one_gets_everything(visitor, kept, owner, stranger):
    guest = guest_now().pk

    def claim(user):
        try:
            return conversations_claim(acting_user=user, guest_id=guest)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        counts = list(pool.map(claim, [owner, stranger] * 4))
    assert sorted(counts) == [0] * 7 + [1]


@pytest.mark.django_db(transaction=True)
def test_of_many_questions_at_once_exactly_the_limits_pass(library, settings):
    settings.ACERVO_RATE_GUEST, settings.ACERVO_RATE_GUEST_ADDRESS = "3/hour", "5/hour"
    people = [User.everybody.create(username=f"g{n}", is_guest=True) for n in range(3)]
    held = {each.pk: Conversation.objects.create(user=each, space=library) for each in people}

    def send(number):
        guest = people[number % 3]
        guest.address = "203.0.113.7"
        try:
            message_send(
                acting_user=guest, conversation_id=held[guest.pk].pk, content=f"Question {number}?",
                client_message_id=str(number),
            )  # fmt: skip
        except TooMany as refusal:
            return refusal.retry_after
        else:
            return 0
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        refused = [each for each in pool.map(send, range(15)) if each]
    assert len(refused) == 10
    assert min(refused) > 3000
    assert max(each.messages.count() for each in held.values()) <= 3
    elsewhere = people[0]
    elsewhere.address = "198.51.100.9"
    left = 3 - held[elsewhere.pk].messages.count()
    for number in range(left):
        message_send(
            acting_user=elsewhere, conversation_id=held[elsewhere.pk].pk, content=f"And {number}?",
            client_message_id=f"more {number}",
        )  # fmt: skip
    with pytest.raises(TooMany):
        message_send(
            acting_user=elsewhere, conversation_id=held[elsewhere.pk].pk, content="More?",
            client_message_id="last",
        )  # fmt: skip


def test_an_address_begins_so_many_guests_and_the_page_says_what_is_left(library, settings):
    settings.ACERVO_RATE_GUEST, settings.ACERVO_RATE_GUEST_ADDRESS = "4/hour", "2/hour"
    assert [Visitor().begin().status_code for _ in range(3)] == [201, 201, 429]
    assert User.everybody.filter(is_guest=True).count() == 2
    elsewhere = Visitor(REMOTE_ADDR="198.51.100.9")
    kept = elsewhere.begin().json()["id"]
    assert "<b data-left>2</b>" in elsewhere.get("/").content.decode()
    elsewhere.ask(kept)
    assert "<b data-left>1</b>" in elsewhere.get("/").content.decode()
    elsewhere.ask(kept, "And back?")
    refused = elsewhere.ask(kept, "And then?")
    assert refused.status_code == 429
    assert int(refused["Retry-After"]) > 3000
    assert "Sign in to go on" in refused.json()["error"]["message"]


def test_silent_guests_go_with_all_they_asked_and_others_stay(visitor, kept, owner, settings):
    visitor.ask(kept)
    mine = Conversation.objects.create(user=owner)
    past = timezone.now() - datetime.timedelta(days=settings.ACERVO_GUEST_DAYS, hours=1)
    assert guests_expire() == 0
    User.everybody.update(last_login=past)
    assert guests_expire() == 0  # asked something since
    Conversation.objects.update(updated_at=past)
    assert guests_expire() == 1
    assert list(Conversation.objects.all()) == [mine]
    assert not Turn.objects.exists()
    assert list(User.everybody.all()) == list(User.objects.all())
    assert visitor.get(f"/c/{kept}/").status_code == 302


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


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("ending", ["switch", "visibility", "expired", "signed_in", "claimed"])
async def test_a_guest_asks_over_a_socket_that_ends_with_what_let_them_in(
    visitor, kept, library, owner, ending, monkeypatch
):
    monkeypatch.setattr(watching, "LOOK_SECONDS", 0.05)
    headers = [
        (b"host", b"testserver"),
        (b"cookie", f"{COOKIE}={visitor.key}".encode()),
    ]
    socket = WebsocketCommunicator(application, f"/ws/chat/{kept}/", headers)
    assert (await socket.connect(timeout=5))[0]
    frame = {"type": "message.send", "client_message_id": "1", "content": "When?"}
    await socket.send_to(text_data=json.dumps(frame))
    heard = json.loads(await socket.receive_from(10))
    assert heard["type"] == "message.accepted"
    assert heard["allowance"]["remaining"] == heard["allowance"]["limit"] - 1
    await in_thread(Turn.objects.all().delete)
    if ending == "switch":
        await in_thread(Space.objects.update, allows_guests=False)
    elif ending == "visibility":
        change = {"visibility": Visibility.MEMBERS}
        await in_thread(knowledge.space_update, acting_user=owner, space=library, **change)
    elif ending == "expired":
        await in_thread(User.everybody.filter(is_guest=True).delete)
    elif ending == "signed_in":
        await in_thread(visitor.sign_in, "owner")
    else:
        guest = await in_thread(guest_now)
        await in_thread(conversations_claim, acting_user=owner, guest_id=guest.pk)
    async with asyncio.timeout(5):
        while (said := await socket.receive_output(5))["type"] != "websocket.close":
            pass
    assert said["code"] in ({4403} if ending in {"switch", "visibility"} else {4401})


def test_a_guest_is_nobody_where_people_are_meant(visitor, kept):
    guest = guest_now()
    assert not guest.is_authenticated
    assert str(guest) == "Guest"
    token = socket_token_create(acting_user=guest, key=None)
    assert caller_of_token(token) is None
    key = ApiKey.objects.create(user=guest, name="k", hash=ApiKey.hash_of("s"), scopes=["chat"])
    assert not ApiKey.objects.usable().filter(pk=key.pk).exists()
