import pytest
from django.contrib.auth.models import Group, Permission

from knowledge import services
from knowledge.models import Node, NodeVersion, Space, SpaceRole
from project.accounts.choices import Role
from project.accounts.models import User
from project.http.errors import Conflict, Forbidden, Invalid, NotFound


def role_in(user: User, space: Space) -> Role | None:
    held = [role for role in Role if Space.objects.with_role(user, role).filter(pk=space.pk)]
    return max(held) if held else None


def test_a_space_comes_with_a_group_a_role_and_its_maker_manages_it(owner: User) -> None:
    owner.user_permissions.add(Permission.objects.get(codename="add_space"))
    owner = User.objects.get(pk=owner.pk)
    made = services.space_create(acting_user=owner, name="Light houses")
    assert made.slug == "light-houses"
    names = {f"light-houses · {role}" for role in ("reader", "editor", "curator", "manager")}
    groups = Group.objects.filter(name__startswith="light-houses")
    assert set(groups.values_list("name", flat=True)) == names
    assert SpaceRole.objects.filter(space=made).count() == 4
    assert role_in(owner, made) == Role.MANAGER
    assert services.space_create(acting_user=owner, name="Light houses").slug == "light-houses-2"


def test_not_everybody_makes_spaces(owner: User) -> None:
    with pytest.raises(Forbidden):
        services.space_create(acting_user=owner, name="Light houses")


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "x", "slug": "not a slug"}, "slug"),
        ({"name": "x", "visibility": "friends"}, "visibility"),
        ({"name": "x", "suggested_questions": [1]}, "suggested_questions"),
    ],
)
def test_it_names_the_field_at_fault(
    admin_user: User, fields: dict[str, object], field: str
) -> None:
    with pytest.raises(Invalid) as refused:
        services.space_create(acting_user=admin_user, **fields)
    assert refused.value.field == field


def test_a_new_short_name_renames_the_groups(admin_user: User) -> None:
    space = services.space_create(acting_user=admin_user, name="Light houses")
    services.space_update(acting_user=admin_user, space=space, slug="beacons")
    assert Group.objects.filter(name="beacons · reader").exists()
    assert not Group.objects.filter(name__startswith="light").exists()
    other = services.space_create(acting_user=admin_user, name="Other")
    with pytest.raises(Conflict) as refused:
        services.space_update(acting_user=admin_user, space=other, slug="beacons")
    assert refused.value.code == "slug_taken"


def test_only_managers_change_a_space(teammate: User, stranger: User, space: Space) -> None:
    with pytest.raises(Forbidden):
        services.space_update(acting_user=teammate, space=space, name="Mine")
    with pytest.raises(NotFound):
        services.space_update(acting_user=stranger, space=space, name="Mine")


def test_a_member_has_exactly_the_role_that_was_set(admin_user: User, stranger: User) -> None:
    space = services.space_create(acting_user=admin_user, name="Light houses")
    for role in (Role.EDITOR, Role.READER, None):
        services.member_set(acting_user=admin_user, space=space, user=stranger, role=role)
        assert role_in(stranger, space) == role


def test_the_last_manager_stays(admin_user: User, owner: User, stranger: User) -> None:
    space = services.space_create(acting_user=admin_user, name="Light houses")
    services.member_set(acting_user=admin_user, space=space, user=admin_user, role=None)
    services.member_set(acting_user=admin_user, space=space, user=owner, role=Role.MANAGER)
    with pytest.raises(Conflict):
        services.member_set(acting_user=owner, space=space, user=owner, role=Role.EDITOR)
    assert role_in(owner, space) == Role.MANAGER
    services.member_set(acting_user=owner, space=space, user=stranger, role=Role.MANAGER)
    services.member_set(acting_user=owner, space=space, user=owner, role=None)
    assert role_in(owner, space) is None


def test_a_space_goes_only_when_all_its_nodes_are_archived(owner: User, admin_user: User) -> None:
    space = services.space_create(acting_user=admin_user, name="Light houses")
    node = services.node_create(acting_user=admin_user, space=space, title="Lamp")
    with pytest.raises(Conflict) as refused:
        services.space_delete(acting_user=admin_user, space=space)
    assert refused.value.details == {"nodes": 1}
    services.node_archive(acting_user=admin_user, node=node)
    services.space_delete(acting_user=admin_user, space=space)
    assert not Space.objects.exists()
    assert not Node.objects.exists()
    assert not Group.objects.filter(name__startswith="light").exists()
    assert NodeVersion.objects.filter(id=node.pk).count() == 2


def test_the_default_space_stays(admin_user: User) -> None:
    space = services.space_create(acting_user=admin_user, name="General", is_default=True)
    with pytest.raises(Conflict):
        services.space_delete(acting_user=admin_user, space=space)


def test_a_write_that_names_no_space_goes_where_it_can(
    admin_user: User, teammate: User, stranger: User, space: Space
) -> None:
    assert services.space_default_for(teammate) == space
    with pytest.raises(Invalid) as refused:
        services.space_default_for(stranger)
    assert refused.value.code == "no_space"
    general = services.space_create(acting_user=admin_user, name="General", is_default=True)
    assert services.space_default_for(admin_user) == general
    assert services.space_default_for(teammate) == space
    sky = services.space_create(acting_user=admin_user, name="Sky")
    services.member_set(acting_user=admin_user, space=sky, user=teammate, role=Role.EDITOR)
    with pytest.raises(Invalid) as refused:
        services.space_default_for(teammate)
    assert refused.value.field == "space"


def test_readers_see_the_versions_that_were_public_and_editors_all(
    owner: User, stranger: User, space: Space
) -> None:
    services.space_update(acting_user=owner, space=space, visibility="signed_in")
    node = services.node_create(acting_user=owner, space=space, title="Draft words")
    services.node_update(acting_user=owner, node=node, title="Fit to print")
    services.node_publish(acting_user=owner, node=node)
    node = services.node_update(acting_user=owner, node=node, title="Better still")

    def seen(user: User) -> list[int]:
        rows = services.node_versions_visible_to(user, node)
        return list(rows.values_list("version", flat=True))

    assert seen(owner) == [3, 2, 1]
    assert seen(stranger) == [3, 2]
