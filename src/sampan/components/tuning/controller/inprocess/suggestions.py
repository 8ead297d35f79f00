"""The Suggestion of an experiment whose trials are in-process: asked ahead of its object, which follows.

The object says what the algorithm has answered, as for any experiment, but is written every now and then: of what is
lost in a crash the trials hold what counts. Only what an algorithm wants kept (`Answer.settings`) is written before
trials are made of the answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

from sampan.components.tuning.api.conditions import conditions_of
from sampan.components.tuning.api.kinds import SUGGESTIONS
from sampan.components.tuning.api.reading import problem_of
from sampan.components.tuning.api.suggesting import (
    Answer,
    AnswersAhead,
    InvalidSettingsError,
    Rule,
    SuggestingError,
)
from sampan.components.tuning.controller.experiments.specs import Known
from sampan.components.tuning.controller.inprocess.coalescing import Coalesced
from sampan.components.tuning.controller.inprocess.ground import Ground
from sampan.components.tuning.controller.suggestions.services import Asked, NotReadyError
from sampan.components.tuning.engine.experiment.tally import Tally
from sampan.components.tuning.engine.suggestion import status as says
from sampan.components.tuning.engine.suggestion.desired import (
    assignments_of,
    count_of,
    learnt,
    requests_of,
    suggestion_of,
    with_answer,
)
from sampan.kube import meta, owners
from sampan.kube.errors import AlreadyExistsError, ApiError, NotFoundError
from sampan.kube.meta import Object
from sampan.lib.tasks import TaskSet
from sampan.reconcile.apply import merge_difference
from sampan.reconcile.reconciler import TerminalError
from sampan.store.database import StorageError

_WRITE_SECONDS = 0.25
_FIRST_PAUSE_SECONDS, _MOST_PAUSE_SECONDS = 0.5, 60.0
_LOOK_SECONDS = 1.0
_BUILT_IN, _READY = "The algorithm is built in and needs no Deployment", "Deployment is ready"


class Suggestions:
    """For one event loop. `news` is called when there is more to know."""

    def __init__(self, ground: Ground, tally: Tally, tasks: TaskSet, news: Callable[[], None]) -> None:
        self._ground, self._tally, self._tasks, self._news = ground, tally, tasks, news
        self._held: Object = {}
        self._written: Object = {}
        self._said = self._held, says.said_by({})
        self._loose: list[Object] = []
        """Assignments that had no trial when they were last looked at."""
        self._asking: asyncio.Task[None] | None = None
        self._answered: tuple[int, int] | None = None
        self._is_validated = False
        self._ahead: AnswersAhead | None = None
        """Who has answered last, where that one may know what it is asked next."""
        self._failures = 0
        self.writer = Coalesced(self._write, _WRITE_SECONDS)

    async def load(self, known: Known) -> None:
        """Once the trials are known. Raises ApiError, TerminalError."""
        client, experiment = self._ground.client, known.experiment
        name, namespace = meta.name(experiment), meta.namespace(experiment)
        try:
            found = await client.get(SUGGESTIONS, name, namespace)
        except NotFoundError:
            try:
                found = await client.create(SUGGESTIONS, suggestion_of(experiment, 0))
            except AlreadyExistsError:
                found = await client.get(SUGGESTIONS, name, namespace)
        if not owners.is_controlled_by(found, experiment):
            raise TerminalError(f"the Suggestion {name} is there, which is not of this experiment")
        self._held = self._written = found
        self._loose = assignments_of(found)
        conditions = says.created(conditions_of(found), self._ground.now())
        count = max(count_of(found), len(self._tally) + len(self.unborn()))
        self._say(conditions, suggestionCount=count)

    def unborn(self) -> list[Object]:
        """Assignments that have no trial yet."""
        # What has become a trial stays one: of hundreds that are held, few are looked at again.
        self._loose = [each for each in self._loose if str(each.get("name")) not in self._tally]
        return self._loose

    def give_back(self, assignment: Object) -> None:
        """It was taken for a trial, of which there is none."""
        self._loose = [
            assignment,
            *(each for each in self._loose if each.get("name") != assignment.get("name")),
        ]

    def find_again(self, name: str) -> None:
        """Somebody has deleted the trial of that name: it is made anew, as upstream does, if its assignment is held."""
        for each in assignments_of(self._held):
            if each.get("name") == name:
                self.give_back(each)

    @property
    def count(self) -> int:
        """Of all assignments so far."""
        return count_of(self._held)

    @property
    def said(self) -> says.Said:
        if self._said[0] is not self._held:
            self._said = self._held, says.said_by(self._held)
        return self._said[1]

    def want(self, known: Known, requests: int) -> bool:
        """So many in all. Asks for what is missing, unless it is being asked, or asking again would bring the same.

        Whether they are here at once.
        """
        if requests > requests_of(self._held):
            self._held = {**self._held, "spec": {**meta.spec(self._held), "requests": requests}}
        wanted = requests - count_of(self._held)
        if wanted <= 0 or self._asking is not None or self.said.failure or self.said.exhausted:
            return False
        if self._ahead is not None and not learnt(self._held):
            answer = self._ahead.at_hand(known.problem, wanted, requests)
            if answer is not None and len(answer.assignments) == wanted and not answer.settings:
                self._take(known, answer, (), says.running(conditions_of(self._held), self._ground.now()))
                return True
        if self._answered != (requests, self._tally.revision):
            self._asking = self._tasks.spawn(self._ask(known, wanted, requests), name="suggestion")
            self._asking.add_done_callback(self._asked)
        return False

    def _asked(self, _task: asyncio.Task[None]) -> None:
        self._asking = None
        self._news()

    async def _ask(self, known: Known, wanted: int, requests: int) -> None:
        algorithm, conditions = known.problem.algorithm, conditions_of(self._held)
        now, revision = self._ground.now(), self._tally.revision
        try:
            asked = await self._ground.asked(self._held)
            conditions = says.ready(conditions, now, message=_BUILT_IN if asked.is_built_in else _READY)
            answer, rules = await self._answer(asked, known, wanted, requests)
            is_ahead = isinstance(asked.suggestions, AnswersAhead) and not known.problem.early_stopping
            self._ahead = cast(AnswersAhead, asked.suggestions) if is_ahead else None
        except InvalidSettingsError as error:
            self._say(says.failed(conditions, now, f"Validation failed: {error}"))
            return
        except NotReadyError as error:
            self._say(says.not_ready(conditions, now, str(error)))
            self._news()
            await asyncio.sleep(_LOOK_SECONDS)
            return
        except (SuggestingError, ApiError, StorageError) as error:
            self._failures += 1
            self._say(says.not_answering(conditions, now, f"no answer, is tried again: {algorithm}: {error}"))
            pause = _FIRST_PAUSE_SECONDS * 2.0 ** min(self._failures, 10)
            self._news()
            await asyncio.sleep(min(pause, _MOST_PAUSE_SECONDS))
            return
        self._failures = 0
        missing = wanted - len(answer.assignments)
        if missing > 0:
            self._answered = (requests, revision)
        self._take(known, answer, rules, _told(conditions, now, answer, missing))
        if answer.settings:
            await self.writer.flush()

    def _take(self, known: Known, answer: Answer, rules: tuple[Rule, ...], conditions: list[Object]) -> None:
        status = with_answer(self._held, known.experiment, answer, rules, self._tally.__contains__)
        self._held = {**self._held, "status": {**status, "conditions": conditions}}
        if answer.assignments:
            self._loose = [*self._loose, *assignments_of(self._held)[-len(answer.assignments) :]]
        self.writer.touch()

    async def _answer(
        self, asked: Asked, known: Known, wanted: int, requests: int
    ) -> tuple[Answer, tuple[Rule, ...]]:
        found, trials = learnt(self._held), self._tally.records()
        # The same as before, mostly, and so known to be good.
        problem = problem_of(known.experiment, found) if found else known.problem
        if not self._is_validated:
            await asked.suggestions.validate(problem)
            if problem.early_stopping:
                await asked.early_stopping.validate(problem)
            self._is_validated = True
        answer = await asked.suggestions.suggest(problem, trials, wanted, requests)
        if len(answer.assignments) > wanted:
            raise SuggestingError(
                f"answered {len(answer.assignments)} suggestions where {wanted} were asked for"
            )
        if not problem.early_stopping or not answer.assignments:
            return answer, ()
        return answer, tuple(await asked.early_stopping.rules(problem, trials, self._ground.observations.of))

    def _say(self, conditions: list[Object], **more: Any) -> None:
        status = {**meta.status(self._held), **more, "conditions": conditions}
        self._held = {**self._held, "status": status}
        self.writer.touch()

    async def _write(self) -> None:
        held, written = self._held, self._written
        name, namespace = meta.name(held), meta.namespace(held)
        # Nobody else writes it while the experiment is driven.
        told = {"metadata": {"uid": meta.uid(held)}}
        if spec := merge_difference(meta.spec(written), meta.spec(held)):
            await self._ground.client.patch(SUGGESTIONS, name, {**told, "spec": spec}, namespace)
        status = {"startTime": self._ground.now(), **meta.status(held)}
        if change := merge_difference(meta.status(written), status):
            patch = {**told, "status": change}
            await self._ground.client.patch(SUGGESTIONS, name, patch, namespace, subresource="status")
        self._written = {**held, "status": status}
        self._held = {**self._held, "status": {**meta.status(self._held), "startTime": status["startTime"]}}


def _told(conditions: list[Object], now: str, answer: Answer, missing: int) -> list[Object]:
    if missing <= 0:
        return says.running(conditions, now)
    if answer.exhausted:
        return says.at_the_end(conditions, now)
    why = answer.waiting_for or "the algorithm has answered with fewer than were asked for"
    return says.waiting(conditions, now, f"waiting for {missing} more suggestions: {why}")
