"""Starting one container: image, configuration, runtime; and what its record says while that cannot be done.

Called by `pod_sync`, which decides when. Every failure ends in a waiting reason in the kubelet's words, an Event and a
time for the next try; none of them is raised.
"""

from __future__ import annotations

import asyncio
import errno
import math
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sampan.client.protocol import Object
from sampan.cluster.node import hooks
from sampan.cluster.node.environments import Environment, EnvironmentsError
from sampan.cluster.node.factory import ContainerFactory, Run
from sampan.cluster.node.gpus import GpuAllocator, remember, wanted
from sampan.cluster.node.images import ContainerImage
from sampan.cluster.node.layout import container_id
from sampan.cluster.node.pod_events import PodEvents
from sampan.cluster.node.records import ContainerRecord, Waiting, next_delay
from sampan.cluster.node.references import ContainerConfigError
from sampan.cluster.node.runtimes.protocol import ContainerRuntime, RuntimeFailureError
from sampan.cluster.node.volumes import VolumeNotReadyError
from sampan.kube import meta
from sampan.kube.errors import ApiError
from sampan.lib.clock import Clock
from sampan.lib.log import get_logger

log = get_logger(__name__)

_SLOW_PULL_SECONDS = 0.1
"""An image that takes longer is said to be pulled, in an Event."""
_MOUNT_RETRY_SECONDS = 1.0
_CONFIG_RETRY_SECONDS = 10.0


T = TypeVar("T")


class StoppedError(Exception):
    """The pod is to end: nothing is started any more."""


@dataclass(slots=True)
class Start:
    """One attempt."""

    pod: Object
    record: ContainerRecord
    events: PodEvents
    stopping: asyncio.Event = field(default_factory=asyncio.Event)


