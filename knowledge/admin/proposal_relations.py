"""Relations in a proposal: adding, removing, and changing their weight."""

import uuid
from typing import Any

from django import forms
from django.contrib import messages
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from knowledge import services
from knowledge.admin.access import staff
from knowledge.admin.proposal_base import ProposalBase, number_of
from knowledge.choices import ChangeAction, RelationOrigin
from knowledge.models import Node, Proposal, ProposalChange, Relation
from knowledge.proposal_reading import changes_titles
from project.http.errors import ApiError, Invalid
from project.http.ids import uuid_or_none

MOST = 60
"""Of nodes that a search offers, and of relations that a node shows."""
KINDS = (
    "related_to",
    "part_of",
    "depends_on",
    "caused_by",
    "explains",
    "supersedes",
    "translation_of",
)


class RelationForm(forms.Form):
    """A new relation of the page's node, or the weight of one."""

    other = forms.CharField(label=gettext_lazy("Other node"), max_length=300)
    direction = forms.ChoiceField(
        label=gettext_lazy("Direction"),
        choices=[("out", gettext_lazy("to it")), ("in", gettext_lazy("from it"))],
    )
    kind = forms.CharField(label=gettext_lazy("Kind"), max_length=40, initial="related_to")
    weight = forms.FloatField(label=gettext_lazy("Weight"), initial=1.0, min_value=0, max_value=1)


class RelationPages(ProposalBase):
    """The part of the proposal admin for relations."""

    def relation_urls(self) -> list[URLPattern]:
        """Return the addresses of these pages."""
        wrap = self.admin_site.admin_view
        return [
            path(
                "<uuid:object_id>/relation/",
                wrap(self.relation_view),
                name="knowledge_proposal_relation",
            )
        ]

    def relation_view(self, request: HttpRequest, object_id: uuid.UUID) -> HttpResponse:
        """Choose a node, see its relations with what the proposal does to them, and change that.

        Without scripts and with them the same forms; a refusal keeps what was typed.
        """
        proposal = self.opened(request, object_id)
        form = RelationForm()
        if request.method == "POST":
            form = RelationForm(request.POST)
            try:
                text = self._stored(request, proposal, form)
            except ApiError as error:
                messages.error(request, error.message)
            else:
                if text:
                    messages.success(request, text)
                    about = uuid_or_none(request.POST.get("node", ""))
                    after = f"?node={about}" if about else ""
                    return self.back_to(proposal, "relation", after=after)
        source = request.POST if request.method == "POST" else request.GET
        change = self.change_named(proposal, source.get("change", ""))
        wanted = source.get("node", "") or (str(change.source_id) if change else "")
        node = _end_named(request, proposal, wanted)
        query = source.get("q", "").strip()
        return self.proposal_page(
            request,
            proposal,
            "relation.html",
            form=form,
            node=node,
            query=query,
            found=_nodes_titled(request, proposal, query) if query else [],
            own=_own_nodes(proposal),
            rows=_rows(request, proposal, node["id"]) if node else [],
            kinds=KINDS,
        )

    def _stored(self, request: HttpRequest, proposal: Proposal, form: RelationForm) -> str:
        """Do what a form asks and return the good news; nothing for a form with mistakes."""
        user, what = staff(request), request.POST.get("what", "")
        change = self.change_named(proposal, request.POST.get("change", ""))
        if change is not None and what in {"undo", "weight"}:
            version = number_of(request.POST.get("version"))
            if what == "undo":
                services.change_remove(acting_user=user, change=change, expected_version=version)
                return _("The change is taken out of the proposal.")
            services.change_update(
                acting_user=user,
                change=change,
                expected_version=version,
                fields={"weight": _weight(request)},
            )
            return _("The weight is stored in the proposal.")
        if what in {"remove", "weight"}:
            relation = uuid_or_none(request.POST.get("relation", ""))
            if what == "remove":
                services.change_add(
                    acting_user=user,
                    proposal=proposal,
                    action=ChangeAction.UNRELATE,
                    relation=relation,
                )
                return _("The proposal removes the relation.")
            services.change_add(
                acting_user=user,
                proposal=proposal,
                action=ChangeAction.RELATION_EDIT,
                relation=relation,
                fields={"weight": _weight(request)},
            )
            return _("The weight is stored in the proposal.")
        if not form.is_valid():
            return ""
        self._relate(request, proposal, form.cleaned_data)
        return _("The proposal relates the nodes.")

    def _relate(self, request: HttpRequest, proposal: Proposal, typed: dict[str, Any]) -> None:
        node = _end_named(request, proposal, request.POST.get("node", ""))
        other = _end_named(request, proposal, typed["other"].strip())
        if node is None or other is None:
            message = _("There is no node “%(name)s”: choose one by its whole title.")
            raise Invalid(message % {"name": typed["other"]}, field="other")
        ends = [node["id"], other["id"]]
        if typed["direction"] == "in":
            ends.reverse()
        services.change_add(
            acting_user=staff(request),
            proposal=proposal,
            action=ChangeAction.RELATE,
            source=ends[0],
            target=ends[1],
            kind=typed["kind"].strip(),
            fields={"weight": typed["weight"]},
        )


