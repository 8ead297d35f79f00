"""Stored triggers, notifications and what came of them, as the API's messages. Pure. Secrets are never in them."""

from __future__ import annotations

import json
from typing import Any

from sampan.components.pipelines.api.wire import present, time_of
from sampan.components.pipelines.rest.render import runtime_config, specification
from sampan.components.pipelines.store.deliveries import DeliveryRow
from sampan.components.pipelines.store.event_triggers import TriggerRow
from sampan.components.pipelines.store.notices import NoticeRow, NotificationRow


def trigger(row: TriggerRow, namespace: str = "", secret: str = "") -> dict[str, Any]:
    """`namespace` is shown: blank with one user. `secret` is one that was just made: it is shown this once."""
    if row.spec_inline:
        source: dict[str, Any] = {"pipeline_spec": specification(row.spec)}
    else:
        reference = present(pipeline_id=row.pipeline_id, pipeline_version_id=row.pipeline_version_id)
        source = {"pipeline_version_reference": reference}
    listens_to = json.loads(row.source)
    if secret:
        listens_to["secret"] = secret
    return present(
        trigger_id=row.trigger_id,
        display_name=row.display_name,
        description=row.description,
        namespace=namespace,
        experiment_id=row.experiment_id,
        service_account=row.service_account,
        runtime_config=runtime_config(row.runtime_config),
        max_concurrency=str(row.max_concurrency),
        conditions=json.loads(row.conditions),
        status=row.status,
        created_at=time_of(row.created_at),
        updated_at=time_of(row.updated_at),
        error=json.loads(row.error) if row.error else None,
        error_at=time_of(row.error_at) if row.error_at else None,
        runs_started=str(row.runs_started),
        **source,
    ) | {row.kind: listens_to}


def delivery(row: DeliveryRow) -> dict[str, Any]:
    started = row.state in ("PENDING", "STARTED")
    return present(
        delivery_id=row.delivery_id,
        state=row.state,
        run_id=row.run_id if started else "",
        error=json.loads(row.error) if row.error else None,
        attempts=row.attempts,
        created_at=time_of(row.created_at),
        attempted_at=time_of(row.attempted_at) if row.attempted_at else None,
    )


def delivery_with_event(row: DeliveryRow) -> dict[str, Any]:
    return delivery(row) | {"event": json.loads(row.event)}


def notification(row: NotificationRow, namespace: str = "") -> dict[str, Any]:
    return present(
        notification_id=row.notification_id,
        display_name=row.display_name,
        description=row.description,
        namespace=namespace,
        experiment_id=row.experiment_id,
        pipeline_id=row.pipeline_id,
        run_id=row.run_id,
        states=json.loads(row.states),
        longer_than_seconds=str(row.longer_than_seconds) if row.longer_than_seconds else "",
        log_lines=str(row.log_lines),
        status=row.status,
        created_at=time_of(row.created_at),
        updated_at=time_of(row.updated_at),
        error=row.error,
        error_at=time_of(row.error_at) if row.error_at else None,
        sent=str(row.sent),
    ) | {row.channel: json.loads(row.target)}


def notice(row: NoticeRow) -> dict[str, Any]:
    return present(
        delivery_id=row.notice_id,
        state=row.state,
        run_id=row.run_id,
        about=json.loads(row.facts)["state"],
        error=row.error,
        attempts=row.attempts,
        created_at=time_of(row.created_at),
        attempted_at=time_of(row.attempted_at) if row.attempted_at else None,
        next_attempt_at=time_of(row.next_at) if row.next_at else None,
    )
