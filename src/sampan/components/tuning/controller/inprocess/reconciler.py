"""Experiments whose trials are in-process: a driver for each that has not ended."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from dataclasses import dataclass
from datetime import timedelta

from sampan.client.protocol import ListOptions
from sampan.components.tuning.api import labels
from sampan.components.tuning.api.ending import is_completed, restarts
from sampan.components.tuning.api.kinds import EXPERIMENTS, TRIALS
from sampan.components.tuning.controller.around import Around
from sampan.components.tuning.controller.experiments.specs import Specs
from sampan.components.tuning.controller.inprocess.drive import Drive
from sampan.components.tuning.controller.inprocess.ground import Ground
from sampan.components.tuning.controller.katib_config import KatibConfigMap
from sampan.components.tuning.controller.suggestions.services import Services
from sampan.components.tuning.engine.experiment.status import held_up
from sampan.components.tuning.engine.inprocess.places import folder_of
from sampan.components.tuning.engine.inprocess.workers import WORKER_LABEL, runs_in_process
from sampan.kube import meta
from sampan.kube.errors import ApiError
from sampan.kube.kinds import PODS
from sampan.kube.meta import Object
from sampan.lib.log import get_logger
from sampan.reconcile.apply import update_status
from sampan.reconcile.cache import Cache
from sampan.reconcile.controller import Controller, own, reads
from sampan.reconcile.reconciler import DONE, Request, Result, TerminalError
from sampan.store.database import StorageError

log = get_logger(__name__)

_FIRST_PAUSE_SECONDS, _MOST_PAUSE_SECONDS = 0.5, 60.0


@dataclass(slots=True)
class _Running:
    drive: Drive
    task: asyncio.Task[None]


class InProcessReconciler:
    def __init__(self, around: Around, katib_config: KatibConfigMap, services: Services) -> None:
        self._experiments = around.caches.of(EXPERIMENTS)
        self._config = katib_config.cache
        self._trials = around.caches.of(TRIALS)
        self._pods = Cache(around.client, PODS, selector=ListOptions(label_selector=WORKER_LABEL))
        self._ground = Ground(
            around.client,
            around.clock,
            around.observations,
            self._experiments,
            Specs(around.client, katib_config.get),
            services.of,
            around.home,
        )
        self._running: dict[Request, _Running] = {}
        self._failures: dict[Request, int] = {}
        self._trials.add_handler(self._on_trial)
        self._pods.add_handler(self._on_pod)
        self._controller: Controller[Request] | None = None

    def controller(self) -> Controller[Request]:
        self._controller = Controller(
            "in-process experiment",
            self.reconcile,
            [own(self._experiments), reads(self._trials), reads(self._pods), reads(self._config)],
            close=self._close,
        )
        return self._controller

    async def reconcile(self, request: Request) -> Result:
        found = self._experiments.get(request.namespace, request.name)
        running = self._running.get(request)
        if running is not None:
            if found is None or meta.uid(found) != running.drive.uid:
                # It sees so itself, and ends what runs.
                running.drive.notify()
                return Result(timedelta(seconds=0.5))
            if not running.task.done():
                running.drive.notify()
                return DONE
            del self._running[request]
            return await self._ended(request, running, found)
        if found is None:
            folder = folder_of(self._ground.home, request.namespace, request.name)
            await asyncio.to_thread(shutil.rmtree, folder, True)
            return DONE
        if meta.is_deleting(found) or not runs_in_process(found):
            return DONE
        if is_completed(found) and not restarts(found):
            return DONE
        drive = Drive(self._ground, found)
        task = asyncio.create_task(drive.run(), name=f"drive/{request}")
        self._running[request] = _Running(drive, task)
        task.add_done_callback(lambda _: self._look_again(request))
        return DONE

    async def _ended(self, request: Request, running: _Running, found: Object) -> Result:
        error = None if running.task.cancelled() else running.task.exception()
        if error is None:
            self._failures.pop(request, None)
            return Result(timedelta(0))
        count = self._failures[request] = self._failures.get(request, 0) + 1
        log.error("driving an experiment failed", namespace=request.namespace, name=request.name, exc=error)
        # Only what was made for people.
        told = isinstance(error, ApiError | StorageError | TerminalError)
        why = f"it is tried again every minute or sooner: {error if told else type(error).__name__}"
        with contextlib.suppress(ApiError):
            now = self._ground.now()
            await update_status(self._ground.client, EXPERIMENTS, found, held_up(found, why, now))
        pause = min(_FIRST_PAUSE_SECONDS * 2.0 ** (count - 1), _MOST_PAUSE_SECONDS)
        return Result(timedelta(seconds=pause))

    def _look_again(self, request: Request) -> None:
        if self._controller is not None:
            self._controller.queue.add(request)

    def _on_trial(self, old: Object | None, new: Object | None) -> None:
        trial = new or old or {}
        name = meta.labels(trial).get(labels.EXPERIMENT, "")
        running = self._running.get(Request(meta.namespace(trial), name))
        if running is not None:
            running.drive.on_trial(old, new)

    def _on_pod(self, old: Object | None, new: Object | None) -> None:
        pod = new or old or {}
        name = meta.labels(pod).get(WORKER_LABEL, "")
        running = self._running.get(Request(meta.namespace(pod), name))
        if running is not None:
            running.drive.on_pod(old, new)

    async def _close(self) -> None:
        """The server goes down: workers end with their connections, and what they were at is done again."""
        tasks = [each.task for each in self._running.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
