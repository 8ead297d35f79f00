"""Notifications as a service: made, switched on and off, deleted. Called by the API; `sending` does the rest."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sampan.components.pipelines.api.errors import FailedPreconditionError, NotFoundError
from sampan.components.pipelines.api.notification_rules import read_rule
from sampan.components.pipelines.api.settings import MailSettings
from sampan.components.pipelines.store import experiments, notices, pipelines, runs
from sampan.components.pipelines.store.event_triggers import Status
from sampan.components.pipelines.store.notices import NotificationRow
from sampan.lib.clock import Clock, to_micros
from sampan.lib.ids import new_uid
from sampan.store.database import Database


@dataclass(frozen=True, slots=True)
class NotificationRequest:
    """What a notification is to be. Its name is checked by the caller."""

    namespace: str
    display_name: str
    given: Mapping[str, Any]
    """The message, with the one channel in it."""
    enabled: bool = True
    description: str = ""
    scope: Mapping[str, str] = field(default_factory=dict)
    """`experiment_id`, `pipeline_id`, `run_id`: those that are given must all be a run's."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What the settings say of notifications."""

    allow_private: bool = False
    mail: MailSettings = field(default_factory=MailSettings)


class Notifications:
    """For one event loop. `wake` tells the sender to look again."""

    def __init__(self, database: Database, clock: Clock, rules: Rules, wake: Callable[[], None]) -> None:
        self._database = database
        self._clock = clock
        self._rules = rules
        self._wake = wake

    async def create(self, request: NotificationRequest) -> NotificationRow:
        """Raises InvalidArgumentError, NotFoundError, FailedPreconditionError, which name the field."""
        return await self._stored(self._drafted(request, request.given, new_uid()), notices.insert)

    async def replace(self, notification_id: str, request: NotificationRequest) -> NotificationRow:
        """As `create`, in the place of one that is there: what it has sent, and an URL and a secret that are not given
        anew, stay. Raises NotFoundError too."""
        current = await self._database.read(lambda c: found_notification(c, notification_id))
        given = _with_secrets(request.given, current)
        row = replace(self._drafted(request, given, notification_id), created_at=current.created_at)
        return await self._stored(row, notices.replace)

    def _drafted(
        self, request: NotificationRequest, given: Mapping[str, Any], notification_id: str
    ) -> NotificationRow:
        rule = read_rule(given, allow_private=self._rules.allow_private)
        if rule.channel == "email" and not self._rules.mail.host:
            raise FailedPreconditionError(
                "notification.email: no mail server is set; say where it is in the table [mail] of settings.toml"
            )
        now = to_micros(self._clock.now())
        return NotificationRow(
            notification_id=notification_id,
            namespace=request.namespace,
            display_name=request.display_name,
            states=json.dumps(rule.states),
            channel=rule.channel,
            target=json.dumps(rule.target, ensure_ascii=False),
            created_at=now,
            updated_at=now,
            log_lines=rule.log_lines,
            description=request.description,
            status=Status.ENABLED if request.enabled else Status.DISABLED,
            longer_than_seconds=rule.longer_than_seconds,
            secrets=json.dumps(rule.secrets),
            experiment_id=request.scope.get("experiment_id", ""),
            pipeline_id=request.scope.get("pipeline_id", ""),
            run_id=request.scope.get("run_id", ""),
        )

    async def _stored(
        self, row: NotificationRow, write: Callable[[Any, NotificationRow], None]
    ) -> NotificationRow:
        def store(connection: Any) -> None:
            _check_scope(connection, row)
            write(connection, row)

        await self._database.write(store)
        self._wake()
        return row

    async def switch(self, notification_id: str, status: Status) -> None:
        """What waits to be sent is sent all the same."""
        now = to_micros(self._clock.now())

        def write(connection: Any) -> None:
            if found_notification(connection, notification_id).status != status:
                notices.set_status(connection, notification_id, status, now)

        await self._database.write(write)
        self._wake()

    async def delete(self, notification_id: str) -> None:
        await self._database.write(lambda connection: notices.delete(connection, notification_id))


def _with_secrets(given: Mapping[str, Any], current: NotificationRow) -> dict[str, Any]:
    """The message with what nobody is shown again: where the channel is the same, and it says nothing else."""
    if current.channel not in given:
        return dict(given)
    target, secrets = dict(given[current.channel]), json.loads(current.secrets)
    for name in ("url", "secret"):
        if (
            name in secrets
            and not target.get(name)
            and f"{name}_ref" not in target
            and f"{name}_secret_ref" not in target
        ):
            target[name] = secrets[name]
    return {**given, current.channel: target}


def found_notification(connection: Any, notification_id: str) -> NotificationRow:
    """Raises NotFoundError."""
    row = notices.get(connection, notification_id)
    if row is None:
        raise NotFoundError(f"notification {notification_id!r} not found")
    return row


def _check_scope(connection: Any, row: NotificationRow) -> None:
    """What it is about must be there, and the namespace's own."""
    looked_up: tuple[tuple[str, str, Any], ...] = (
        ("experiment", row.experiment_id, experiments.get),
        ("pipeline", row.pipeline_id, pipelines.get),
        ("run", row.run_id, runs.get),
    )
    for kind, key, get in looked_up:
        if key and ((found := get(connection, key)) is None or found.namespace != row.namespace):
            raise NotFoundError(f"notification.{kind}_id: {kind} {key!r} not found")
