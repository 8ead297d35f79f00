"""Suggestions: asks the algorithm for as many assignments as the experiment wants, and keeps its answers.

Source: kubeflow/katib 0.19 pkg/controller.v1beta1/suggestion/suggestion_controller.go. There the experiment's
controller says when a suggestion is over; here it is seen from the experiment, so that nothing else writes this status.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sampan.components.tuning.api import labels
from sampan.components.tuning.api.conditions import conditions_of
from sampan.components.tuning.api.defaults import with_defaults
from sampan.components.tuning.api.ending import is_completed
from sampan.components.tuning.api.kinds import EXPERIMENTS, SUGGESTIONS, TRIALS
from sampan.components.tuning.api.reading import problem_of
from sampan.components.tuning.api.suggesting import (
    Answer,
    InvalidSettingsError,
    ReadLog,
    Rule,
    SuggestingError,
)
from sampan.components.tuning.controller.around import Around
from sampan.components.tuning.controller.katib_config import KatibConfigMap
from sampan.components.tuning.controller.suggestions.services import Asked, NotReadyError, Services
from sampan.components.tuning.controller.tallies import Tallies
from sampan.components.tuning.engine.experiment.tally import Tally
from sampan.components.tuning.engine.inprocess.workers import is_in_process, runs_in_process
from sampan.components.tuning.engine.suggestion import status as says
from sampan.components.tuning.engine.suggestion.desired import (
    count_of,
    given_back,
    learnt,
    requests_of,
    with_answer,
)
from sampan.kube import meta, owners
from sampan.kube.meta import Object
from sampan.lib.clock import rfc3339
from sampan.reconcile.apply import merge_difference
from sampan.reconcile.controller import Controller, mapped, own
from sampan.reconcile.events import EventRecorder
from sampan.reconcile.reconciler import DONE, Request, Result, request_for

_TIMEOUT_SECONDS = 900.0
"""Of one reconcile: an algorithm may think for long. Whoever asks it over the network has a limit of its own."""
_WORKERS = 8
_FIRST_PAUSE_SECONDS, _MOST_PAUSE_SECONDS = 1.0, 60.0
_LOOK_AGAIN = Result(timedelta(seconds=2))
"""While pods start, which are not watched."""
_BUILT_IN = "The algorithm is built in and needs no Deployment"


@dataclass(slots=True)
class _Failures:
    """Of a service that does not answer."""

    since: str
    count: int = 0

    def pause(self) -> timedelta:
        return timedelta(
            seconds=min(_FIRST_PAUSE_SECONDS * 2.0 ** min(self.count - 1, 10), _MOST_PAUSE_SECONDS)
        )


class SuggestionReconciler:
    def __init__(self, around: Around, tallies: Tallies, katib_config: KatibConfigMap) -> None:
        self._client, self._clock = around.client, around.clock
        self._is_embedded = around.pod_files is None
        self._suggestions = around.caches.of(SUGGESTIONS)
        self._experiments = around.caches.of(EXPERIMENTS)
        self._trials = around.caches.of(TRIALS)
        self._tallies, self._read_log = tallies, around.observations.of
        self.services = Services(around, katib_config)
        self._events = EventRecorder(around.client, around.clock, "suggestion-controller")
        self._answered: dict[Request, tuple[int, int]] = {}
        """Requests and revision of the trials that were last answered with less than was asked for."""
        self._failures: dict[Request, _Failures] = {}

    def controller(self) -> Controller[Request]:
        return Controller(
            "suggestion",
            self.reconcile,
            [
                own(self._suggestions),
                mapped(self._experiments, lambda obj: (request_for(obj),)),
                mapped(self._trials, self._suggestion_of),
                *self.services.sources(),
            ],
            workers=_WORKERS,
            timeout_seconds=_TIMEOUT_SECONDS,
            close=self._stop,
        )

    def _suggestion_of(self, trial: Object) -> tuple[Request, ...]:
        name = meta.labels(trial).get(labels.EXPERIMENT)
        if not name or (self._is_embedded and is_in_process(trial)):
            return ()
        return (Request(meta.namespace(trial), name),)

    async def reconcile(self, request: Request) -> Result:
        suggestion = self._suggestions.get(request.namespace, request.name)
        experiment = self._experiments.get(request.namespace, request.name)
        if (
            suggestion is not None
            and not meta.is_deleting(suggestion)
            and not owners.controller_of(suggestion)
        ):
            conditions = says.created(conditions_of(suggestion), self._now())
            await self._mark(suggestion, says.without_experiment(conditions, self._now()))
            return DONE
        if suggestion is None or meta.is_deleting(suggestion) or experiment is None:
            await self._forget(request)
            return DONE
        if not owners.is_controlled_by(suggestion, experiment) or says.has_failed(suggestion):
            return DONE
        if is_completed(experiment) and meta.spec(suggestion).get("resumePolicy") != "LongRunning":
            return await self._end(suggestion)
        if self._is_embedded and runs_in_process(experiment):
            # `controller.inprocess` asks for it.
            return DONE
        if says.is_over(suggestion):
            await self._mark(suggestion, says.restarting(conditions_of(suggestion), self._now()))
            return DONE
        status = given_back(suggestion, self._stays(experiment))
        if status is not None:
            status["conditions"] = says.running(conditions_of(suggestion), self._now())
            await self._write(suggestion, status)
            return DONE
        return await self._answer(request, suggestion, experiment)

    async def _end(self, suggestion: Object) -> Result:
        if not says.is_over(suggestion):
            has_volume = meta.spec(suggestion).get("resumePolicy") == "FromVolume"
            conditions = conditions_of(suggestion)
            await self._mark(suggestion, says.succeeded(conditions, self._now(), has_volume=has_volume))
        await self.services.drop(suggestion)
        return DONE

    async def _answer(self, request: Request, suggestion: Object, experiment: Object) -> Result:
        tally = self._tallies.of(experiment)
        wanted = requests_of(suggestion) - count_of(suggestion)
        validated = says.is_validated(suggestion)
        if validated and (wanted <= 0 or self._is_answered(request, suggestion, tally)):
            return DONE
        conditions = says.created(conditions_of(suggestion), self._now())
        asking = _Asking(suggestion, _without_status(experiment), tally, wanted, self._read_log)
        revision = tally.revision
        try:
            asked = await self.services.of(suggestion)
            message = _BUILT_IN if asked.is_built_in else "Deployment is ready"
            conditions = says.ready(conditions, self._now(), message=message)
            if not validated:
                await asking.validate(asked)
            answer, rules = await asking.ask(asked) if wanted > 0 else (Answer(), ())
        except InvalidSettingsError as error:
            await self._mark(suggestion, says.failed(conditions, self._now(), f"Validation failed: {error}"))
            return DONE
        except NotReadyError as error:
            await self._mark(suggestion, says.not_ready(conditions, self._now(), str(error)))
            return _LOOK_AGAIN
        except SuggestingError as error:
            return await self._try_again(request, suggestion, conditions, error)
        self._failures.pop(request, None)
        status = with_answer(suggestion, experiment, answer, rules, tally.__contains__)
        if len(answer.assignments) < wanted:
            self._answered[request] = (requests_of(suggestion), revision)
        status["conditions"] = self._said(conditions, answer, wanted)
        await self._write(suggestion, status)
        return DONE

    def _said(self, conditions: list[Object], answer: Answer, wanted: int) -> list[Object]:
        now, missing = self._now(), wanted - len(answer.assignments)
        if missing <= 0:
            return says.running(conditions, now)
        if answer.exhausted:
            return says.at_the_end(conditions, now)
        why = answer.waiting_for or "the algorithm has answered with fewer than were asked for"
        return says.waiting(conditions, now, f"waiting for {missing} more suggestions: {why}")

    def _is_answered(self, request: Request, suggestion: Object, tally: Tally) -> bool:
        """Whether asking again would bring the same: the algorithm has said what it has, or nothing is new."""
        if says.said_by(suggestion).exhausted:
            return True
        return self._answered.get(request) == (requests_of(suggestion), tally.revision)

    async def _try_again(
        self, request: Request, suggestion: Object, conditions: list[Object], error: SuggestingError
    ) -> Result:
        algorithm = (meta.spec(suggestion).get("algorithm") or {}).get("algorithmName")
        why = f"{algorithm}: {error}"
        failures = self._failures.setdefault(request, _Failures(self._now()))
        failures.count += 1
        pause = failures.pause()
        # Without a count: a message that changes with every try would be an event for everybody who watches.
        message = f"no answer since {failures.since}, tried again every minute or sooner: {why}"
        self._events.warning(suggestion, "ReconcileError", why)
        await self._mark(suggestion, says.not_answering(conditions, self._now(), message))
        return Result(pause)

    def _stays(self, experiment: Object) -> Any:
        tally = self._tallies.of(experiment)

        def stays(name: str) -> bool:
            account = tally.get(name)
            return account is not None and not account.deleting

        return stays

    async def _mark(self, suggestion: Object, conditions: list[Object]) -> None:
        await self._write(suggestion, {**meta.status(suggestion), "conditions": conditions})

    async def _write(self, suggestion: Object, status: Mapping[str, Any]) -> None:
        # Without the resourceVersion: nobody else writes the status, and that the experiment has asked for more
        # meanwhile spoils no answer.
        status = {"startTime": self._now(), **status}
        change = merge_difference(meta.status(suggestion), status)
        if not change:
            return
        patch = {"metadata": {"uid": meta.uid(suggestion)}, "status": change}
        written = await self._client.patch(
            SUGGESTIONS,
            meta.name(suggestion),
            patch,
            meta.namespace(suggestion),
            subresource="status",
        )
        await self._suggestions.reached(meta.resource_version(written))

    async def _forget(self, request: Request) -> None:
        await self.services.forget(request)
        self._answered.pop(request, None)
        self._failures.pop(request, None)

    async def _stop(self) -> None:
        await self.services.close()
        await self._events.close()

    def _now(self) -> str:
        return rfc3339(self._clock.now())


@dataclass(frozen=True, slots=True)
class _Asking:
    """One question about one experiment."""

    suggestion: Object
    experiment: Object
    tally: Tally
    wanted: int
    read: ReadLog

    async def validate(self, asked: Asked) -> None:
        problem = problem_of(self.experiment)
        await asked.suggestions.validate(problem)
        if problem.early_stopping:
            await asked.early_stopping.validate(problem)

    async def ask(self, asked: Asked) -> tuple[Answer, tuple[Rule, ...]]:
        problem = problem_of(self.experiment, learnt(self.suggestion))
        trials = self.tally.records()
        answer = await asked.suggestions.suggest(problem, trials, self.wanted, requests_of(self.suggestion))
        if len(answer.assignments) > self.wanted:
            raise SuggestingError(
                f"answered {len(answer.assignments)} suggestions where {self.wanted} were asked for"
            )
        if not problem.early_stopping or not answer.assignments:
            return answer, ()
        return answer, tuple(await asked.early_stopping.rules(problem, trials, self.read))


def _without_status(experiment: Object) -> Object:
    """With its defaults. Its status may name thousands of trials."""
    return with_defaults({key: value for key, value in experiment.items() if key != "status"})
