"""What a guest asked belongs to who signs in in that browser, once, or goes with the guest."""

import datetime
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from django.utils import timezone

from chat.models import Conversation, Feedback, Message, Turn
from chat.services import conversation_create
from chat.services.guests import conversations_claim, guests_expire
from project.accounts.guests import KEY
from project.accounts.models import User
from project.http.errors import NotFound
from tests.support.visitors import COOKIE, Visitor, guest_now

pytestmark = pytest.mark.django_db


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
