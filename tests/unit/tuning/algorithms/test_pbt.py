"""Population based training: generations, parents, exploit and explore, and what it is worth."""

from __future__ import annotations

import random
import statistics
from collections import Counter
from typing import Any

import pytest
from tests.unit.tuning.algorithms.searching import Play, problem, real, whole

from sampan.components.tuning.api.suggesting import (
    FeasibleSpace,
    InvalidSettingsError,
    Parameter,
    TrialRecord,
)
from sampan.components.tuning.engine.algorithms import pbt_settings
from sampan.components.tuning.engine.algorithms.neighbours import neighbour
from sampan.components.tuning.engine.algorithms.pbt import (
    GENERATION,
    PARENT,
    RETRY_OF,
    PopulationBasedTraining,
)
from sampan.components.tuning.engine.algorithms.random_search import RandomSearch
from sampan.components.tuning.engine.algorithms.space import dimensions

_SETTINGS = {"suggestion_trial_dir": "/ckpt/", "n_population": "5", "truncation_threshold": "0.4"}


def _play(direction: str = "maximize", uid: str = "uid", **settings: str) -> Play:
    asked = problem(
        "pbt",
        real("lr", 0.1, 1.0),
        whole("units", 1, 64),
        direction=direction,
        uid=uid,
        settings={**_SETTINGS, **settings},
    )
    pbt_settings.check(asked)
    return Play(asked, PopulationBasedTraining)


def _generation(trial: TrialRecord) -> int:
    return int(trial.labels[GENERATION])


def test_the_first_generation_is_random_and_has_no_parents() -> None:
    play = _play()
    answer = play.ask(5)

    assert [each.labels for each in answer.assignments] == [{GENERATION: "0"}] * 5
    assert len({each.parameters["lr"] for each in answer.assignments}) == 5
    assert len({each.trial_name for each in answer.assignments}) == 5
    assert all(each.trial_name.startswith("exp-") for each in answer.assignments)


def test_exploit_and_explore() -> None:
    play = _play()
    play.ask(5)
    for place, value in enumerate((0.1, 0.2, 0.3, 0.4, 0.5)):
        play.end(place, value)
    old = {each.name: each for each in play.trials}

    new = play.ask(5).assignments

    assert {each.labels[GENERATION] for each in new} == {"1"}
    # By quantiles at 0.4 and 0.6 of 0.1 … 0.5: worse than 0.26 are two, at least 0.34 two.
    best = {play.trials[3].name, play.trials[4].name}
    exploited = [each for each in new if each.parameters == old[each.labels[PARENT]].assignments]
    assert len(exploited) == 2
    assert {each.labels[PARENT] for each in exploited} <= best
    explored = [each for each in new if each not in exploited]
    assert {each.labels[PARENT] for each in explored} == {each.name for each in play.trials[2:5]}
    for each in explored:
        before = old[each.labels[PARENT]].assignments
        factor = float(each.parameters["lr"]) / float(before["lr"])
        assert (
            factor == pytest.approx(0.8)
            or factor == pytest.approx(1.2)
            or each.parameters["lr"] in ("0.1", "1.0")
        )
        assert 1 <= int(each.parameters["units"]) <= 64
        assert each.parameters["units"] != before["units"]


def test_minimize_keeps_the_least() -> None:
    play = _play("minimize")
    play.ask(5)
    for place in range(5):
        play.end(place, float(place))

    parents = {each.labels[PARENT] for each in play.ask(5).assignments}
    assert parents == {each.name for each in play.trials[:3]}


def test_resampling_leaves_the_others_as_they_are() -> None:
    play = _play(resample_probability="0")
    play.ask(5)
    for place in range(5):
        play.end(place, float(place))
    old = {each.name: each.assignments for each in play.trials}
    assert all(each.parameters == old[each.labels[PARENT]] for each in play.ask(5).assignments)

    play = _play(resample_probability="1", truncation_threshold="0")
    play.ask(5)
    for place in range(5):
        play.end(place, float(place))
    old = {each.name: each.assignments for each in play.trials}
    assert all(each.parameters["lr"] != old[each.labels[PARENT]]["lr"] for each in play.ask(5).assignments)


def test_no_room_stays_idle_while_a_generation_ends() -> None:
    play = _play()
    play.ask(5)
    for place in range(4):
        play.end(place, float(place))
    # Four values of five: more of the first generation.
    assert [each.labels for each in play.ask(2).assignments] == [{GENERATION: "0"}] * 2
    play.end(4, 4.0)
    assert {each.labels[GENERATION] for each in play.ask(1).assignments} == {"1"}
    # What ends late is no parent: the next generation has begun.
    play.end(5, 9.0)
    late = play.trials[5].name
    assert all(each.labels[PARENT] != late for each in play.ask(4).assignments)


def test_generation_follows_generation() -> None:
    play = _play()
    play.run(lambda trial: float(trial.assignments["lr"]), parallel=3, most=40)

    counted = Counter(map(_generation, play.trials))
    assert sum(counted.values()) == 40
    assert all(count >= 5 for generation, count in counted.items() if generation < max(counted))
    by_name = {each.name: each for each in play.trials}
    assert all(
        _generation(by_name[each.labels[PARENT]]) == _generation(each) - 1
        for each in play.trials
        if _generation(each)
    )


def test_what_failed_is_tried_again_with_what_it_had() -> None:
    play = _play()
    play.ask(5)
    play.end(2, None)
    failed = play.trials[2]

    again, another = play.ask(2).assignments
    assert again.parameters == failed.assignments
    assert again.labels == {GENERATION: "0", RETRY_OF: failed.name}
    assert RETRY_OF not in another.labels
    assert again.trial_name != failed.name
    assert all(RETRY_OF not in each.labels for each in play.ask(2).assignments)


