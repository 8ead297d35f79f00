"""Pods of runs that are over go after a while; rows and logs stay.

How long is the pipeline's own word (`resource_ttl_on_completion` and its kin), noted on each of its pods, or a setting.
Source: the compiler writes both into an Argo Workflow's `ttlStrategy` upstream, whose default is a day.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping
from typing import Any

from sampan.client.protocol import Client, DeleteOptions, ListOptions, Object
from sampan.components.pipelines.api.ir_model import PipelineConfig
from sampan.components.pipelines.api.states import RuntimeState
from sampan.components.pipelines.engine.podspec import RUN_LABEL
from sampan.components.pipelines.store import runs
from sampan.kube.errors import ApiError
from sampan.kube.kinds import PODS
from sampan.lib.clock import Clock, to_micros
from sampan.lib.log import get_logger
from sampan.store.database import Database, StorageError

log = get_logger(__name__)

TTL_ANNOTATION = "sampan.dev/ttl-seconds"
"""After completion, success and failure of the run, as a JSON list; 0 for what is not set."""

_PAUSE_SECONDS = 300.0
_ENDED = ("Succeeded", "Failed")


def note_ttl(pod: dict[str, Any], config: PipelineConfig) -> None:
    """Writes the pipeline's TTL onto a pod, where it has one."""
    ttl = [config.ttl_on_completion, config.ttl_on_success, config.ttl_on_failure]
    if any(ttl):
        pod["metadata"]["annotations"] = {
            **(pod["metadata"].get("annotations") or {}),
            TTL_ANNOTATION: json.dumps(ttl),
        }


def overdue(
    pods: Iterable[Object], ended: Mapping[str, tuple[str, int]], hours: int, now: int
) -> list[Object]:
    """Those whose time is over. `ended` has the state and the end of runs that are over, by their ids."""
    found = []
    for pod in pods:
        run = ended.get((pod["metadata"].get("labels") or {}).get(RUN_LABEL, ""))
        if run is None or (pod.get("status") or {}).get("phase") not in _ENDED:
            continue
        state, finished_at = run
        seconds = _seconds(pod, state) or hours * 3600
        if seconds and now - finished_at > seconds * 1_000_000:
            found.append(pod)
    return found


def _seconds(pod: Object, state: str) -> int:
    try:
        completion, success, failure = json.loads(
            (pod["metadata"].get("annotations") or {}).get(TTL_ANNOTATION, "[0, 0, 0]")
        )
    except ValueError:
        return 0
    return int((success if state == RuntimeState.SUCCEEDED else failure) or completion)


class CompletedPods:
    """For one event loop; `run` is a task. `selector` names the pods of this home."""

    def __init__(self, client: Client, database: Database, clock: Clock, hours: int) -> None:
        self._client = client
        self._database = database
        self._clock = clock
        self._hours = hours

    async def run(self) -> None:
        while True:
            await asyncio.sleep(_PAUSE_SECONDS)
            try:
                await self.collect()
            except (ApiError, StorageError) as error:
                log.warning("pods of ended runs remain, trying again", error=str(error))

    async def collect(self) -> int:
        """One round; how many pods went."""
        found = await self._client.list(PODS, None, ListOptions(label_selector=RUN_LABEL))
        ids = {(pod["metadata"].get("labels") or {}).get(RUN_LABEL, "") for pod in found.items}
        if not ids:
            return 0
        ended = await self._database.read(lambda connection: runs.ended(connection, ids))
        gone = overdue(found.items, ended, self._hours, to_micros(self._clock.now()))
        for pod in gone:
            metadata = pod["metadata"]
            try:
                await self._client.delete(PODS, metadata["name"], metadata["namespace"], DeleteOptions())
            except ApiError as error:
                log.debug("a pod of an ended run remains", pod=metadata["name"], error=error.message)
        return len(gone)
