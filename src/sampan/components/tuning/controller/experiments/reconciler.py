"""Experiments: asks the suggestion for what is to be tried, makes trials of it, and says how far it is.

Source: kubeflow/katib 0.19 pkg/controller.v1beta1/experiment/experiment_controller.go.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from sampan.components.tuning.api import labels
from sampan.components.tuning.api.ending import is_completed, is_stopped, restarts
from sampan.components.tuning.api.kinds import EXPERIMENTS, SUGGESTIONS, TRIALS
from sampan.components.tuning.controller.around import Around
from sampan.components.tuning.controller.experiments.specs import Known, Specs
from sampan.components.tuning.controller.katib_config import KatibConfigMap
from sampan.components.tuning.controller.tallies import Tallies
from sampan.components.tuning.engine.experiment.budget import Budget, budget_of
from sampan.components.tuning.engine.experiment.status import (
    Circumstances,
    conditions_after,
    end_of,
    is_settled,
    restarted,
    status_of,
)
from sampan.components.tuning.engine.experiment.tally import Tally
from sampan.components.tuning.engine.experiment.trials import trial_of
from sampan.components.tuning.engine.inprocess.workers import is_in_process, runs_in_process
from sampan.components.tuning.engine.suggestion.desired import (
    assignments_of,
    count_of,
    requests_of,
    suggestion_of,
)
from sampan.components.tuning.engine.suggestion.status import said_by
from sampan.components.tuning.engine.template.generator import TemplateError
from sampan.kube import meta, owners
from sampan.kube.errors import AlreadyExistsError, ApiError, NotFoundError
from sampan.kube.meta import Object
from sampan.lib.clock import rfc3339
from sampan.reconcile.apply import delete_if_present, remove_finalizer, update_status
from sampan.reconcile.controller import Controller, own, owned, reads
from sampan.reconcile.events import EventRecorder
from sampan.reconcile.reconciler import DONE, Request, Result

_TIMES = ("lastUpdateTime", "lastTransitionTime", "message")
_MOST_SECONDS_UNWRITTEN = 2.0
_UNWRITTEN_SECONDS_A_TRIAL = 0.001
_AT_ONCE = 32
"""Trials that are written side by side."""
_LATER = Result(timedelta(seconds=5))


class ExperimentReconciler:
    def __init__(self, around: Around, tallies: Tallies, katib_config: KatibConfigMap) -> None:
        self._client, self._clock = around.client, around.clock
        self._is_embedded = around.pod_files is None
        self._experiments = around.caches.of(EXPERIMENTS)
        self._suggestions = around.caches.of(SUGGESTIONS)
        self._trials = around.caches.of(TRIALS)
        self._tallies = tallies
        self._katib_config = katib_config
        self._specs = Specs(around.client, katib_config.get)
        self._events = EventRecorder(around.client, around.clock, "experiment-controller")
        self._written: dict[Request, float] = {}
        """When the status was last written, for one that changes too often."""

    def controller(self) -> Controller[Request]:
        return Controller(
            "experiment",
            self.reconcile,
            [
                own(self._experiments),
                owned(self._suggestions, EXPERIMENTS),
                owned(self._trials, EXPERIMENTS, but=self._is_driven),
                reads(self._katib_config.cache),
            ],
            close=self._events.close,
        )

    def _is_driven(self, trial: Object) -> bool:
        """Whether `controller.inprocess` drives its experiment, which then is not looked at for each trial."""
        return self._is_embedded and is_in_process(trial)

    async def reconcile(self, request: Request) -> Result:
        found = self._experiments.get(request.namespace, request.name)
        if found is None or meta.is_deleting(found):
            self._forget(request)
            if found is not None:
                # Of an experiment that upstream's controller has had before.
                await remove_finalizer(self._client, EXPERIMENTS, found, labels.UPDATE_PROMETHEUS_METRICS)
            return DONE
        if self._is_embedded and runs_in_process(found):
            # `controller.inprocess` drives it.
            return DONE
        if restarts(found):
            await self._write(found, restarted(found, self._now()))
            return DONE
        if is_settled(found):
            self._forget(request)
            return DONE
        known = await self._specs.of(found)
        tally = self._tallies.of(found)
        around, result = await self._act(found, known, tally)
        before, tally, now = meta.status(found), self._tallies.of(found), self._now()
        # Lists of thousands of trials are put together only where they are written.
        conditions, _ = conditions_after(before, tally, around, now)
        pause = self._pause(request, before, conditions, len(tally))
        if pause is not None:
            return Result(pause)
        await self._write(found, status_of(before, tally, around, now))
        self._written[request] = self._clock.monotonic()
        return result

    async def _act(self, found: Object, known: Known, tally: Tally) -> tuple[Circumstances, Result]:
        """Everything but the status."""
        stopped = is_stopped(found)
        around = Circumstances(known.problem, known.max_failed, failure=known.failure, stopped=stopped)
        if is_completed(found) or end_of(tally, around):
            if stopped:
                await self._delete(found, Budget(surplus=tally.staying()))
            return around, DONE
        if known.unresolved:
            return replace(around, waiting_for=known.unresolved), _LATER
        suggestion = self._suggestion_of(found)
        said = said_by(suggestion)
        if said.failure:
            self._events.warning(found, "SuggestionFailed", said.failure)
            return replace(around, failure=f"Suggestion has failed: {said.failure}"), DONE
        unborn = [each for each in assignments_of(suggestion or {}) if str(each.get("name")) not in tally]
        names = [str(each.get("name")) for each in unborn]
        problem = known.problem
        parallel, most = problem.parallel_trial_count, problem.max_trial_count
        budget = budget_of(parallel, most, tally, names, count_of(suggestion or {}))
        await self._ask(known, suggestion, budget)
        await self._delete(found, budget)
        chosen = unborn[: len(budget.create)]
        if why := await self._create(known, chosen, tally.next_number):
            self._events.warning(found, "ReconcileError", f"Failed to reconcile: {why}")
            return replace(around, waiting_for=f"trials cannot be made: {why}"), _LATER
        if self._suggestion_of(found) is None and self._suggestions.get(*_place(found)) is not None:
            why = f"a Suggestion of the name {meta.name(found)} is there, which is not of this experiment"
            return replace(around, waiting_for=why), _LATER
        waiting_for = said.waiting_for
        if not waiting_for and not tally.active and not said.exhausted:
            waiting_for = f"waiting for suggestions of the algorithm {problem.algorithm}"
        exhausted = said.exhausted and not unborn
        return replace(around, exhausted=exhausted, waiting_for="" if chosen else waiting_for), DONE

    async def _ask(self, known: Known, suggestion: Object | None, budget: Budget) -> None:
        if budget.requests is None or (suggestion is not None and requests_of(suggestion) == budget.requests):
            return
        if suggestion is None:
            try:
                written = await self._client.create(
                    SUGGESTIONS, suggestion_of(known.experiment, budget.requests)
                )
            except AlreadyExistsError:
                # The cache will show it, or it is that of an experiment of the same name on its way out.
                return
        else:
            patch = {"metadata": {"uid": meta.uid(suggestion)}, "spec": {"requests": budget.requests}}
            name, namespace = meta.name(suggestion), meta.namespace(suggestion)
            written = await self._client.patch(SUGGESTIONS, name, patch, namespace)
        await self._suggestions.reached(meta.resource_version(written))

    async def _delete(self, found: Object, budget: Budget) -> None:
        for account in budget.surplus:
            trial = self._trials.get(meta.namespace(found), account.record.name)
            if trial is not None:
                await delete_if_present(self._client, TRIALS, trial)

    async def _create(self, known: Known, assignments: Sequence[Object], number: int) -> str:
        """Why trials could not be made; empty where all were. `number` is that of the first."""
        trials = []
        for place, assignment in enumerate(assignments, start=number):
            try:
                trials.append(trial_of(known.experiment, known.template, assignment, place))
            except TemplateError as error:
                return str(error)
        for start in range(0, len(trials), _AT_ONCE):
            answers = await asyncio.gather(
                *(self._create_one(each) for each in trials[start : start + _AT_ONCE])
            )
            errors = [each for each in answers if each]
            if errors:
                return errors[0]
        return ""

    async def _create_one(self, trial: Object) -> str:
        try:
            made = await self._client.create(TRIALS, trial)
        except AlreadyExistsError:
            held = self._trials.get(meta.namespace(trial), meta.name(trial)) or {}
            if owners.controller_of(held) == owners.controller_of(trial):
                return ""
            return f"a Trial of the name {meta.name(trial)} is there, which is not of this experiment"
        except NotFoundError:
            raise
        except ApiError as error:
            return error.message
        await self._trials.reached(meta.resource_version(made))
        return ""

    def _suggestion_of(self, experiment: Object) -> Object | None:
        found = self._suggestions.get(*_place(experiment))
        return found if found is not None and owners.is_controlled_by(found, experiment) else None

    def _pause(
        self, request: Request, before: Mapping[str, Any], conditions: Sequence[Object], trials: int
    ) -> timedelta | None:
        """How long to wait with writing the status. The more trials, the longer; None where it cannot wait."""
        if _turns(before.get("conditions") or ()) != _turns(conditions):
            return None
        since = self._clock.monotonic() - self._written.get(request, float("-inf"))
        seconds = min(trials * _UNWRITTEN_SECONDS_A_TRIAL, _MOST_SECONDS_UNWRITTEN) - since
        return timedelta(seconds=seconds) if seconds > 0 else None

    async def _write(self, found: Object, status: Mapping[str, Any]) -> None:
        written = await update_status(self._client, EXPERIMENTS, found, status)
        await self._experiments.reached(meta.resource_version(written))

    def _forget(self, request: Request) -> None:
        self._specs.forget(request)
        self._written.pop(request, None)

    def _now(self) -> str:
        return rfc3339(self._clock.now())


def _place(obj: Object) -> tuple[str, str]:
    return meta.namespace(obj), meta.name(obj)


def _turns(conditions: Sequence[Object]) -> list[Object]:
    """Without what may be written later."""
    return [{key: value for key, value in each.items() if key not in _TIMES} for each in conditions]
