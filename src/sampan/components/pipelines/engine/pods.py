"""Pods of runs, through the Kubernetes API: one watch for all of them, creating, adopting, deleting, their logs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from sampan.client.protocol import Client, ListOptions, LogOptions, Object
from sampan.components.pipelines.engine.podspec import MAIN_CONTAINER, OWNER_LABEL, RUN_LABEL, TASK_ID_LABEL
from sampan.kube.errors import (
    AlreadyExistsError,
    ApiError,
    ConflictError,
    ExpiredError,
    InternalError,
    NotFoundError,
    ServerTimeoutError,
    ServiceUnavailableError,
    TooManyRequestsError,
)
from sampan.kube.kinds import PERSISTENT_VOLUME_CLAIMS, PODS
from sampan.lib.clock import Clock
from sampan.lib.log import get_logger

log = get_logger(__name__)

_PASSING = (
    ServiceUnavailableError,
    TooManyRequestsError,
    ServerTimeoutError,
    InternalError,
    ConflictError,
)
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.2, 30.0
_LOG_LIMIT_BYTES = 64 * 1024

OnPod = Callable[[Object, bool], None]
"""A pod as it is now, and whether it was deleted."""
OnList = Callable[[list[Object], float], None]
"""All pods there are, and the monotonic time at which listing them began."""


class PodRejectedError(Exception):
    """The API server refuses the pod, and would again. The message is for people."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class Pods:
    """For one event loop. Failures that pass by themselves are waited out."""

    def __init__(self, client: Client, clock: Clock, owner: str = "") -> None:
        """`owner` tells our pods from those of others, such as upstream's own, which bear the same labels."""
        self._client = client
        self._clock = clock
        self._owner = owner
        self._selector = f"{RUN_LABEL},{OWNER_LABEL}={owner}" if owner else RUN_LABEL

    async def list_all(self) -> tuple[list[Object], str]:
        """Every pod of every run, and the resourceVersion from which to watch."""
        options = ListOptions(label_selector=self._selector)
        found = await self._client.list(PODS, None, options)
        return found.items, found.resource_version

    async def watch(self, resource_version: str, on_pod: OnPod, on_list: OnList) -> None:
        """Calls `on_pod` for every change, forever. After a gap in what the server keeps, `on_list` comes first."""
        pause = _FIRST_PAUSE_SECONDS
        while True:
            try:
                if not resource_version:
                    began = self._clock.monotonic()
                    items, resource_version = await self.list_all()
                    on_list(items, began)
                options = ListOptions(label_selector=self._selector, resource_version=resource_version)
                async for event in self._client.watch(PODS, None, options):
                    resource_version = event.object["metadata"]["resourceVersion"]
                    if event.type != "BOOKMARK":
                        _tell(on_pod, event.object, event.type == "DELETED")
                    pause = _FIRST_PAUSE_SECONDS
            except ExpiredError:
                resource_version = ""
            except ApiError as error:
                log.warning("watching pods failed, trying again", error=error.message)
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)

    async def create(self, pod: Object) -> Object:
        """The pod as created, or as found where this engine's forerunner had made it. Raises PodRejectedError."""
        metadata = pod["metadata"]
        if self._owner:
            metadata = {**metadata, "labels": {**metadata["labels"], OWNER_LABEL: self._owner}}
            pod = {**pod, "metadata": metadata}
        pause = _FIRST_PAUSE_SECONDS
        while True:
            try:
                return await self._client.create(PODS, pod)
            except AlreadyExistsError:
                try:
                    found = await self._client.get(PODS, metadata["name"], metadata["namespace"])
                except NotFoundError:
                    continue  # it went in between
                labels = found["metadata"].get("labels") or {}
                if labels.get(TASK_ID_LABEL) == metadata["labels"][TASK_ID_LABEL]:
                    return found
                raise PodRejectedError(
                    f"a pod {metadata['name']} that is not this step's is in the way; delete it and retry the run"
                ) from None
            except _PASSING as error:
                log.warning("creating a pod failed, trying again", pod=metadata["name"], error=error.message)
            except ApiError as error:
                raise PodRejectedError(f"its pod was refused: {error.message}") from None
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)

    async def ensure_claim(self, claim: Object) -> None:
        """Makes the volume claim unless it is there. Raises PodRejectedError."""
        try:
            await self._client.create(PERSISTENT_VOLUME_CLAIMS, claim)
        except AlreadyExistsError:
            return
        except ApiError as error:
            raise PodRejectedError(f"its workspace was refused: {error.message}") from None

    async def delete_claim(self, name: str, namespace: str) -> None:
        try:
            await self._client.delete(PERSISTENT_VOLUME_CLAIMS, name, namespace)
        except NotFoundError:
            return
        except ApiError as error:
            log.warning("a workspace remains", claim=name, error=error.message)

    async def delete(self, name: str, namespace: str) -> bool:
        """Asks for the pod to go. False when there was none."""
        pause = _FIRST_PAUSE_SECONDS
        while True:
            try:
                await self._client.delete(PODS, name, namespace)
                return True
            except NotFoundError:
                return False
            except ApiError as error:
                log.warning("deleting a pod failed, trying again", pod=name, error=error.message)
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)

    async def last_lines(self, name: str, namespace: str, count: int) -> str:
        """The end of the step's log; empty when there is none."""
        options = LogOptions(container=MAIN_CONTAINER, tail_lines=count)
        chunks: list[bytes] = []
        size = 0
        try:
            async for chunk in self._client.log(name, namespace, options):
                chunks.append(chunk)
                size += len(chunk)
                if size > _LOG_LIMIT_BYTES:
                    break
        except ApiError as error:
            log.debug("no log of a failed step", pod=name, error=error.message)
        return b"".join(chunks)[-_LOG_LIMIT_BYTES:].decode(errors="replace").rstrip()


def _tell(on_pod: OnPod, pod: Object, deleted: bool) -> None:
    """One odd pod must not end the watch for all others."""
    try:
        on_pod(pod, deleted)
    except Exception as error:
        log.error("the engine failed on a pod", pod=pod["metadata"].get("name"), exc=error)
