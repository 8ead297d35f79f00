"""Drives one experiment whose trials are in-process: from its objects, and only through them, to its end.

The same objects as of any experiment, in fewer writes: a trial is created with its spec and written once more at its
end (in between only if it takes a while), experiment and suggestion follow every now and then. What a trial reports is
kept before it goes on. Whatever a crash cuts off follows from the objects again: a trial that has no end yet is run
again, one that has is not.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sampan.client.protocol import ListOptions
from sampan.components.tuning.api import labels
from sampan.components.tuning.api.conditions import RUNNING
from sampan.components.tuning.api.ending import is_completed, is_stopped, restarts
from sampan.components.tuning.api.kinds import EXPERIMENTS, TRIALS
from sampan.components.tuning.controller.experiments.specs import Known
from sampan.components.tuning.controller.inprocess.coalescing import Coalesced
from sampan.components.tuning.controller.inprocess.crew import Crew
from sampan.components.tuning.controller.inprocess.ground import Ground
from sampan.components.tuning.controller.inprocess.suggestions import Suggestions
from sampan.components.tuning.controller.inprocess.trying import Trying
from sampan.components.tuning.engine.early_stopping.service import pruner
from sampan.components.tuning.engine.experiment.budget import budget_of
from sampan.components.tuning.engine.experiment.status import (
    Circumstances,
    end_of,
    restarted,
    status_of,
)
from sampan.components.tuning.engine.experiment.tally import PENDING, Tally
from sampan.components.tuning.engine.experiment.trials import trial_of
from sampan.components.tuning.engine.inprocess.measuring import Curves
from sampan.components.tuning.engine.inprocess.places import folder_of
from sampan.components.tuning.engine.inprocess.workers import WORKER_LABEL, worker_pod
from sampan.components.tuning.engine.template.generator import TemplateError
from sampan.kube import meta, owners, troubles
from sampan.kube.errors import AlreadyExistsError, ApiError, NotFoundError
from sampan.kube.kinds import PODS
from sampan.kube.meta import Object
from sampan.lib.tasks import TaskSet
from sampan.reconcile.apply import delete_if_present, merge_difference
from sampan.reconcile.reconciler import Request, request_for

_STATUS_SECONDS = 0.1
_REFUSED_SECONDS = 5.0
_PAGE = 500


class Drive:
    """Of one experiment, by its uid. `run` is called once."""

    def __init__(self, ground: Ground, experiment: Object) -> None:
        self._ground = ground
        self.request: Request = request_for(experiment)
        self.uid = meta.uid(experiment)
        self._tasks = TaskSet(f"tuning {self.request}")
        self._news = asyncio.Event()
        self._tally = Tally()
        self._trials: dict[str, Object] = {}
        """Those that have not ended."""
        self._suggestions = Suggestions(ground, self._tally, self._tasks, self._news.set)
        self._status = Coalesced(self._write, _STATUS_SECONDS)
        self._held: Object = experiment
        """As it was last written here, or read."""
        self._known: Known | None = None
        """As it was last acted on."""
        self._ended: Circumstances | None = None
        """What it has ended with."""
        self._trying: Trying | None = None
        self._creating: set[asyncio.Task[None]] = set()
        self._refused, self._refused_until = "", float("-inf")
        """Why trials cannot be made, and when it is tried again."""
        self._version = meta.resource_version(experiment)

    async def run(self) -> None:
        """Until the experiment has ended or is gone. Raises ApiError, StorageError, TerminalError."""
        try:
            await self._drive()
        except BaseException as error:
            await self._tasks.close()
            if self._trying is not None:
                # Whoever drives it next runs these trials again: none may end here any more.
                is_over = isinstance(error, asyncio.CancelledError)
                await (self._trying.abandon() if is_over else self._trying.close())
            raise
        finally:
            await self._tasks.close()

    def notify(self) -> None:
        """Something about it has changed."""
        self._news.set()

    def on_trial(self, old: Object | None, new: Object | None) -> None:
        """A trial of it has changed, by whomever."""
        name = meta.name(new or old or {})
        if self._trying is not None and (new is None or meta.is_deleting(new)):
            self._trying.cancel(name)
        if new is None or meta.is_deleting(new):
            self._trials.pop(name, None)
            self._news.set()
        if new is None:
            self._tally.remove(name)
            self._suggestions.find_again(name)
        elif meta.is_deleting(new) and name in self._tally:
            self._tally.put(new)

    def on_pod(self, old: Object | None, new: Object | None) -> None:
        if self._trying is not None:
            self._trying.crew.on_pod(old, new)
            self._news.set()

    # The whole of it.

    async def _drive(self) -> None:
        known = await self._ground.specs.of(self._held)
        if restarts(self._held | {"spec": meta.spec(known.experiment)}):
            await self._patch(restarted(self._held, self._ground.now()))
        if is_completed(self._held):
            return
        await self._load(known)
        writers = [self._tasks.spawn(each.run()) for each in (self._status, self._suggestions.writer)]
        for each in writers:
            each.add_done_callback(lambda _: self._news.set())
        while await self._turn():
            await self._news.wait()
            self._news.clear()
            for each in writers:
                if each.done():
                    each.result()

    async def _turn(self) -> bool:
        """What is to be done now. Whether there will be more."""
        assert self._trying is not None
        self._trying.check()
        found = self._ground.experiments.get(self.request.namespace, self.request.name)
        if found is None or meta.uid(found) != self.uid or meta.is_deleting(found):
            await self._trying.close()
            return False
        self._held = {**found, "status": meta.status(self._held)}
        known = await self._ground.specs.of(found)
        around = self._circumstances(known)
        if end_of(self._tally, around) is None:
            self._act(known)
            self._known = known
            self._status.touch()
            return True
        await self._end(around)
        return False

    def _circumstances(self, known: Known) -> Circumstances:
        assert self._trying is not None
        said = self._suggestions.said
        failure = known.failure or self._trying.failure
        if said.failure:
            failure = f"Suggestion has failed: {said.failure}"
        waiting = self._refused or known.unresolved or self._trying.waiting_for or self._starting()
        is_exhausted = said.exhausted and not self._suggestions.unborn()
        return Circumstances(
            known.problem,
            known.max_failed,
            failure=failure,
            exhausted=is_exhausted,
            waiting_for=waiting or ("" if self._tally.active else said.waiting_for),
            stopped=is_stopped(self._held),
        )

    def _starting(self) -> str:
        assert self._trying is not None
        pods = self._trying.crew.starting
        return troubles.summary(troubles.troubles_of(pods), len(pods)) if pods else ""

    def _act(self, known: Known) -> None:
        assert self._trying is not None
        problem = known.problem
        room = problem.parallel_trial_count - self._trying.count
        # What a server that is gone has left unfinished comes first.
        for name in [name for name in self._trials if not self._trying.has(name)][: max(room, 0)]:
            self._trying.begin(known, self._trials[name], is_again=True)
        parallel, most = problem.parallel_trial_count, problem.max_trial_count
        is_more = True
        while is_more:
            unborn = self._suggestions.unborn()
            names = [str(each.get("name")) for each in unborn]
            budget = budget_of(parallel, most, self._tally, names, self._suggestions.count)
            wanted = set(budget.create)
            for each in self._chosen([each for each in unborn if str(each.get("name")) in wanted]):
                self._make(known, each)
            # What was answered before it was asked becomes trials at once.
            is_more = budget.requests is not None and self._suggestions.want(known, budget.requests)

    # Trials.

    def _chosen(self, assignments: Sequence[Object]) -> Sequence[Object]:
        """Those of which trials are made now: while they are refused, one every few seconds."""
        if not self._refused:
            return assignments
        now = self._ground.clock.monotonic()
        if now < self._refused_until:
            return ()
        self._refused_until = now + _REFUSED_SECONDS
        asyncio.get_running_loop().call_later(_REFUSED_SECONDS, self._news.set)
        return assignments[:1]

    def _make(self, known: Known, assignment: Object) -> None:
        try:
            trial = trial_of(known.experiment, known.template, assignment, self._tally.next_number)
        except TemplateError as error:
            self._refused = f"trials cannot be made: {error}"
            return
        if not self._refused:
            # It counts from here on; its own time and version come with the write.
            created = {"creationTimestamp": self._ground.now()}
            self._tally.put({**trial, "metadata": {**trial["metadata"], **created}})
        creating = self._tasks.spawn(self._create(known, trial, assignment), name=meta.name(trial))
        self._creating.add(creating)
        creating.add_done_callback(self._creating.discard)

    async def _create(self, known: Known, trial: Object, assignment: Object) -> None:
        assert self._trying is not None
        name = meta.name(trial)
        try:
            made = await self._created(trial)
            if owners.controller_of(made) != owners.controller_of(trial):
                why = f"a Trial of the name {name} is there, which is not of this experiment"
                self._put_off(name, assignment, why)
                return
        except ApiError as error:
            self._put_off(name, assignment, f"trials cannot be made: {error.message}")
            return
        if self._refused:
            self._refused = ""
            self._news.set()
        if name not in self._tally:
            # One that was counted already is counted anew as it begins.
            self._tally.put(made)
        self._trials[name] = made
        self._trying.begin(known, made)

    async def _created(self, trial: Object) -> Object:
        """What is there of that name then. Raises ApiError."""
        try:
            return await self._ground.client.create(TRIALS, trial)
        except AlreadyExistsError:
            return await self._ground.client.get(TRIALS, meta.name(trial), meta.namespace(trial))

    def _put_off(self, name: str, assignment: Object, why: str) -> None:
        """No trial could be made of it: it is tried again in a while."""
        self._tally.remove(name)
        self._suggestions.give_back(assignment)
        self._refused = why
        self._news.set()

    def _on_status(self, trial: Object, *, has_ended: bool) -> None:
        if meta.name(trial) not in self._tally:
            return
        self._tally.put(trial)
        if has_ended:
            self._trials.pop(meta.name(trial), None)
            self._news.set()
        else:
            self._status.touch()

    def _on_done(self) -> None:
        """A trial no longer runs. Mostly the next one has been made of that when this one's end came."""
        assert self._trying is not None
        if self._trying.has_failed or any(not self._trying.has(name) for name in self._trials):
            self._news.set()

    # Beginning and end.

    async def _load(self, known: Known) -> None:
        """The trials that are there, and nothing that an earlier server has left running."""
        ground, namespace = self._ground, self.request.namespace
        for pod in await self._listed(PODS, f"{WORKER_LABEL}={self.request.name}"):
            if owners.is_controlled_by(pod, known.experiment):
                with contextlib.suppress(NotFoundError):
                    await delete_if_present(ground.client, PODS, pod)
        trials = await self._listed(TRIALS, f"{labels.EXPERIMENT}={self.request.name}")
        for each in trials:
            if owners.is_controlled_by(each, known.experiment):
                self._tally.put(each)
                account = self._tally.get(meta.name(each))
                if account is not None and account.state in (PENDING, RUNNING) and not account.deleting:
                    self._trials[meta.name(each)] = each
        curves = Curves(known.problem.objective, pruner(known.problem) if not known.failure else None)
        if curves.pruner is not None:
            for record in self._tally.records():
                logs = await ground.observations.of(namespace, record.name, curves.objective.metric)
                curves.take(record.name, logs)
        folder = folder_of(ground.home, namespace, self.request.name)
        await asyncio.to_thread(_cleared, folder)
        name = self.request.name

        def make_pod(number: str, address: str) -> Object:
            return worker_pod(known.experiment, f"{name}-worker-{number}", str(folder), address)

        crew = Crew(ground.client, ground.clock, namespace, folder, make_pod)
        self._trying = Trying(ground, crew, curves, self._tally, self._on_status)
        self._trying.on_done = self._on_done
        await self._suggestions.load(known)

    async def _listed(self, resource: Any, selector: str) -> Sequence[Object]:
        found: list[Object] = []
        token = ""
        while True:
            options = ListOptions(label_selector=selector, limit=_PAGE, continue_token=token)
            page = await self._ground.client.list(resource, self.request.namespace, options)
            found += page.items
            token = page.continue_token
            if not token:
                return found

    async def _end(self, around: Circumstances) -> None:
        assert self._trying is not None
        # Before anybody can start it anew; those that are being made end with the others.
        await asyncio.gather(*self._creating, return_exceptions=True)
        await self._trying.end([self._trials[name] for name in list(self._trials)])
        await self._trying.close()
        self._ended = around
        await self._suggestions.writer.flush()
        await self._status.flush()
        await self._ground.experiments.reached(self._version)

    async def _write(self) -> None:
        around = self._ended
        if around is None:
            if self._known is None:
                return
            around = self._circumstances(self._known)
            if end_of(self._tally, around) is not None:
                # Not before the ends of its trials are kept (`_end`).
                return
        status = status_of(meta.status(self._held), self._tally, around, self._ground.now())
        await self._patch(status)

    async def _patch(self, status: Mapping[str, Any]) -> None:
        change = merge_difference(meta.status(self._held), status)
        if not change:
            return
        # Without the resourceVersion: nobody else writes the status while it is driven.
        patch = {"metadata": {"uid": self.uid}, "status": change}
        with contextlib.suppress(NotFoundError):
            written = await self._ground.client.patch(
                EXPERIMENTS, self.request.name, patch, self.request.namespace, subresource="status"
            )
            self._version = meta.resource_version(written)
        self._held = {**self._held, "status": dict(status)}


def _cleared(folder: Path) -> None:
    """The folder without sockets of workers that are gone; the logs of trials stay."""
    (folder / "logs").mkdir(parents=True, exist_ok=True)
    for each in os.scandir(folder):
        # Workers write here as they like.
        if each.name.startswith("worker-") and not each.is_dir(follow_symlinks=False):
            os.unlink(each.path)
