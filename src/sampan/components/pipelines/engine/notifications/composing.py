"""What there is to say of a run: where it failed, the end of that step's log, whose it is. Secrets are masked.

Known secrets are the values of the namespace's Secrets: a step that printed one has it in its log. Where they cannot be
read, nothing that a step printed is sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sampan.client.protocol import Client
from sampan.components.pipelines.api.notice_texts import Notice, Step
from sampan.components.pipelines.engine.secret_texts import hide, texts_to_hide
from sampan.components.pipelines.store import deliveries, experiments, pipelines, run_facts
from sampan.components.pipelines.store.notices import NoticeRow, NotificationRow
from sampan.components.pipelines.store.run_facts import FailedStep
from sampan.components.pipelines.store.step_logs import KeptLog, StepLogs
from sampan.lib.clock import from_micros, rfc3339
from sampan.lib.logview import LogView
from sampan.store.database import Database

_TAIL_BYTES = 32 * 1024
_LONGEST = 4000
_LOG_QUOTED = "; the end of its log:"
_WITHHELD = "(not sent: the namespace's Secrets cannot be read, so they could not be masked)"
_WITH_STEP = ("FAILED", "PAUSED", "CANCELED")


@dataclass(frozen=True, slots=True)
class _Found:
    step: FailedStep | None
    pipeline_name: str
    experiment_name: str
    started_by: str


class Composer:
    """Thread-safe but for `compose`, which is for one event loop."""

    def __init__(self, database: Database, client: Client, home: Path, url: str) -> None:
        """`url` is where people reach this server."""
        self._database = database
        self._client = client
        self._logs = StepLogs(home)
        self._url = url.rstrip("/")

    async def compose(self, notification: NotificationRow, row: NoticeRow) -> Notice:
        facts = json.loads(row.facts)
        found = await self._database.read(lambda connection: _look_up(connection, facts))
        hidden = await texts_to_hide(self._client, notification.namespace)
        step = await self._step(notification, found.step, hidden) if facts["state"] in _WITH_STEP else None
        error = facts.get("error", "").partition(_LOG_QUOTED)[0]
        return Notice(
            notice_id=row.notice_id,
            notification=notification.display_name,
            namespace=notification.namespace,
            run_id=facts["run_id"],
            run_name=facts["name"],
            state=facts["state"],
            time=rfc3339(from_micros(facts["at"]), micro=True),
            seconds=(facts["at"] - facts["created_at"]) / 1e6,
            error=_masked(error, hidden),
            step=step,
            pipeline_id=facts["pipeline_id"],
            pipeline_name=found.pipeline_name,
            pipeline_version_id=facts["pipeline_version_id"],
            experiment_id=facts["experiment_id"],
            experiment_name=found.experiment_name,
            service_account=facts["service_account"],
            started_by=found.started_by,
            url=f"{self._url}/ui/runs/{facts['run_id']}" if self._url else "",
        )

    async def _step(
        self, notification: NotificationRow, failed: FailedStep | None, hidden: list[str] | None
    ) -> Step | None:
        if failed is None:
            return None
        message = _masked(failed.message.partition(_LOG_QUOTED)[0], hidden)
        log = ""
        if notification.log_lines and failed.attempts:
            log = await asyncio.to_thread(self._log, notification, failed)
        return Step(failed.name, message, _masked(log, hidden) if log else "")

    def _log(self, notification: NotificationRow, failed: FailedStep) -> str:
        paths = self._logs.find(notification.namespace, failed.attempts[-1])
        if not paths:
            return ""
        with contextlib.closing(KeptLog(paths, LogView(), notification.log_lines)) as kept:
            text = bytearray()
            while chunk := kept.read():
                text = (text + chunk)[-_TAIL_BYTES:]
        lines = text.decode(errors="replace").splitlines()
        return "\n".join(lines[-notification.log_lines :])


def _masked(text: str, hidden: list[str] | None) -> str:
    if hidden is None:
        return _WITHHELD if text else ""
    # Masked before it is cut: half a secret would not be found.
    return hide(text, hidden)[-_LONGEST:].strip()


def _look_up(connection: Any, facts: Mapping[str, Any]) -> _Found:
    pipeline = pipelines.get(connection, facts["pipeline_id"]) if facts["pipeline_id"] else None
    experiment = experiments.get(connection, facts["experiment_id"]) if facts["experiment_id"] else None
    return _Found(
        step=run_facts.failed_step(connection, facts["run_id"]),
        pipeline_name=pipeline.display_name if pipeline is not None else "",
        experiment_name=experiment.display_name if experiment is not None else "",
        started_by=_started_by(connection, facts),
    )


def _started_by(connection: Any, facts: Mapping[str, Any]) -> str:
    if facts.get("recurring_run_id"):
        return f"schedule {facts['recurring_run_id']}"
    name = deliveries.trigger_of(connection, facts["run_id"])
    return f"trigger {name}" if name else ""


def sample(notification: NotificationRow, now_micros: int) -> Notice:
    """To try a channel with."""
    return Notice(
        notice_id=f"test-{now_micros}",
        notification=notification.display_name,
        namespace=notification.namespace,
        run_id="00000000-0000-0000-0000-000000000000",
        run_name=f"Notification {notification.display_name}",
        state="TEST",
        time=rfc3339(from_micros(now_micros), micro=True),
        seconds=0,
    )
