"""`api.v1.beta1.Suggestion` and `.EarlyStopping`: the built-in algorithms, for whoever asks them without an Experiment.

What an algorithm learns is kept by the experiment as it was sent, so the same question has the same answer. Source:
kubeflow/katib 0.19 pkg/suggestion/v1beta1, pkg/earlystopping/v1beta1/medianstop/service.py.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Protocol

from sampan.components.tuning.api import conversion
from sampan.components.tuning.api.kinds import TRIALS
from sampan.components.tuning.api.messages import message
from sampan.components.tuning.api.observing import MetricLog
from sampan.components.tuning.api.reading import condition_of
from sampan.components.tuning.api.suggesting import (
    EarlyStoppingService,
    InvalidSettingsError,
    Problem,
    SuggestingError,
    SuggestionService,
)
from sampan.components.tuning.engine.early_stopping import medianstop
from sampan.components.tuning.rest.grpc_callers import Caller, GrpcCallers
from sampan.components.tuning.rest.sources import Sources
from sampan.kube import meta
from sampan.kube.errors import ConflictError, ForbiddenError, NotFoundError, ServiceUnavailableError
from sampan.lib.clock import rfc3339
from sampan.web.grpc_server import Call, Context, Method

_MOST_ASKED = 1000
_MOST_AT_ONCE = 8
"""Suggestions that are worked out side by side; others wait. Each experiment that is asked about has a process."""
_TRIES = 5
_ENDED = frozenset({"Succeeded", "Failed", "Killed", "MetricsUnavailable", "EarlyStopped"})


class Algorithms(Protocol):
    """`engine.builtin.BuiltIn`."""

    @property
    def suggestions(self) -> SuggestionService: ...
    @property
    def early_stopping(self) -> EarlyStoppingService: ...


class AlgorithmServices:
    """For one event loop."""

    def __init__(self, sources: Sources, callers: GrpcCallers) -> None:
        self._client = sources.client
        self._clock = sources.clock
        self._observations = sources.observations
        self._algorithms: Callable[[], Algorithms] = sources.algorithms
        self._callers = callers
        self._room = asyncio.Semaphore(_MOST_AT_ONCE)

    @property
    def suggestion_methods(self) -> dict[str, tuple[Any, Method]]:
        return {
            "GetSuggestions": (message("GetSuggestionsRequest"), self.suggest),
            "ValidateAlgorithmSettings": (message("ValidateAlgorithmSettingsRequest"), self.validate),
        }

    @property
    def early_stopping_methods(self) -> dict[str, tuple[Any, Method]]:
        return {
            "GetEarlyStoppingRules": (message("GetEarlyStoppingRulesRequest"), self.rules),
            "SetTrialStatus": (message("SetTrialStatusRequest"), self.set_trial_status),
            "ValidateEarlyStoppingSettings": (
                message("ValidateEarlyStoppingSettingsRequest"),
                self.validate_stopping,
            ),
        }

    async def suggest(self, request: Any, context: Context) -> Any:
        count = request.current_request_number
        if not 0 <= count <= _MOST_ASKED:
            raise ValueError(f"current_request_number must be 0 to {_MOST_ASKED}, not {count}")
        problem = _problem(request.experiment, await self._callers.of(Call(context)))
        trials = conversion.records_from(request.trials)
        try:
            async with self._room:
                answer = await self._algorithms().suggestions.suggest(
                    problem, trials, count, max(request.total_request_number, count)
                )
        except SuggestingError as error:
            raise ServiceUnavailableError(str(error)) from error
        return conversion.answer_message(answer, problem)

    async def validate(self, request: Any, context: Context) -> Any:
        problem = _problem(request.experiment, await self._callers.of(Call(context)))
        try:
            await self._algorithms().suggestions.validate(problem)
        except InvalidSettingsError as error:
            raise ValueError(error.plain) from error
        except SuggestingError as error:
            raise ServiceUnavailableError(str(error)) from error
        return message("ValidateAlgorithmSettingsReply")()

    async def rules(self, request: Any, context: Context) -> Any:
        caller = await self._callers.of(Call(context))
        problem = _problem(request.experiment, caller)
        if not problem.early_stopping:
            # Upstream's service is that algorithm, whatever it is asked about.
            problem = replace(problem, early_stopping=medianstop.NAME)

        async def read(_namespace: str, trial: str, metric: str) -> Sequence[MetricLog]:
            # By whom, and not by what the message says of itself.
            try:
                place = await self._callers.place(caller, trial, "get")
            except (NotFoundError, ForbiddenError):
                return ()
            return await self._observations.of(*place, metric)

        try:
            found = await self._algorithms().early_stopping.rules(
                problem, conversion.records_from(request.trials), read
            )
        except SuggestingError as error:
            raise ServiceUnavailableError(str(error)) from error
        return conversion.rules_message(found)

    async def validate_stopping(self, request: Any, context: Context) -> Any:
        await self._callers.of(Call(context))
        problem = conversion.stopping_problem(request.early_stopping)
        try:
            await self._algorithms().early_stopping.validate(problem)
        except InvalidSettingsError as error:
            raise ValueError(error.plain) from error
        except SuggestingError as error:
            raise ServiceUnavailableError(str(error)) from error
        return message("ValidateEarlyStoppingSettingsReply")()

    async def set_trial_status(self, request: Any, context: Context) -> Any:
        """Marks a trial as stopped early; one that has ended stays as it is."""
        caller = await self._callers.of(Call(context))
        namespace, name = await self._callers.place(caller, request.trial_name, "update")
        for left in reversed(range(_TRIES)):
            trial = await self._client.get(TRIALS, name, namespace)
            if condition_of(trial) in _ENDED:
                break
            now = rfc3339(self._clock.now())
            stopped = {
                "type": "EarlyStopped",
                "status": "True",
                "reason": "TrialEarlyStopped",
                "message": "Trial is early stopped",
                "lastUpdateTime": now,
                "lastTransitionTime": now,
            }
            kept = [
                each
                for each in meta.status(trial).get("conditions") or ()
                if each.get("type") != "EarlyStopped"
            ]
            wanted = {
                "metadata": {"resourceVersion": meta.metadata(trial)["resourceVersion"]},
                "status": {"conditions": [*kept, stopped]},
            }
            try:
                await self._client.patch(TRIALS, name, wanted, namespace, subresource="status")
            except ConflictError:
                if not left:
                    raise
                continue
            break
        return message("SetTrialStatusReply")()


def _problem(experiment: Any, caller: Caller) -> Problem:
    """Raises MessageError."""
    digest = hashlib.sha256(experiment.SerializeToString(deterministic=True)).hexdigest()[:32]
    return conversion.problem_from(experiment, caller.namespace, f"asked-{caller.namespace}-{digest}")
