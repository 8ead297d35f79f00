"""Tells a pod why it waits: its PodScheduled condition and a FailedScheduling event."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class _Told:
    headline: str
    message: str
    at: float


class Teller:
    """Says each thing once to each pod, and what is only a detail of the same not too often."""

    def __init__(self, client: Client, clock: Clock, recorder: EventRecorder) -> None:
        self._client = client
        self._clock = clock
        self._recorder = recorder
        self._told: dict[str, _Told] = {}

    def forget(self, uid: str) -> None:
        self._told.pop(uid, None)

    def due(self, uid: str, headline: str, message: str, every_seconds: float) -> float:
        """The seconds until the pod is to be told this: 0 at once, infinity when it has been."""
        told = self._told.get(uid)
        if told is None or told.headline != headline:
            return 0.0
        if told.message == message:
            return float("inf")
        return max(told.at + every_seconds - self._clock.monotonic(), 0.0)

    async def tell(self, pod: Object, reason: str, headline: str, detail: str = "") -> None:
        """Never raises: a pod that could not be told is told another time."""
        uid, name, namespace = meta.uid(pod), meta.name(pod), meta.namespace(pod)
        message = f"{headline} {detail}".strip()
        told = self._told.get(uid)
        if told is not None and told.message == message:
            return
        self._told[uid] = _Told(headline, message, self._clock.monotonic())
        try:
            written = await self._write(pod, reason, message)
        except ApiError as error:
            log.debug("pod not told", namespace=namespace, pod=name, error=error.message)
            self.forget(uid)
            return
        except Exception as error:
            log.error("pod cannot be told", namespace=namespace, pod=name, exc=error)
            return
        if written and reason == "Unschedulable":
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
