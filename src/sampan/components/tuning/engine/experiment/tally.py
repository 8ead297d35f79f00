"""The trials of one experiment, counted as they change: no reconcile walks through thousands of them.

Kept by `controller.tallies` from the cache of trials. What it says follows from the trials alone.

Source: kubeflow/katib 0.19 pkg/controller.v1beta1/experiment/util/status_util.go (updateTrialsSummary). Not so here: a
trial whose objective is no number, or that failed, is never the best.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from weakref import ReferenceType, ref

from sampan.components.tuning.api.conditions import (
    CREATED,
    EARLY_STOPPED,
    FAILED,
    KILLED,
    METRICS_UNAVAILABLE,
    RUNNING,
    SUCCEEDED,
    conditions_of,
)
from sampan.components.tuning.api.labels import UNAVAILABLE
from sampan.components.tuning.api.observing import Metric
from sampan.components.tuning.api.reading import number_of, objective_of, place_in_time, record_of
from sampan.components.tuning.api.suggesting import Objective, TrialRecord
from sampan.kube import meta
from sampan.kube.meta import Object

PENDING = "Pending"
STATES = (KILLED, FAILED, SUCCEEDED, EARLY_STOPPED, RUNNING, METRICS_UNAVAILABLE, PENDING)
"""In the order in which upstream asks: the first condition that holds decides. Pending is what is left."""
_SAID_OF_NOTHING = {CREATED: "Trial is created", RUNNING: "Trial is running"}


@dataclass(frozen=True, slots=True)
class Account:
    """A trial, as far as its experiment cares."""

    record: TrialRecord
    order: tuple[str, str]
    """Its place in time, and its name: oldest first."""
    state: str
    deleting: bool
    value: float | None
    """Of the objective, where that is a number and the trial may be the best."""
    awaits_metrics: bool
    """Whether it was stopped early and its metrics are not summed up yet."""
    has_text: bool
    """Whether the objective is a text, as the cell that DARTS finds: nothing compares those, so the last one counts."""
    since: str
    """When it came into its latest condition."""
    message: str
    """Of its latest condition, where that says more than the condition itself."""


class Changes:
    """The names of trials whose records have changed, that have come or gone: taken out by whoever follows a tally."""

    def __init__(self) -> None:
        self.names: set[str] = set()


class Tally:
    """For one event loop."""

    def __init__(self) -> None:
        self._accounts: dict[str, Account] = {}
        self._arrivals: dict[str, int] = {}
        """In which order they came to be known: of those of one second without numbers, nothing else tells which was
        first."""
        self._next_arrival = 0
        self.next_number = 0
        """Of the next trial (`api.labels.NUMBER`)."""
        self._order: list[tuple[str, str]] = []
        self._records: list[TrialRecord] = []
        """In that order."""
        self._states: dict[str, list[tuple[str, str]]] = {state: [] for state in STATES}
        """Their orders."""
        self._deleting: dict[str, None] = {}
        self._awaiting: dict[str, None] = {}
        self._texts: dict[str, None] = {}
        self._best: dict[bool, Account | None] = {}
        """By whether more is better; what is missing is to be looked for."""
        self._followers: list[ReferenceType[Changes]] = []
        self.revision = 0
        """Grows with every change that an algorithm may want to know of."""

    def put(self, trial: Object) -> None:
        name = meta.name(trial)
        if (arrival := self._arrivals.get(name)) is None:
            arrival = self._arrivals[name] = self._next_arrival
            self._next_arrival += 1
        account = account_of(trial, arrival)
        if (number := number_of(trial)) is not None:
            self.next_number = max(self.next_number, number + 1)
        before = self._accounts.get(name)
        if before is None or before.order != account.order:
            if before is not None:
                self.remove(name)
                self._arrivals[name] = arrival
            place = bisect_left(self._order, account.order)
            self._order.insert(place, account.order)
            self._records.insert(place, account.record)
        else:
            self._unlist(before)
            self._records[bisect_left(self._order, account.order)] = account.record
        self._accounts[name] = account
        insort(self._states[account.state], account.order)
        if account.deleting:
            self._deleting[name] = None
        if account.awaits_metrics:
            self._awaiting[name] = None
        if account.has_text:
            self._texts[name] = None
        if before is None or before.record != account.record:
            self._tell(name)
        self._weigh(before, account)

    def remove(self, name: str) -> None:
        account = self._accounts.pop(name, None)
        if account is None:
            return
        del self._arrivals[name]
        self._unlist(account)
        place = bisect_left(self._order, account.order)
        del self._order[place], self._records[place]
        self._tell(name)
        if account.value is not None:
            self._best.clear()

    def __len__(self) -> int:
        return len(self._accounts)

    def __contains__(self, name: object) -> bool:
        return name in self._accounts

    def get(self, name: str) -> Account | None:
        return self._accounts.get(name)

    def count(self, *states: str) -> int:
        return sum([len(self._states[state]) for state in states])

    def names(self, state: str) -> list[str]:
        """Oldest first."""
        return [name for _, name in self._states[state]]

    @property
    def active(self) -> int:
        """Trials that run or are about to, on their way out included."""
        return self.count(RUNNING, PENDING)

    @property
    def completed(self) -> int:
        return len(self) - self.active

    @property
    def awaiting_metrics(self) -> Sequence[str]:
        return list(self._awaiting)

    @property
    def deleting(self) -> int:
        return len(self._deleting)

    def staying(self) -> list[Account]:
        """Active ones that nobody has deleted, the newest first."""
        found = [self._accounts[name] for _, name in [*self._states[RUNNING], *self._states[PENDING]]]
        return sorted(
            (each for each in found if not each.deleting), key=lambda each: each.order, reverse=True
        )

    def records(self) -> list[TrialRecord]:
        """Oldest first."""
        return list(self._records)

    def latest(self, state: str) -> Account | None:
        """Which came into that state last."""
        found = [self._accounts[name] for _, name in self._states[state]]
        return max(found, key=lambda each: (each.since, each.order), default=None)

    def best(self, objective: Objective) -> Account | None:
        """The first of those with the best value; where all have texts for values, the last."""
        more = objective.type == "maximize"
        if more not in self._best:
            found: Account | None = None
            for _, name in self._order:
                found = _better(found, self._accounts[name], more)
            self._best[more] = found
        if self._best[more] is None and self._texts:
            return max((self._accounts[name] for name in self._texts), key=lambda each: each.order)
        return self._best[more]

    def follow(self) -> Changes:
        """For one who looks only at what has changed: all there are, to begin with."""
        made = Changes()
        made.names.update(self._accounts)
        self._followers = [each for each in self._followers if each() is not None]
        self._followers.append(ref(made))
        return made

    def _tell(self, name: str) -> None:
        self.revision += 1
        for each in self._followers:
            if (changes := each()) is not None:
                changes.names.add(name)

    def _weigh(self, before: Account | None, account: Account) -> None:
        if before is not None and before.value is not None and before.value != account.value:
            self._best.clear()
        elif account.value is not None:
            self._best = {
                more: account if best is before else _better(best, account, more)
                for more, best in self._best.items()
            }

    def _unlist(self, account: Account) -> None:
        name = account.record.name
        found = self._states[account.state]
        del found[bisect_left(found, account.order)]
        self._deleting.pop(name, None)
        self._awaiting.pop(name, None)
        self._texts.pop(name, None)


def account_of(trial: Object, arrival: int) -> Account:
    record = record_of(trial)
    conditions = conditions_of(trial)
    true = {each.get("type") for each in conditions if each.get("status") == "True"}
    state = next((state for state in STATES if state in true), PENDING)
    last = conditions[-1] if conditions else {}
    message = str(last.get("message") or "")
    value, has_text = None, False
    if record.metrics:
        objective = objective_of(meta.spec(trial))
        value = None if state in (FAILED, KILLED) else value_of(record.metrics, objective)
        has_text = state == SUCCEEDED and is_text(record.metrics.get(objective.metric))
    time, number = place_in_time(trial)
    return Account(
        record=record,
        order=(f"{time} {number:012} {arrival:012}", record.name),
        state=state,
        deleting=meta.is_deleting(trial),
        value=value,
        awaits_metrics=state == EARLY_STOPPED and not record.metrics,
        has_text=has_text,
        since=str(last.get("lastTransitionTime") or ""),
        message="" if message == _SAID_OF_NOTHING.get(str(last.get("type"))) else message,
    )


def value_of(metrics: Mapping[str, Metric], objective: Objective) -> float | None:
    """What counts of the objective's metric by its strategy; None where that is no finite number."""
    metric = metrics.get(objective.metric)
    if metric is None:
        return None
    strategy = objective.strategies.get(objective.metric, "latest")
    chosen = {"min": metric.min, "max": metric.max}.get(strategy, metric.latest)
    if not chosen or chosen == UNAVAILABLE:
        chosen = metric.latest
    try:
        value = float(chosen)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def is_text(metric: Metric | None) -> bool:
    """Whether no value of it was a number, and the last is one that somebody meant."""
    if metric is None or metric.latest in ("", UNAVAILABLE) or {metric.min, metric.max} != {UNAVAILABLE}:
        return False
    try:
        float(metric.latest)
    except ValueError:
        return True
    return False


def _better(best: Account | None, other: Account, more: bool) -> Account | None:
    if other.value is None:
        return best
    if best is None or best.value is None:
        return other
    if best.value == other.value:
        return best if best.order <= other.order else other
    return other if (other.value > best.value) == more else best
