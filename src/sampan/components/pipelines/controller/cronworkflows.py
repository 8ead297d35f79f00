"""The CronWorkflow reconciler: the thin edge around `ticks` and `cron`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sampan.client.protocol import Client, Object
from sampan.components.pipelines.api.errors import PipelinesError
from sampan.components.pipelines.api.workflow_kinds import CRON_WORKFLOWS, INSTANCE_LABEL, WORKFLOWS
from sampan.components.pipelines.controller.cron import (
    SPEC_ERROR,
    STOPPED,
    SUBMISSION_ERROR,
    Observed,
    desired,
    observe,
    surplus,
)
from sampan.components.pipelines.controller.ticks import Timetable, due, timetable
from sampan.kube import meta, owners
from sampan.kube.errors import AlreadyExistsError, ApiError, InvalidError
from sampan.lib.clock import Clock, parse_rfc3339
from sampan.reconcile.apply import delete_if_present, merge_difference
from sampan.reconcile.cache import Cache
from sampan.reconcile.controller import Controller, own, owned
from sampan.reconcile.events import EventRecorder
from sampan.reconcile.reconciler import DONE, Request, Result

_AFTER_THE_TICK = timedelta(milliseconds=100)
"""So that the tick has passed for certain when it is looked at."""
_AT_MOST = timedelta(minutes=10)
"""The wall clock may be set: however far the next tick is, it is asked again after this time."""
OWNER_INDEX = "owner"

Judge = Callable[[str, Mapping[str, Any]], bool]
"""(expression, variables) to what it says. Raises PipelinesError."""


@dataclass(frozen=True, slots=True)
class CronCaches:
    crons: Cache
    workflows: Cache


def owner_uids(obj: Object) -> tuple[str, ...]:
    found = owners.controller_of(obj)
    return (str(found.get("uid")),) if found else ()


class CronWorkflowReconciler:
    def __init__(self, client: Client, clock: Clock, caches: CronCaches, when: Judge, stops: Judge) -> None:
        """`when` and `stops` evaluate the fields of these names."""
        self._client = client
        self._clock = clock
        self._crons = caches.crons
        self._workflows = caches.workflows
        self._workflows.add_index(OWNER_INDEX, owner_uids)
        self._when = when
        self._stops = stops
        self._recorder = EventRecorder(client, clock, "workflow-controller")

    def controller(self) -> Controller[Request]:
        sources = [own(self._crons), owned(self._workflows, CRON_WORKFLOWS)]
        return Controller("cronworkflow", self.reconcile, sources, workers=2, close=self._recorder.close)

    async def reconcile(self, request: Request) -> Result:
        cron = self._crons.get(request.namespace, request.name)
        if cron is None or meta.labels(cron).get(INSTANCE_LABEL):
            return DONE
        workflows = self._workflows.by_index(OWNER_INDEX, meta.uid(cron))
        observed = observe(cron, workflows)
        try:
            again = await self._start_if_due(cron, observed)
        finally:
            # Whatever kept a Workflow from being made, what was seen of the others is on record.
            await self._write(cron, observed)
            # Not before: the end of one that is gone could not be counted again, had that write come too late.
            for each in surplus(cron, workflows):
                await delete_if_present(self._client, WORKFLOWS, each)
        return Result(again)

    async def _start_if_due(self, cron: Object, observed: Observed) -> timedelta | None:
        """Starts what is due; when to look again. Raises ApiError."""
        spec = meta.spec(cron)
        if meta.is_deleting(cron) or spec.get("suspend"):
            return None
        try:
            table = timetable(spec)
            if self._has_stopped(spec, observed):
                observed.status["phase"] = STOPPED
                return None
            observed.status["phase"] = "Active"
            now = self._clock.now()
            tick = due(table, _since(cron, observed), now, int(spec.get("startingDeadlineSeconds") or 0))
            if tick is not None and self._may_start(cron, observed, now):
                if spec.get("concurrencyPolicy") == "Replace":
                    await self._replace(cron, observed)
                await self._start(cron, observed, table, tick)
        except (ValueError, PipelinesError) as error:
            observed.complain(SPEC_ERROR, str(error))
            self._recorder.warning(cron, SPEC_ERROR, str(error))
            return None
        observed.complain(SPEC_ERROR, "")
        following = table.next(now)
        return None if following is None else min(following - now + _AFTER_THE_TICK, _AT_MOST)

    def _has_stopped(self, spec: Mapping[str, Any], observed: Observed) -> bool:
        expression = (spec.get("stopStrategy") or {}).get("expression") or (
            spec.get("stopStrategy") or {}
        ).get("condition")
        if not expression:
            return False
        counts = {key: int(observed.status.get(key) or 0) for key in ("failed", "succeeded")}
        return self._stops(str(expression), {"cronworkflow": counts})

    def _may_start(self, cron: Object, observed: Observed, now: datetime) -> bool:
        spec = meta.spec(cron)
        if spec.get("concurrencyPolicy") == "Forbid" and observed.active:
            return False
        if not spec.get("when"):
            return True
        last = observed.status.get("lastScheduledTime")
        known = {
            "name": meta.name(cron),
            "namespace": meta.namespace(cron),
            "labels": meta.labels(cron),
            "annotations": meta.annotations(cron),
            "lastScheduledTime": parse_rfc3339(str(last)) if last else None,
            "failed": int(observed.status.get("failed") or 0),
            "succeeded": int(observed.status.get("succeeded") or 0),
        }
        return self._when(str(spec["when"]), {"cronworkflow": known, "now": now})

    async def _start(self, cron: Object, observed: Observed, table: Timetable, tick: datetime) -> None:
        wanted = desired(cron, tick, table.zone)
        try:
            workflow = await self._client.create(WORKFLOWS, wanted)
        except AlreadyExistsError:
            # Made before a crash: it is the one for this tick, if it is ours.
            workflow = await self._client.get(WORKFLOWS, meta.name(wanted), meta.namespace(cron))
            if not owners.is_controlled_by(workflow, cron):
                return
        except InvalidError as error:
            # The same spec will be no better at the next look, only at the next change or tick.
            observed.complain(SUBMISSION_ERROR, error.message)
            observed.news.append((True, "FailedCreate", error.message))
            return
        except ApiError as error:
            observed.complain(SUBMISSION_ERROR, error.message)
            raise
        observed.complain(SUBMISSION_ERROR, "")
        observed.start(workflow, tick)
        await self._workflows.reached(meta.resource_version(workflow))

    async def _replace(self, cron: Object, observed: Observed) -> None:
        for each in list(observed.active):
            found = {"metadata": {**each, "namespace": meta.namespace(cron)}}
            await delete_if_present(self._client, WORKFLOWS, found)
            observed.forget(str(each.get("uid")))

    async def _write(self, cron: Object, observed: Observed) -> None:
        change = merge_difference(meta.status(cron), observed.status)
        after = cron
        if change:
            seen = {"resourceVersion": meta.resource_version(cron), "uid": meta.uid(cron)}
            patch = {"metadata": seen, "status": change}
            after = await self._client.patch(CRON_WORKFLOWS, meta.name(cron), patch, meta.namespace(cron))
        for is_warning, reason, text in observed.news:
            tell = self._recorder.warning if is_warning else self._recorder.normal
            tell(after, reason, text)
        await self._crons.reached(meta.resource_version(after))


def _since(cron: Object, observed: Observed) -> datetime:
    """What was to start before it was made, or was started last, is nobody's business any more."""
    last = observed.status.get("lastScheduledTime")
    return parse_rfc3339(str(last or meta.metadata(cron).get("creationTimestamp")))
