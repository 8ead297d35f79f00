"""The paths of triggers and notifications, as `endpoints` has the others."""

from __future__ import annotations

from sampan.components.pipelines.api import wire_messages_events as messages
from sampan.components.pipelines.api.wire_messages import EMPTY
from sampan.components.pipelines.rest import notifications, scopes, triggers, webhooks
from sampan.components.pipelines.rest.authorise import Resource, Verb
from sampan.components.pipelines.rest.dispatch import Endpoint
from sampan.components.pipelines.store import event_triggers, notices

_V2 = "/apis/v2beta1"


def endpoints() -> list[Endpoint]:
    return [*_triggers(), *_notifications()]


def _triggers() -> list[Endpoint]:
    kind, requested = Resource.TRIGGERS, scopes.requested
    owned = scopes.of_row("trigger", "trigger_id", event_triggers.namespace_of)
    base, one = f"{_V2}/triggers", f"{_V2}/triggers/{{trigger_id}}"
    delivery = f"{one}/deliveries/{{delivery_id}}"
    return [
        Endpoint("POST", base, Verb.CREATE, kind, requested, triggers.create, messages.TRIGGER),
        Endpoint("GET", base, Verb.LIST, kind, requested, triggers.list_),
        Endpoint("GET", one, Verb.GET, kind, owned, triggers.get),
        Endpoint("PUT", one, Verb.UPDATE, kind, owned, triggers.replace, messages.TRIGGER),
        Endpoint("DELETE", one, Verb.DELETE, kind, owned, triggers.delete),
        Endpoint("POST", f"{one}:enable", Verb.ENABLE, kind, owned, triggers.enable, EMPTY),
        Endpoint("POST", f"{one}:disable", Verb.DISABLE, kind, owned, triggers.disable, EMPTY),
        Endpoint("POST", f"{one}:fire", Verb.FIRE, kind, owned, webhooks.fire),
        Endpoint("POST", f"{one}:test", Verb.TEST, kind, owned, triggers.test, messages.MADE_UP_EVENT),
        Endpoint("GET", f"{one}/deliveries", Verb.LIST, kind, owned, triggers.list_deliveries),
        Endpoint("GET", delivery, Verb.GET, kind, owned, triggers.get_delivery),
        Endpoint("POST", f"{delivery}:retry", Verb.RETRY, kind, owned, triggers.retry_delivery, EMPTY),
    ]


def _notifications() -> list[Endpoint]:
    kind, requested = Resource.NOTIFICATIONS, scopes.requested
    owned = scopes.of_row("notification", "notification_id", notices.namespace_of)
    base, one = f"{_V2}/notifications", f"{_V2}/notifications/{{notification_id}}"
    return [
        Endpoint("POST", base, Verb.CREATE, kind, requested, notifications.create, messages.NOTIFICATION),
        Endpoint("GET", base, Verb.LIST, kind, requested, notifications.list_),
        Endpoint("GET", one, Verb.GET, kind, owned, notifications.get),
        Endpoint("PUT", one, Verb.UPDATE, kind, owned, notifications.replace, messages.NOTIFICATION),
        Endpoint("DELETE", one, Verb.DELETE, kind, owned, notifications.delete),
        Endpoint("POST", f"{one}:enable", Verb.ENABLE, kind, owned, notifications.enable, EMPTY),
        Endpoint("POST", f"{one}:disable", Verb.DISABLE, kind, owned, notifications.disable, EMPTY),
        Endpoint("POST", f"{one}:test", Verb.TEST, kind, owned, notifications.test, EMPTY),
        Endpoint("GET", f"{one}/deliveries", Verb.LIST, kind, owned, notifications.list_deliveries),
    ]
