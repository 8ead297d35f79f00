"""Tells a pod why it waits: its PodScheduled condition and a FailedScheduling event."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sampan.client.protocol import Client, Object
from sampan.kube import conditions, meta
from sampan.kube.errors import ApiError
from sampan.kube.kinds import PODS
from sampan.lib.clock import Clock, rfc3339
from sampan.lib.log import get_logger
from sampan.reconcile.events import EventRecorder

log = get_logger(__name__)

TYPE = "PodScheduled"


class Teller:
    """Says each thing once to each pod."""

    def __init__(self, client: Client, clock: Clock, recorder: EventRecorder) -> None:
        self._client = client
        self._clock = clock
        self._recorder = recorder
        self._told: dict[str, str] = {}

    def forget(self, uid: str) -> None:
        self._told.pop(uid, None)

    async def tell(self, pod: Object, reason: str, message: str) -> None:
        """Never raises: a pod that could not be told is told another time."""
        uid, name, namespace = meta.uid(pod), meta.name(pod), meta.namespace(pod)
        if self._told.get(uid) == message:
            return
        self._told[uid] = message
        try:
            told = await self._write(pod, reason, message)
        except ApiError as error:
            log.debug("pod not told", namespace=namespace, pod=name, error=error.message)
            self.forget(uid)
            return
        except Exception as error:
            log.error("pod cannot be told", namespace=namespace, pod=name, exc=error)
            return
        if told and reason == "Unschedulable":
            self._recorder.warning(pod, "FailedScheduling", message)

    async def _write(self, pod: Object, reason: str, message: str) -> bool:
        """Whether there was something to write: a previous process may have said so."""
        now = rfc3339(self._clock.now())
        changed = {**pod, "status": _with_own_conditions(meta.status(pod))}
        if not conditions.put(changed, TYPE, "False", now=now, reason=reason, message=message):
            return False
        patch = {
            # Another pod of that name, or one that has found its place meanwhile, is not to be told.
            "metadata": {"uid": meta.uid(pod), "resourceVersion": meta.resource_version(pod)},
            "status": {"conditions": changed["status"]["conditions"]},
        }
        await self._client.patch(PODS, meta.name(pod), patch, meta.namespace(pod), subresource="status")
        return True


def _with_own_conditions(status: Mapping[str, Any]) -> dict[str, Any]:
    """A copy that may be changed in its conditions."""
    return {**status, "conditions": [dict(each) for each in status.get("conditions") or ()]}
