"""What a trial has measured, once its run has succeeded; how long that is waited for, and what is wrong where it is not
there. For the reconciler.

Upstream looks every second for ever (kubeflow/katib 0.19 trial_controller.go, errMetricsNotReported; katib#1795).
Here the wait has an end, and while it lasts it is said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sampan.components.tuning.api import labels
from sampan.components.tuning.controller.around import Around
from sampan.components.tuning.controller.collecting.admission import collects
from sampan.components.tuning.controller.collecting.collector import Collector
from sampan.components.tuning.controller.collecting.following import Collected, Following
from sampan.components.tuning.controller.trials.trial_pods import TrialPods
from sampan.components.tuning.engine.collecting import lines, own
from sampan.components.tuning.engine.collecting.wanted import CUSTOM, NONE, READ_HERE, Wanted
from sampan.components.tuning.engine.trial.observation import strategies_of, unavailable
from sampan.kube import meta
from sampan.kube.errors import NotFoundError
from sampan.kube.kinds import NAMESPACES
from sampan.kube.meta import Object
from sampan.lib.clock import rfc3339
from sampan.reconcile.reconciler import request_for

_POD_SECONDS = 60.0
"""How long a container may go on after the run has succeeded before its values are taken as they are."""
_REPORT_SECONDS = {CUSTOM: 30.0, NONE: 30.0}
"""How long after the run somebody else may still report."""
_WORD_SECONDS = 2.0


class NotYetError(Exception):
    """It is too early. The message says what is waited for."""

    def __init__(self, message: str, seconds: float, *, is_worth_a_word: bool) -> None:
        super().__init__(message)
        self.seconds = seconds
        self.is_worth_a_word = is_worth_a_word


@dataclass(frozen=True, slots=True)
class Measured:
    observation: Object
    problem: str
    """Why the objective has no value; empty when it has one."""
    note: str


class Measuring:
    def __init__(self, around: Around, collector: Collector, pods: TrialPods) -> None:
        self._client = around.client
        self._clock = around.clock
        self._observations = around.observations
        self._collector = collector
        self._pods = pods
        self._ended: dict[str, float] = {}
        """By a trial's uid: when its run was seen to have succeeded, on the monotonic clock."""

    def forget(self, uid: str) -> None:
        self._ended.pop(uid, None)

    async def keep(self, trial: Object) -> None:
        """What a run that has failed had reported, for its curves."""
        following = self._collector.attend(trial, self._pods.of(request_for(trial)))
        if following.wanted.kind in READ_HERE:
            await self._collector.so_far(following)

    async def measure(self, trial: Object) -> Measured:
        """Raises NotYetError, StorageError, ApiError."""
        ended = self._ended.setdefault(meta.uid(trial), self._clock.monotonic())
        waited = self._clock.monotonic() - ended
        following = self._collector.attend(trial, self._pods.of(request_for(trial)))
        wanted = following.wanted
        if wanted.kind in READ_HERE:
            following = await self._ended_pods(trial, following, waited)
        found = await self._collector.collected(following)
        patience = _REPORT_SECONDS.get(wanted.kind, 0.0)
        trouble = own.trouble_of(trial, following.pods.values()) if wanted.kind == CUSTOM else ""
        if not found.sums.has_objective and waited < patience:
            name = wanted.objective.metric
            said = f"the run has succeeded; somebody has {patience:g} s to report {name}"
            raise _not_yet(f"{said}; {trouble}" if trouble else said, waited, patience)
        problem = _problem(wanted, found)
        if problem and not following.pods and wanted.kind in READ_HERE:
            problem = f"{problem}; {await self._why_no_pods(wanted.namespace)}"
        if problem and trouble:
            problem = f"{problem}; {trouble}"
        if not found.sums.has_objective:
            now = rfc3339(self._clock.now())
            await self._observations.report(
                wanted.namespace, wanted.trial, [unavailable(wanted.objective.metric, now)]
            )
        note = "" if problem or not found.complaints else f"left out: {lines.summary(found.complaints)}"
        return Measured(found.sums.observation, problem, note)

    async def _why_no_pods(self, namespace: str) -> str:
        try:
            found = await self._client.get(NAMESPACES, namespace)
        except NotFoundError:
            found = None
        if not collects(found):
            return f"the namespace says by its label {labels.INJECTION} that metrics are not to be collected"
        return "no pod of the run is known"

    async def _ended_pods(self, trial: Object, following: Following, waited: float) -> Following:
        if following.primary() and not following.unfinished():
            return following
        # The run object may be seen to have ended before its pods are.
        following = self._collector.attend(trial, await self._pods.fresh(request_for(trial)))
        name = following.unfinished()
        if name and waited < _POD_SECONDS:
            message = f"the run has succeeded; its metrics are complete when pod {name} has ended"
            raise _not_yet(message, waited, _POD_SECONDS)
        return following


def _not_yet(message: str, waited: float, patience: float) -> NotYetError:
    is_long = waited >= _WORD_SECONDS
    left = patience - waited if is_long else _WORD_SECONDS - waited
    return NotYetError(message, max(min(left, 1.0), 0.05), is_worth_a_word=is_long)


def _problem(wanted: Wanted, found: Collected) -> str:
    problem = found.sums.problem
    strategy = strategies_of(wanted.objective).get(wanted.objective.metric)
    if not problem and strategy == "latest" and found.is_last_odd:
        problem = f"the latest value of {wanted.objective.metric} is none"
    if not problem:
        return ""
    parts: Sequence[str] = (problem, found.problem, lines.summary(found.complaints))
    return "; ".join(each for each in parts if each)
