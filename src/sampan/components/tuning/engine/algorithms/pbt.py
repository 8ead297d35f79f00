"""`pbt`: a population of trials, each generation of which goes on from the checkpoints of the one before.

Jaderberg et al. 2017, Population Based Training of Neural Networks, section 4.1.2: truncation selection (exploit), then
perturbing or resampling (explore). Upstream: kubeflow/katib 0.19 pkg/suggestion/v1beta1/pbt/service.py, whose labels,
shares and factors this has.

The next generation begins when `n_population` trials of the latest have a value; the first so many that ended are its
parents. While they have not, more trials of the latest generation are suggested, so that no room stays idle. A trial
that failed is tried again. All of this follows from the trials and their labels: nothing else is kept.

Two things differ from upstream. A member that is worse than the rest takes over a better one's parameters *and* its
checkpoint, as in the paper; upstream leaves it its own. And upstream waits for one value more than the population has.
Decision 53.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sampan.components.tuning.api.suggesting import Answer, Assignment, Problem, TrialRecord
from sampan.components.tuning.engine.algorithms.contract import Memory
from sampan.components.tuning.engine.algorithms.neighbours import is_of, neighbour
from sampan.components.tuning.engine.algorithms.outcomes import value_of
from sampan.components.tuning.engine.algorithms.pbt_settings import Population, population
from sampan.components.tuning.engine.algorithms.random_search import draw
from sampan.components.tuning.engine.algorithms.seeds import numbers, seed
from sampan.components.tuning.engine.algorithms.space import Dimension, dimensions

_LABELS = "pbt.suggestion.katib.kubeflow.org/"
GENERATION, PARENT = f"{_LABELS}generation", f"{_LABELS}parent"
RETRY_OF = f"{_LABELS}retry-of"
_FAILED = ("Failed", "Killed", "MetricsUnavailable")


class PopulationBasedTraining:
    """Keeps nothing."""

    def suggest(
        self, memory: Memory, problem: Problem, trials: Sequence[TrialRecord], count: int, asked: int
    ) -> Answer:
        settings = population(problem)
        maker = _Maker(problem, settings, dimensions(problem.parameters))
        retries = _retries(trials, maker.space)
        unmade = max(asked - count - len(trials), 0)
        # What was suggested and is no trial yet may have been tries of those that failed: they are not tried twice.
        for _ in range(unmade):
            next(retries, None)
        own = [each for each in trials if is_of(maker.space, each.assignments)]
        generation, given, parents = _place(problem, settings, own, unmade)
        plan = _plan(problem, settings, generation, parents)
        made: list[Assignment] = []
        for number in numbers(count, asked):
            failed = next(retries, None)
            if failed is not None:
                made.append(_again(problem, failed, number))
                continue
            step = plan[given % len(plan)] if plan else None
            made.append(maker.member(generation, step, number))
            given += 1
        return Answer(tuple(made))


@dataclass(frozen=True, slots=True)
class _Step:
    """How a member of a generation comes from one of the generation before."""

    parent: TrialRecord
    explore: bool


def _place(
    problem: Problem, settings: Population, trials: Sequence[TrialRecord], unmade: int
) -> tuple[int, int, list[TrialRecord]]:
    """The generation that is being suggested, how many of it have been, and the one before."""
    generations = [_generation(each) for each in trials]
    latest = max(generations, default=0)
    ended = _valued(problem, trials, latest)
    if len(ended) >= settings.size:
        return latest + 1, unmade, ended[: settings.size]
    given = generations.count(latest) + unmade
    before = _valued(problem, trials, latest - 1)[: settings.size] if latest else []
    return latest, given, before


def _valued(problem: Problem, trials: Sequence[TrialRecord], generation: int) -> list[TrialRecord]:
    """Those of a generation that have a value, as they ended."""
    found = [
        each
        for each in trials
        if _generation(each) == generation and value_of(problem.objective, each) is not None
    ]
    return sorted(found, key=lambda each: each.completion_time)


def _plan(
    problem: Problem, settings: Population, generation: int, parents: Sequence[TrialRecord]
) -> list[_Step]:
    """Who of the generation before is followed by what. Empty for the first."""
    if not parents:
        return []
    sign = 1 if problem.objective.type == "maximize" else -1
    values = {each.name: sign * (value_of(problem.objective, each) or 0.0) for each in parents}
    low = _quantile(list(values.values()), settings.truncation_threshold)
    high = _quantile(list(values.values()), 1 - settings.truncation_threshold)
    worst = [each for each in parents if values[each.name] < low]
    rest = [each for each in parents if values[each.name] >= low]
    best = [each for each in parents if values[each.name] >= high]
    source = random.Random(seed(problem, generation, "generation"))  # noqa: S311 - a search, no secret
    source.shuffle(worst)
    source.shuffle(rest)
    replaced = worst[: int(settings.size * settings.truncation_threshold)]
    kept = rest[: settings.size - len(replaced)]
    return [
        *(_Step(source.choice(best), explore=False) for _ in replaced),
        *(_Step(each, explore=True) for each in kept),
    ]


def _quantile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low, part = int(place), place - int(place)
    return ordered[low] if part == 0 else ordered[low] * (1 - part) + ordered[low + 1] * part


@dataclass(frozen=True, slots=True)
class _Maker:
    """Of new members."""

    problem: Problem
    settings: Population
    space: Sequence[Dimension]

    def member(self, generation: int, step: _Step | None, number: int) -> Assignment:
        source = random.Random(seed(self.problem, number))  # noqa: S311 - a search, no secret
        labels, name = {GENERATION: str(generation)}, _name(self.problem, number)
        if step is None:
            return Assignment(draw(self.space, source), name, labels)
        labels[PARENT] = step.parent.name
        old = step.parent.assignments
        return Assignment(self._explored(old, source) if step.explore else old, name, labels)

    def _explored(self, old: Mapping[str, str], source: random.Random) -> dict[str, str]:
        resample = self.settings.resample_probability
        if resample is None:
            return {each.name: neighbour(each, old[each.name], source) for each in self.space}
        drawn = draw(self.space, source)
        return {name: drawn[name] if source.random() < resample else old[name] for name in drawn}


def _again(problem: Problem, failed: TrialRecord, number: int) -> Assignment:
    labels = {name: failed.labels[name] for name in (GENERATION, PARENT) if name in failed.labels}
    return Assignment(failed.assignments, _name(problem, number), {**labels, RETRY_OF: failed.name})


def _retries(trials: Sequence[TrialRecord], space: Sequence[Dimension]) -> Iterator[TrialRecord]:
    """Trials that failed and have not been tried again."""
    tried = {each.labels.get(RETRY_OF) for each in trials}
    failed = [each for each in trials if each.condition in _FAILED and each.name not in tried]
    return iter([each for each in failed if is_of(space, each.assignments)])


def _generation(trial: TrialRecord) -> int:
    try:
        return int(trial.labels.get(GENERATION, "0"))
    except ValueError:
        return 0


def _name(problem: Problem, number: int) -> str:
    """Known before the trial is made, and the same when asked again: what its folder of checkpoints is called."""
    digest = hashlib.blake2b(f"{problem.uid}/{number}".encode(), digest_size=4)
    return f"{problem.name}-{digest.hexdigest()}"
