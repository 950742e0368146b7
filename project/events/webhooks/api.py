"""REST: webhooks and their deliveries."""

from collections.abc import Collection
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from project.accounts.models import ApiKey
from project.accounts.permissions import caller
from project.events.models import Webhook, WebhookDelivery
from project.events.webhooks import services
from project.events.webhooks.registry import offers
from project.events.webhooks.serializers import (
    DeliveryListQuery,
    DeliverySerializer,
    EventTypeSerializer,
    ReplayAnswer,
    ReplayInput,
    RotateInput,
    WebhookInput,
    WebhookMade,
    WebhookSerializer,
)
from project.http.api import ApiViewSet, find

_DELIVERY = r"deliveries/(?P<delivery>[^/]+)"


class WebhookViewSet(ApiViewSet):
    """Addresses that are told of events. A key sees those whose types it may read."""

    serializer_class = WebhookSerializer

    def get_queryset(self) -> Any:
        """Return the webhooks that the caller may see."""
        rows = Webhook.objects.visible_to(self.request.user)
        scopes = self._scopes()
        if scopes is None:
            return rows
        readable = [each.type for each in offers() if each.scope in scopes]
        return rows.filter(types__contained_by=readable)

    def _scopes(self) -> Collection[str] | None:
        auth = self.request.auth
        return auth.scopes if isinstance(auth, ApiKey) else None

    def _delivery(self, pk: str, delivery: str) -> WebhookDelivery:
        webhook: Webhook = find(self.get_queryset(), pk)
        return find(WebhookDelivery.objects.filter(webhook=webhook), delivery)

    def list(self, request: Request) -> Response:
        """List webhooks, newest first."""
        return self.page_of(self.get_queryset(), WebhookSerializer)

    @extend_schema(request=WebhookInput, responses={201: WebhookMade})
    def create(self, request: Request) -> Response:
        """Make a webhook; the answer is the only one with its secret."""
        body = self.validated(WebhookInput)
        made = services.webhook_create(acting_user=caller(request), scopes=self._scopes(), **body)
        return Response(_with_secret(made), status=status.HTTP_201_CREATED)

    def retrieve(self, request: Request, pk: str) -> Response:
        """Show a webhook."""
        return Response(WebhookSerializer(find(self.get_queryset(), pk)).data)

    @extend_schema(request=WebhookInput, responses=WebhookSerializer)
    def partial_update(self, request: Request, pk: str) -> Response:
        """Change a webhook, or switch it on or off."""
        webhook = find(self.get_queryset(), pk)
        body = self.validated(WebhookInput, partial=True)
        webhook = services.webhook_update(
            acting_user=caller(request), webhook=webhook, scopes=self._scopes(), **body
        )
        return Response(WebhookSerializer(webhook).data)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: str) -> Response:
        """Delete a webhook with its deliveries."""
        webhook = find(self.get_queryset(), pk)
        services.webhook_delete(acting_user=caller(request), webhook=webhook)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=RotateInput, responses=WebhookMade)
    @action(detail=True, methods=["post"], url_path="rotate-secret")
    def rotate_secret(self, request: Request, pk: str) -> Response:
        """Give a webhook a new secret; for a time the former one signs as well."""
        webhook = find(self.get_queryset(), pk)
        made = services.webhook_rotate(
            acting_user=caller(request), webhook=webhook, **self.validated(RotateInput)
        )
        return Response(_with_secret(made))

    @extend_schema(request=None, responses={202: DeliverySerializer})
    @action(detail=True, methods=["post"])
    def test(self, request: Request, pk: str) -> Response:
        """Send an event of the type `webhook.test`; follow its delivery."""
        webhook = find(self.get_queryset(), pk)
        made = services.webhook_test(acting_user=caller(request), webhook=webhook)
        return Response(DeliverySerializer(made).data, status=status.HTTP_202_ACCEPTED)

    @extend_schema(parameters=[DeliveryListQuery], responses=DeliverySerializer(many=True))
    @action(detail=True, methods=["get"])
    def deliveries(self, request: Request, pk: str) -> Response:
        """List the deliveries of a webhook, newest first; they are kept for 30 days."""
        rows = find(self.get_queryset(), pk).deliveries.filter(**self.query(DeliveryListQuery))
        return self.page_of(rows, DeliverySerializer)

    @extend_schema(responses=DeliverySerializer)
    @action(detail=True, methods=["get"], url_path=_DELIVERY)
    def delivery(self, request: Request, pk: str, delivery: str) -> Response:
        """Show a delivery."""
        return Response(DeliverySerializer(self._delivery(pk, delivery)).data)

    @extend_schema(request=None, responses={202: DeliverySerializer})
    @action(detail=True, methods=["post"], url_path=f"{_DELIVERY}/replay", url_name="replay-one")
    def replay_one(self, request: Request, pk: str, delivery: str) -> Response:
        """Send a delivery once more, with the id that it had."""
        row = services.delivery_replay(
            acting_user=caller(request), delivery=self._delivery(pk, delivery)
        )
        return Response(DeliverySerializer(row).data, status=status.HTTP_202_ACCEPTED)

    @extend_schema(request=ReplayInput, responses={202: ReplayAnswer})
    @action(detail=True, methods=["post"])
    def replay(self, request: Request, pk: str) -> Response:
        """Send once more what ended with a status, the oldest first, 1000 at most."""
        webhook = find(self.get_queryset(), pk)
        count = services.deliveries_replay(
            acting_user=caller(request), webhook=webhook, **self.validated(ReplayInput)
        )
        return Response({"replayed": count}, status=status.HTTP_202_ACCEPTED)

    @extend_schema(responses=EventTypeSerializer(many=True))
    @action(detail=False, methods=["get"], url_path="event-types", pagination_class=None)
    def event_types(self, request: Request) -> Response:
        """List the types of events that webhooks may ask for."""
        rows = [
            {
                "type": each.type,
                "description": each.description,
                "scope": each.scope,
                "tells": each.fields,
            }
            for each in offers()
        ]
        return Response(EventTypeSerializer(rows, many=True).data)


def _with_secret(made: services.Made) -> dict[str, Any]:
    return {**WebhookSerializer(made.webhook).data, "secret": made.secret}
