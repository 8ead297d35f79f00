"""Opens and closes pods to look around in. Called by the engine, which reads the run.

Nothing of a session is stored but its pod, which ends by itself after some hours.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Mapping, Sequence
from typing import Any

from sampan.client.protocol import Client, DeleteOptions, ListOptions, Object
from sampan.components.pipelines.api.errors import FailedPreconditionError, NotFoundError
from sampan.components.pipelines.engine.context import RunContext
from sampan.components.pipelines.engine.debugging import (
    DEBUG_LABEL,
    NUMBER_ANNOTATION,
    TASK_ANNOTATION,
    debug_launch,
    debug_pod,
    running_pod,
)
from sampan.components.pipelines.engine.errors import StepError
from sampan.components.pipelines.engine.failure import pod_end, waits_for
from sampan.components.pipelines.engine.fetching import fetch_if_wanted
from sampan.components.pipelines.engine.node import Node
from sampan.components.pipelines.engine.podspec import MAIN_CONTAINER, OWNER_LABEL
from sampan.components.pipelines.engine.resumption import DebugPod
from sampan.components.pipelines.engine.turn import Launch
from sampan.kube.errors import ApiError
from sampan.kube.errors import NotFoundError as GoneError
from sampan.kube.kinds import PODS
from sampan.lib.ids import new_uid
from sampan.lib.threads import Threads, to_end
from sampan.store.artifacts.protocol import StoreError


class DebugSessions:
    def __init__(self, client: Client, transfers: Threads) -> None:
        self._client = client
        self._transfers = transfers
        self._number = 0

    async def open(
        self, context: RunContext, nodes: Sequence[Node], task_id: str, attempt: int, *, is_new: bool
    ) -> DebugPod:
        """The step's own pod where it runs, else a new one, which may take a while to start.

        Raises FailedPreconditionError, NotFoundError, and ApiError for a pod that is refused.
        """
        namespace = context.job.namespace
        node = next((each for each in nodes if each.id == task_id), None)
        own = running_pod(node, namespace, attempt) if node is not None and not is_new else None
        if own is not None:
            return own
        # Another one for each: two of one second would share their folders, and go with the first that is closed.
        self._number = max(context.now() // 1_000_000, self._number + 1)
        launch = debug_launch(context, nodes, task_id, number=self._number)
        try:
            return await self._made(context, launch)
        except BaseException:
            await asyncio.shield(_clear(context, launch))
            raise

    async def _made(self, context: RunContext, launch: Launch) -> DebugPod:
        namespace, files = context.job.namespace, context.files
        if launch.inputs:
            is_wanted = True
            try:
                await self._transfers.run(
                    fetch_if_wanted, files, launch.paths, namespace, launch.inputs, lambda: is_wanted
                )
            except (StepError, StoreError) as error:
                raise FailedPreconditionError(error.message) from error
            except asyncio.CancelledError:
                is_wanted = False
                raise
        await to_end(files.prepare, launch.paths)
        pod = debug_pod(launch, context.run_id, f"debug-{new_uid()[:13]}")
        if files.owner:
            pod["metadata"]["labels"][OWNER_LABEL] = files.owner
        made = await self._client.create(PODS, pod)
        return DebugPod(made["metadata"]["name"], namespace, MAIN_CONTAINER, is_new=True)

    async def state(self, run_id: str, name: str, namespace: str) -> Mapping[str, Any]:
        """`{"state": "WAITING" | "RUNNING" | "ENDED", "message": …}`. Raises NotFoundError."""
        pod = await self._pod(run_id, name, namespace)
        if (end := pod_end(pod)) is not None:
            return {"state": "ENDED", "message": end.explanation}
        is_running = (pod.get("status") or {}).get("phase") == "Running"
        return {"state": "RUNNING" if is_running else "WAITING", "message": waits_for(pod)}

    async def close(self, context: RunContext, nodes: Sequence[Node], name: str) -> None:
        """Removes the pod, and what was tried out in it. Raises NotFoundError."""
        namespace = context.job.namespace
        pod = await self._pod(context.run_id, name, namespace)
        annotations = pod["metadata"].get("annotations") or {}
        await self._client.delete(PODS, name, namespace, DeleteOptions(grace_period_seconds=0))
        try:
            number = int(annotations.get(NUMBER_ANNOTATION, ""))
            launch = debug_launch(context, nodes, annotations.get(TASK_ANNOTATION, ""), number)
        except (ValueError, FailedPreconditionError, NotFoundError):
            return  # of a task that is gone meanwhile: its folders go with the run
        await _clear(context, launch)

    async def _pod(self, run_id: str, name: str, namespace: str) -> Object:
        try:
            pod = await self._client.get(PODS, name, namespace)
        except GoneError as error:
            raise NotFoundError(f"there is no debug pod {name!r}") from error
        if (pod["metadata"].get("labels") or {}).get(DEBUG_LABEL) != run_id:
            raise NotFoundError(f"{name!r} is no debug pod of run {run_id}")
        return pod


async def _clear(context: RunContext, launch: Launch) -> None:
    for folder in launch.paths.folders:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
    await asyncio.to_thread(context.files.tidy, launch.paths)


async def remove_all(client: Client, run_id: str, namespace: str) -> None:
    """Of a run that is deleted."""
    try:
        chosen = ListOptions(label_selector=f"{DEBUG_LABEL}={run_id}")
        await client.delete_collection(PODS, namespace, chosen, DeleteOptions())
    except ApiError:
        return  # they end by themselves