class Starter:
    """For all pods of the node."""

    def __init__(
        self, factory: ContainerFactory, runtime: ContainerRuntime, gpus: GpuAllocator, clock: Clock
    ) -> None:
        self._factory = factory
        self._runtime = runtime
        self._gpus = gpus
        self._clock = clock

    async def refresh(self, pod: Object) -> None:
        """Brings the files of the pod's volumes up to date. Raises ApiError."""
        await self._factory.refresh(pod)

    async def start(self, start: Start) -> str | None:
        """The time since which the container runs; None when it does not, and its record says why."""
        record = start.record
        try:
            return await self._start(start)
        except StoppedError:
            return None
        except EnvironmentsError as error:
            self._image_failed(start, error)
        except ContainerConfigError as error:
            self._wait(record, error.reason, error.message, _CONFIG_RETRY_SECONDS)
            start.events.start_failed(error.message)
        except VolumeNotReadyError as error:
            # As on any node: the pod stays in creation until the volume can be had.
            self._wait(record, "ContainerCreating", error.message, _MOUNT_RETRY_SECONDS)
            start.events.mount_failed(error.message)
        except RuntimeFailureError as error:
            self._wait(record, "RunContainerError", error.message, _CONFIG_RETRY_SECONDS)
            start.events.start_failed(error.message)
        except (ApiError, OSError) as error:
            message = _system_message(error)
            self._wait(record, "CreateContainerError", message, _CONFIG_RETRY_SECONDS)
            start.events.start_failed(message)
        except Exception as error:
            # Our own fault, or a pod that nobody thought of: it must not end the node, nor hang unexplained.
            log.error("container not started", pod=start.events.pod_name, container=record.name, exc=error)
            message = f"internal error: {type(error).__name__}; the server's log says more"
            self._wait(record, "CreateContainerError", message, _CONFIG_RETRY_SECONDS)
        self._gpus.release(container_id(meta.uid(start.pod), record.name, record.next_run))
        return None

    async def _start(self, start: Start) -> str:
        record = start.record
        if hooks.hook_of(record.spec, "postStart") is not None:
            hooks.mark_pending(self._factory.folder(start.pod, record.name, record.next_run))
        image = await self._image(start)
        run = Run(start.pod, record.spec, record.next_run, self._assign(start))
        work = self._factory.spec(
            run, image, can_mount=self._runtime.can_mount, can_overlay=self._runtime.can_overlay
        )
        spec = await _unless(start.stopping, work)
        start.events.created(record)
        return await self._runtime.start(spec)

    async def _image(self, start: Start) -> Environment | ContainerImage:
        if self._factory.is_in_containers(start.pod):
            return await self._container_image(start)
        return await self._environment(start)

    async def _container_image(self, start: Start) -> ContainerImage:
        record, began = start.record, math.nan

        def pulling() -> None:
            nonlocal began
            began = self._clock.monotonic()
            start.events.pulling(record)

        image = await _unless(start.stopping, self._factory.image(start.pod, record.spec, pulling))
        seconds = None if math.isnan(began) else self._clock.monotonic() - began
        start.events.pulled(record, seconds, ())
        record.image_id = image.digest or f"sha256:{image.id}"
        return image

    async def _environment(self, start: Start) -> Environment:
        record = start.record
        began = self._clock.monotonic()
        pull = asyncio.ensure_future(self._factory.environment(record.spec))
        try:
            # A hit answers in the first step, without a timer.
            await asyncio.sleep(0)
            always = record.spec.get("imagePullPolicy") == "Always"
            slow = always or (
                not pull.done() and not (await asyncio.wait({pull}, timeout=_SLOW_PULL_SECONDS))[0]
            )
            if slow:
                start.events.pulling(record)
            image = await _unless(start.stopping, _result(pull))
        except StoppedError:
            pull.cancel()
            raise
        seconds = self._clock.monotonic() - began if slow else None
        start.events.pulled(record, seconds, self._factory.notes(record.spec))
        record.image_id = f"sampan-environment://{image.key}"
        return image

    def _assign(self, start: Start) -> tuple[str, ...]:
        count = wanted(start.record.spec)
        if not count:
            return ()
        container = container_id(meta.uid(start.pod), start.record.name, start.record.next_run)
        gpus = self._gpus.acquire(container, count)
        if gpus is None:
            raise ContainerConfigError(
                f"{count} GPUs are wanted, but not so many of this machine's {len(self._gpus.all)} are free"
            )
        remember(self._factory.folder(start.pod, start.record.name, start.record.next_run), gpus)
        return gpus

    def _image_failed(self, start: Start, error: EnvironmentsError) -> None:
        record = start.record
        record.image_delay = next_delay(record.image_delay)
        self._wait(record, error.reason, error.message, record.image_delay)
        start.events.pull_failed(record, error.reason, error.message)

    def _wait(self, record: ContainerRecord, reason: str, message: str, seconds: float) -> None:
        record.state = Waiting(reason, message)
        record.retry_at = self._clock.monotonic() + seconds


def pull_backs_off(record: ContainerRecord) -> bool:
    """Turns a failed pull into the wait for the next one, as the kubelet shows it. Whether it did."""
    if not isinstance(record.state, Waiting) or record.state.reason != "ErrImagePull":
        return False
    image = record.spec.get("image")
    record.state = Waiting(
        "ImagePullBackOff", f'Back-off pulling image "{image}": ErrImagePull: {record.state.message}'
    )
    return True


async def _unless(stopping: asyncio.Event, work: Coroutine[Any, Any, T]) -> T:
    """What `work` gives, unless the pod is to end meanwhile: then StoppedError, once it writes nothing any more."""
    if stopping.is_set():
        work.close()
        raise StoppedError
    task = asyncio.ensure_future(work)
    waiter = asyncio.ensure_future(stopping.wait())
    try:
        await asyncio.wait({task, waiter}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise StoppedError
        return task.result()
    finally:
        waiter.cancel()
        if task.cancel():
            await asyncio.wait({task})


async def _result(future: asyncio.Future[T]) -> T:
    return await asyncio.shield(future)


def _system_message(error: ApiError | OSError) -> str:
    if isinstance(error, ApiError):
        return error.message
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"no space left for the pod's files at {error.filename}: free some space on that disk"
    return str(error)