def _weight(request: HttpRequest) -> float:
    try:
        return float(request.POST.get("weight", "").replace(",", "."))
    except ValueError:
        raise Invalid(_("A weight is a number."), field="weight") from None


def _own_nodes(proposal: Proposal) -> list[dict[str, Any]]:
    """Return the nodes that a proposal changes or makes, by title."""
    changes = list(proposal.changes.exclude(node_id=None))
    titles = changes_titles(proposal, changes)
    found = [
        {
            "id": change.node_id,
            "title": titles[change.pk],
            "is_new": change.action == ChangeAction.CREATE,
        }
        for change in changes
    ]
    return sorted(found, key=lambda each: str(each["title"]).casefold())


def _nodes_titled(request: HttpRequest, proposal: Proposal, query: str) -> list[dict[str, Any]]:
    rows = Node.objects.visible_to(staff(request)).filter(title__icontains=query)
    ours = rows.filter(space=proposal.space).order_by("title", "pk")
    return [{"id": pk, "title": title} for pk, title in ours.values_list("pk", "title")[:MOST]]


def _end_named(request: HttpRequest, proposal: Proposal, name: str) -> dict[str, Any] | None:
    """Return the node of an id or a whole title, of the proposal or stored; None without one."""
    if not name:
        return None
    pk = uuid_or_none(name)
    for own in _own_nodes(proposal):
        if own["id"] == pk or (pk is None and str(own["title"]).casefold() == name.casefold()):
            return own
    rows = Node.objects.visible_to(staff(request))
    rows = rows.filter(pk=pk) if pk else rows.filter(title__iexact=name).order_by("created_at")
    here = rows.filter(space=proposal.space).first() or rows.first()
    return {"id": here.pk, "title": here.title} if here else None


def _rows(request: HttpRequest, proposal: Proposal, node_id: uuid.UUID) -> list[dict[str, Any]]:
    """Return the relations of a node, stored or proposed, with what the proposal does to each."""
    at_node = Q(source_id=node_id) | Q(target_id=node_id)
    changes = list(proposal.changes.filter(at_node))
    stored = Relation.objects.visible_to(staff(request)).filter(at_node)
    stored = stored.select_related("source", "target").order_by("-weight", "kind", "pk")
    by_relation = {each.relation_id: each for each in changes if each.relation_id}
    titles = changes_titles(proposal, changes)
    rows: list[dict[str, Any]] = [
        {
            "label": f"{each.source.title} → {each.kind} → {each.target.title}",
            "weight": each.weight,
            "relation": each,
            "is_text": each.origin == RelationOrigin.TEXT,
            **_state(by_relation.get(each.pk), each.weight),
        }
        for each in stored[:MOST]
    ]
    made = [each for each in changes if each.action == ChangeAction.RELATE]
    return rows + [
        {"label": titles[each.pk], "weight": None, "relation": None, **_state(each, None)}
        for each in made
    ]


def _state(change: ProposalChange | None, weight: float | None) -> dict[str, Any]:
    wanted = change.fields.get("weight", weight) if change else weight
    return {"change": change, "wanted": 1.0 if wanted is None else wanted}
