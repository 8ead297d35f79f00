"""The algorithms that come with the platform, behind the contract of `api/suggesting.py`.

Made once by the composition of tuning's controllers; REST and gRPC ask it too. Checks run here, in the server, and
need no library, nor does early stopping (`engine/early_stopping`); what has to be computed is asked of the tuning
worker (`engine/worker`), which starts with the first question.
"""

from __future__ import annotations

import dataclasses
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sampan.components.tuning.api.suggesting import (
    Answer,
    InvalidSettingsError,
    Problem,
    SuggestingError,
    TrialRecord,
)
from sampan.components.tuning.engine import ahead, checking
from sampan.components.tuning.engine.ahead import Ahead
from sampan.components.tuning.engine.algorithms.contract import Entry
from sampan.components.tuning.engine.algorithms.registry import ALGORITHMS
from sampan.components.tuning.engine.conditions import conditions
from sampan.components.tuning.engine.early_stopping import service as early_stopping
from sampan.components.tuning.engine.early_stopping.service import EarlyStopping
from sampan.components.tuning.engine.worker import messages
from sampan.components.tuning.engine.worker.messages import Reply, Request
from sampan.components.tuning.engine.worker.pool import Pool

_EXPERIMENTS = 64
"""Of which is remembered what was checked."""
_IMPORTANCES = "sampan.components.tuning.engine.algorithms.importance:Importances"


class BuiltIn:
    """For one event loop. `close` ends the worker."""

    def __init__(self, pool: Pool | None = None) -> None:
        self._pool = pool or Pool()
        self.suggestions = Suggestions(self._pool)
        self.early_stopping = EarlyStopping()

    def knows(self, algorithm: str) -> bool:
        """Of suggestions and of early stopping."""
        return algorithm in ALGORITHMS or early_stopping.knows(algorithm)

    async def importances(
        self, problem: Problem, trials: Sequence[TrialRecord], metric: str = ""
    ) -> Mapping[str, Any]:
        """How much each parameter matters for `metric`, the objective's without it: `importances`, a list of
        `parameter` and `importance`, the most important first and in sum 1; empty with the reason in `why`.

        Raises InvalidSettingsError, SuggestingError.
        """
        about = dataclasses.replace(
            problem,
            objective=dataclasses.replace(problem.objective, metric=metric or problem.objective.metric),
            annotations={},
        )
        request = Request(messages.IMPORTANCES, _IMPORTANCES, about)
        # Not the experiment's process: it may take seconds, and the next suggestion should not wait for it.
        reply = await self._pool.ask(f"{problem.uid}/importances", request, trials)
        return _good(reply, "the importance of parameters").figures

    async def close(self) -> None:
        await self._pool.close()


class Suggestions:
    """Implements `SuggestionService` for every algorithm of the registry: the problem names its own."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._checked: OrderedDict[str, Problem] = OrderedDict()
        """By experiment, what was asked last."""
        self._ahead: dict[str, Ahead] = {}
        """Of some of these."""

    async def validate(self, problem: Problem) -> None:
        """Of the settings alone where there are no parameters, as upstream's services are asked."""
        _checked(problem, checking.check_settings)

    async def suggest(
        self, problem: Problem, trials: Sequence[TrialRecord], count: int, asked: int
    ) -> Answer:
        if self._checked.get(problem.uid) is not problem:
            _checked(problem, checking.check_question)
            self._checked[problem.uid] = problem
            self._ahead.pop(problem.uid, None)
            if len(self._checked) > _EXPERIMENTS:
                self._ahead.pop(self._checked.popitem(last=False)[0], None)
        entry = ALGORITHMS[problem.algorithm]
        if count <= 0:
            return Answer()
        if entry.needs_trials:
            return await self._answer(entry, problem, trials, count, asked)
        known = self._ahead.get(problem.uid)
        if known is None or (part := known.part(count, asked)) is None:
            more, all_asked = ahead.wanted(count, asked)
            known = Ahead(all_asked - more, await self._answer(entry, problem, (), more, all_asked))
            if self._checked.get(problem.uid) is problem:
                self._ahead[problem.uid] = known
            part = known.part(count, asked) or Answer()
        return part

    def at_hand(self, problem: Problem, count: int, asked: int) -> Answer | None:
        """Implements `AnswersAhead`."""
        known = self._ahead.get(problem.uid) if self._checked.get(problem.uid) is problem else None
        return None if known is None or count <= 0 else known.part(count, asked)

    async def _answer(
        self, entry: Entry, problem: Problem, trials: Sequence[TrialRecord], count: int, asked: int
    ) -> Answer:
        request = Request(messages.SUGGEST, entry.made_by, problem, count=count, asked=asked)
        reply = await self._pool.ask(problem.uid, request, trials)
        return _settled(problem, _good(reply, problem.algorithm).answer or Answer())


def _checked(problem: Problem, check: Callable[[Problem], None]) -> None:
    """Raises InvalidSettingsError, and SuggestingError for a fault of the check's own: that it is told, as those of the
    algorithm are, and no experiment waits without a word."""
    try:
        check(problem)
    except (InvalidSettingsError, SuggestingError):
        raise
    except Exception as error:
        raise SuggestingError(f"{problem.algorithm} failed: {type(error).__name__}: {error}") from error


def _settled(problem: Problem, answer: Answer) -> Answer:
    """For algorithms that know of no conditions between parameters."""
    found = conditions(problem)
    if not found:
        return answer
    settled = tuple(
        dataclasses.replace(each, parameters=found.settled(each.parameters)) for each in answer.assignments
    )
    return dataclasses.replace(answer, assignments=settled)


def _good(reply: Reply, algorithm: str) -> Reply:
    if reply.refused:
        raise InvalidSettingsError(reply.refused)
    if reply.failed:
        raise SuggestingError(f"{algorithm} failed: {reply.failed}")
    return reply