def test_what_was_suggested_and_is_no_trial_yet_counts() -> None:
    play = _play()
    play.ask(5)
    for place in range(5):
        play.end(place, float(place))
    before = list(play.trials)
    first = play.ask(3).assignments
    # A restart before the three are trials: the next two are the fourth and fifth of their generation.
    play.trials = before
    play.asked = 8
    second = play.ask(2).assignments

    together = [each.labels[PARENT] for each in (*first, *second)]
    play = _play()
    play.ask(5)
    for place in range(5):
        play.end(place, float(place))
    assert [each.labels[PARENT] for each in play.ask(5).assignments] == together


def test_values_next_to_one_another() -> None:
    source = random.Random(1)
    stepped, count, listed, plain, normal, signed = dimensions(
        (
            Parameter("a", "double", FeasibleSpace("0.0001", "0.02", "0.0001")),
            Parameter("b", "int", FeasibleSpace("1", "10", "3")),
            Parameter("c", "categorical", FeasibleSpace(list=("x", "y", "z"))),
            Parameter("d", "double", FeasibleSpace("1", "2")),
            Parameter("e", "double", FeasibleSpace("1", "100", distribution="logNormal")),
            Parameter("f", "double", FeasibleSpace("-1", "1")),
        )
    )

    def around(dimension: Any, text: str) -> set[str]:
        return {neighbour(dimension, text, source) for _ in range(40)}

    # What a factor would not move goes one step.
    assert around(stepped, "0.0001") == {"0.0001", "0.0002"}
    assert around(stepped, "0.01") == {"0.008", "0.012"}
    assert around(stepped, "0.02") == {"0.016", "0.02"}
    assert around(count, "4") == {"1", "7"}
    assert around(listed, "x") == {"y", "z"}
    assert around(plain, "1.5") == {"1.2", "1.8"}
    assert around(plain, "2") == {"1.6", "2.0"}
    assert around(normal, "10") == {"8.0", "12.0"}
    assert around(signed, "0") == {"-0.2", "0.2"}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"n_population": None}, "Required params missing: n_population"),
        (
            {"suggestion_trial_dir": None, "truncation_threshold": None},
            "Required params missing: suggestion_trial_dir, truncation_threshold",
        ),
        ({"n_population": "4"}, r"Param\(n_population\) should be >= 5"),
        ({"n_population": "x"}, r"failed to validate n_population\(x\)"),
        ({"n_population": "1000000"}, r"Param\(n_population\) should be <= 10000"),
        (
            {"truncation_threshold": "1.1"},
            r"Param\(truncation_threshold\) should be between 0 and 1, inclusive",
        ),
        ({"truncation_threshold": "nan"}, r"Param\(truncation_threshold\) should be between 0 and 1"),
        (
            {"resample_probability": "-0.1"},
            r"Param\(resample_probability\) should be null to perturb at 0.8 or 1.2",
        ),
        ({"suggestion_trial_dir": "ckpt"}, "suggestion_trial_dir must be an absolute path"),
        ({"suggestion_trial_dir": "/"}, "suggestion_trial_dir must be an absolute path"),
        ({"eta": "3"}, "unknown setting eta for algorithm pbt"),
    ],
)
def test_refusals(settings: dict[str, str | None], words: str) -> None:
    given = {name: value for name, value in {**_SETTINGS, **settings}.items() if value is not None}
    with pytest.raises(InvalidSettingsError, match=words):
        pbt_settings.check(problem("pbt", real("lr", 0.1, 1.0), settings=given))


class _Training:
    """The toy of upstream's example: a learning rate that fits where the accuracy is, so that no one rate gets far.

    Source: kubeflow/katib 0.19 examples/v1beta1/trial-images/simple-pbt/README.md; without noise.
    """

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.accuracies: dict[str, float] = {}

    def value(self, trial: TrialRecord) -> float:
        accuracy = self.accuracies.get(trial.labels.get(PARENT, ""), 0.0)
        for _ in range(self.steps):
            best = 0.01 * (accuracy if accuracy < 50 else 100 - accuracy) / 50
            best = min(max(best, 0.001), 0.01)
            rate = float(trial.assignments["lr"])
            ratio = max(rate, best) / min(rate, best)
            accuracy += 1 / ratio if ratio < 3 else 3 - ratio if rate > best else 0
            accuracy = min(max(accuracy, 0), 100)
        self.accuracies[trial.name] = accuracy
        return accuracy


def test_better_than_random_with_the_same_budget() -> None:
    reached: dict[str, list[float]] = {"pbt": [], "random": []}
    parameter = Parameter("lr", "double", FeasibleSpace("0.0001", "0.02", "0.0001"))
    settings = {**_SETTINGS, "n_population": "10", "truncation_threshold": "0.3"}
    for uid in range(5):
        # Fifteen generations of ten members with ten steps each, or ten trials with 150 steps each.
        for name, algorithm, steps, trials in (
            ("pbt", PopulationBasedTraining, 10, 150),
            ("random", RandomSearch, 150, 10),
        ):
            asked = problem(
                name,
                parameter,
                direction="maximize",
                uid=str(uid),
                settings=settings if name == "pbt" else {},
            )
            play, training = Play(asked, algorithm), _Training(steps)
            play.run(training.value, parallel=5, most=trials)
            reached[name].append(max(training.accuracies.values()))
    assert statistics.median(reached["pbt"]) > statistics.median(reached["random"])
