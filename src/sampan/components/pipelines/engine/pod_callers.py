"""Which pod a request comes from, how far its step is, and what it may move.

A pod proves who it is by a token that its node's kubelet got for it, and that only the cluster itself can check
(TokenReview); what it may move stands in its own annotations, signed by us. Nothing is kept here that a restart loses.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sampan.client.protocol import Client, ListOptions, Object
from sampan.components.pipelines.engine.mover_pod import AUDIENCE, PLAN_ANNOTATION
from sampan.components.pipelines.engine.podspec import MAIN_CONTAINER, OWNER_LABEL, RUN_LABEL
from sampan.components.pipelines.engine.transfer_plans import PlanError, TransferPlan, owner_of, verified
from sampan.kube.errors import ForbiddenError, NotFoundError, UnauthorizedError
from sampan.kube.kinds import PODS, Resource
from sampan.lib.clock import Clock
from sampan.reconcile.cache import Cache

_TOKEN_REVIEWS = Resource(
    "authentication.k8s.io", "v1", "TokenReview", "tokenreviews", namespaced=False, subresources=()
)
_TRUSTED_SECONDS = 300.0
_MOST_TRUSTED = 10_000
_LONGEST_TOKEN = 16 * 1024
_REVIEWS_AT_ONCE = 8
"""Anybody who reaches the port may send a token: the cluster's API server must not suffer."""

_USER_PREFIX = "system:serviceaccount:"
_POD_NAME = "authentication.kubernetes.io/pod-name"
_POD_UID = "authentication.kubernetes.io/pod-uid"


@dataclass(frozen=True, slots=True)
class Identity:
    namespace: str
    name: str
    uid: str


class PodCallers:
    """For one event loop. `start` before the first request, `stop` at the end."""

    def __init__(self, client: Client, clock: Clock, key: bytes) -> None:
        self._client = client
        self._clock = clock
        self._key = key
        ours = ListOptions(label_selector=f"{RUN_LABEL},{OWNER_LABEL}={owner_of(key)}")
        self._pods = Cache(client, PODS, selector=ours, keep=_reduced)
        self._trusted: dict[str, tuple[float, Identity]] = {}
        self._reviewing = asyncio.Semaphore(_REVIEWS_AT_ONCE)
        self._changed: dict[tuple[str, str], asyncio.Event] = {}

    def start(self) -> None:
        self._pods.add_handler(self._on_change)
        self._pods.start()

    async def stop(self) -> None:
        await self._pods.stop()
        for event in self._changed.values():
            event.set()

    async def plan(self, token: str) -> tuple[Identity, TransferPlan]:
        """Raises UnauthorizedError, ForbiddenError, NotFoundError for a pod that is gone."""
        caller = await self._identity(token)
        pod = await self._pod(caller)
        annotation = (pod["metadata"].get("annotations") or {}).get(PLAN_ANNOTATION, "")
        try:
            return caller, verified(annotation, f"{caller.namespace}/{caller.name}", self._key)
        except PlanError as error:
            raise ForbiddenError(str(error)) from error

    async def end(self, caller: Identity, wait_seconds: float) -> str:
        """`running`, `succeeded`, `failed` or `gone`; waits that long for the step to end."""
        key = (caller.namespace, caller.name)
        event = self._changed.setdefault(key, asyncio.Event())
        try:
            async with asyncio.timeout(wait_seconds):
                while True:
                    # First: what happens while the pod is looked up counts for the next turn.
                    event.clear()
                    if (state := await self._state(caller)) != "running":
                        return state
                    await event.wait()
        except TimeoutError:
            return "running"
        finally:
            self._changed.pop(key, None)

    async def _state(self, caller: Identity) -> str:
        try:
            return step_state(await self._pod(caller))
        except NotFoundError:
            return "gone"

    async def _pod(self, caller: Identity) -> Object:
        pod = self._pods.get(caller.namespace, caller.name)
        if pod is None or pod["metadata"].get("uid") != caller.uid:
            # Newer than what the watch has seen, or gone.
            pod = await self._client.get(PODS, caller.name, caller.namespace)
        if pod["metadata"].get("uid") != caller.uid:
            raise NotFoundError(f'pods "{caller.name}" not found')
        return pod

    async def _identity(self, token: str) -> Identity:
        if not token or len(token) > _LONGEST_TOKEN:
            raise UnauthorizedError("Unauthorized")
        digest, now = hashlib.sha256(token.encode()).hexdigest(), self._clock.monotonic()
        if (known := self._trusted.get(digest)) is not None and known[0] > now:
            return known[1]
        async with self._reviewing:
            review = {"spec": {"token": token, "audiences": [AUDIENCE]}}
            answer = await self._client.create(_TOKEN_REVIEWS, review)
        identity = identified(answer.get("status") or {})
        if len(self._trusted) >= _MOST_TRUSTED:
            self._trusted.clear()
        self._trusted[digest] = (now + _TRUSTED_SECONDS, identity)
        return identity

    def _on_change(self, old: Object | None, new: Object | None) -> None:
        metadata = (new or old or {})["metadata"]
        if (event := self._changed.get((metadata.get("namespace", ""), metadata["name"]))) is not None:
            event.set()


def identified(status: Mapping[str, Any]) -> Identity:
    """The pod that a TokenReview speaks of. Pure. Raises UnauthorizedError."""
    user = status.get("user") or {}
    name = str(user.get("username") or "")
    extra = user.get("extra") or {}
    # A server that knows no audiences answers without them, and has not looked at ours.
    if not status.get("authenticated") or AUDIENCE not in (status.get("audiences") or ()):
        raise UnauthorizedError("Unauthorized")
    if not name.startswith(_USER_PREFIX) or not extra.get(_POD_NAME) or not extra.get(_POD_UID):
        raise UnauthorizedError("the token is not a pod's")
    namespace = name.removeprefix(_USER_PREFIX).partition(":")[0]
    return Identity(namespace, str(extra[_POD_NAME][0]), str(extra[_POD_UID][0]))


def step_state(pod: Mapping[str, Any]) -> str:
    """How far the step's own container is. Pure."""
    status = pod.get("status") or {}
    for container in status.get("containerStatuses") or ():
        ended = (container.get("state") or {}).get("terminated")
        if container.get("name") == MAIN_CONTAINER and ended:
            return "failed" if ended.get("exitCode") else "succeeded"
    return "failed" if status.get("phase") == "Failed" else "running"


def _reduced(pod: Object) -> Object:
    """What is read here of a pod: there may be thousands that have ended."""
    metadata, status = pod["metadata"], pod.get("status") or {}
    annotations = metadata.get("annotations") or {}
    ended = status.get("phase") in ("Succeeded", "Failed")
    return {
        "metadata": {
            **{key: metadata.get(key) for key in ("namespace", "name", "uid", "resourceVersion")},
            # A plan may be long, and nobody asks for that of a pod that has ended.
            "annotations": {} if ended else {PLAN_ANNOTATION: annotations.get(PLAN_ANNOTATION, "")},
        },
        "status": {key: status.get(key) for key in ("phase", "containerStatuses")},
    }
