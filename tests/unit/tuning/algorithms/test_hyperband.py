"""Hyperband against the paper's own table, upstream's state and upstream's refusals."""

from __future__ import annotations

import dataclasses
import statistics
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest
from tests.unit.tuning.algorithms.searching import Play, problem, real, whole

from sampan.components.tuning.api.suggesting import (
    Assignment,
    FeasibleSpace,
    InvalidSettingsError,
    Parameter,
    TrialRecord,
)
from sampan.components.tuning.engine.algorithms import hyperband_state
from sampan.components.tuning.engine.algorithms.contract import Memory
from sampan.components.tuning.engine.algorithms.hyperband import BRACKET, PARENT, RUNG, HyperbandSearch
from sampan.components.tuning.engine.algorithms.random_search import RandomSearch
from sampan.components.tuning.engine.checking import check_question


def _play(r_l: str = "9", eta: str = "3", parallel: int = 9, **more: Any) -> Play:
    settings = {"r_l": r_l, "eta": eta, "resource_name": "epochs"}
    asked = problem(
        "hyperband",
        real("x", 0, 1),
        whole("epochs", 1, 9),
        settings=settings,
        parallel_trial_count=parallel,
        **more,
    )
    hyperband_state.check(asked)
    return Play(asked, HyperbandSearch)


def _where(trial: TrialRecord | Assignment) -> tuple[str, str]:
    return trial.labels[BRACKET], trial.labels[RUNG]


def test_brackets_are_the_papers() -> None:
    # Table 1 of the paper for R = 81 and eta = 3: (n_i, r_i). Its sizes are rounded down, upstream's up: 34 for 27.
    at = hyperband_state.Hyperband(3.0, 81.0, "epochs", current_s=4)
    assert [(at.rung_size(i), at.resource(i)) for i in range(5)] == [
        (81, 1),
        (27, 3),
        (9, 9),
        (3, 27),
        (1, 81),
    ]
    at = hyperband_state.Hyperband(3.0, 81.0, "epochs", current_s=1)
    assert [(at.rung_size(i), at.resource(i)) for i in range(2)] == [(8, 27), (3, 81)]


def test_a_whole_experiment() -> None:
    play = _play()
    play.run(lambda trial: float(trial.assignments["x"]), parallel=9, most=1000)

    counted = Counter((*_where(each), each.assignments["epochs"]) for each in play.trials)
    assert counted == {
        ("2", "0", "1"): 9,
        ("2", "1", "3"): 3,
        ("2", "2", "9"): 1,
        ("1", "0", "3"): 5,
        ("1", "1", "9"): 2,
        ("0", "0", "9"): 3,
    }
    assert play.answer.exhausted
    # Who went on were the best, and with what they had.
    by_name = {each.name: each for each in play.trials}
    first = sorted(float(each.assignments["x"]) for each in play.trials if _where(each) == ("2", "0"))
    second = [each for each in play.trials if _where(each) == ("2", "1")]
    assert [float(each.assignments["x"]) for each in second] == first[:3]
    assert all(by_name[each.labels[PARENT]].assignments["x"] == each.assignments["x"] for each in second)


def test_asked_again_after_its_last_trial_it_says_that_it_is_at_its_end() -> None:
    """As it is where the last answer was as long as was asked for, so that nothing told of the end."""
    play = _play("4", "2", 4)
    play.run(lambda trial: float(trial.assignments["x"]), parallel=4, most=1000)
    over = dataclasses.replace(play.problem, settings={**play.problem.settings, **play.answer.settings})
    assert over.settings["current_s"] == "-1"

    check_question(over)
    answer = HyperbandSearch().suggest(Memory(), over, play.trials, 4, len(play.trials) + 4)
    assert not answer.assignments
    assert answer.exhausted


def test_maximize_takes_the_greatest() -> None:
    play = _play(direction="maximize")
    play.run(lambda trial: float(trial.assignments["x"]), parallel=9, most=13)

    first = [float(each.assignments["x"]) for each in play.trials if _where(each) == ("2", "0")]
    (last,) = [each for each in play.trials if _where(each) == ("2", "2")]
    assert float(last.assignments["x"]) == max(first)


def test_state_is_written_as_upstream_writes_it() -> None:
    play = _play()
    assert play.ask(9).settings == {
        "eta": "3.0",
        "s_max": "2",
        "r_l": "9.0",
        "b_l": "27.0",
        "r": "1.0",
        "n": "9",
        "current_s": "2",
        "current_i": "0",
        "resource_name": "epochs",
        "evaluating_trials": "9",
    }
    for place in range(9):
        play.end(place, float(place))
    # Of the next rung two of three; then the third, and the bracket's last rung waits for it.
    assert _changing(play.ask(2).settings) == ("2", "1", "2", "9", "1.0")
    assert _changing(play.ask(2).settings) == ("2", "1", "3", "9", "1.0")
    for place in range(9, 12):
        play.end(place, float(place))
    # With a bracket's last trial the next bracket has begun.
    assert _changing(play.ask(1).settings) == ("1", "0", "0", "5", "3.0")


def _changing(settings: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(settings[name] for name in ("current_s", "current_i", "evaluating_trials", "n", "r"))


def test_a_rung_waits_for_the_one_before_and_says_so() -> None:
    play = _play()
    play.ask(9)
    assert [play.answer.waiting_for, len(play.trials)] == ["", 9]
    for place in range(8):
        play.end(place, float(place))

    answer = play.ask(3)
    assert answer.assignments == ()
    assert answer.waiting_for == (
        "rung 0 of bracket 2 to end before its best go on: 8 of 9 trials have ended"
    )
    play.end(8, 0.5)
    assert [each.labels[PARENT] for each in play.ask(3).assignments] == ["exp-0", "exp-8", "exp-1"]


def test_asked_one_by_one_and_all_at_once_is_the_same_search() -> None:
    singly, at_once = _play(), _play()
    for _ in range(9):
        singly.ask(1)
    at_once.ask(50)

    assert singly.trials == at_once.trials
    assert singly.problem.settings == at_once.problem.settings
    assert at_once.answer.waiting_for


def test_a_crash_between_answer_and_trials_changes_nothing() -> None:
    play = _play()
    first = play.ask(9).assignments
    # Of nine that were suggested only four are trials as yet; the next question comes early.
    for place in range(4):
        play.end(place, float(place))
    early = HyperbandSearch().suggest(Memory(), play.problem, play.trials[:4], 2, 11)

    assert early.assignments == ()
    assert "have ended" in early.waiting_for
    assert len(first) == 9


def test_what_failed_comes_last_and_a_rung_of_failures_is_left() -> None:
    play = _play()
    play.run(
        lambda trial: None if _where(trial)[0] == "2" else float(trial.assignments["x"]),
        parallel=9,
        most=1000,
    )
    counted = Counter(_where(each) for each in play.trials)
    assert counted == {("2", "0"): 9, ("1", "0"): 5, ("1", "1"): 2, ("0", "0"): 3}

    play = _play()
    play.run(
        lambda trial: float(trial.assignments["x"]) if trial.name == "exp-4" else None, parallel=9, most=11
    )
    assert [_where(each) for each in play.trials[9:]] == [("2", "1"), ("1", "0")]


def test_trials_that_were_taken_back_are_made_again() -> None:
    play = _play()
    play.ask(9)
    # parallelTrialCount was made smaller: the newest are gone, and with them their suggestions.
    del play.trials[5:]
    play.asked = 5

    assert len(play.ask(9).assignments) == 4


def test_without_labels_the_order_tells() -> None:
    play = _play()
    play.ask(9)
    for place in range(9):
        play.end(place, float(9 - place))
    bare = [TrialRecord(each.name, each.assignments, each.condition, each.metrics) for each in play.trials]

    answer = HyperbandSearch().suggest(Memory(), play.problem, bare, 3, 12)
    assert [each.labels[PARENT] for each in answer.assignments] == ["exp-8", "exp-7", "exp-6"]


def test_upstreams_own_case() -> None:
    parameters = (
        whole("param-1", 1, 5),
        Parameter("param-2", "categorical", FeasibleSpace(list=("cat1", "cat2", "cat3"))),
        Parameter("param-3", "discrete", FeasibleSpace(list=("3", "2", "6"))),
        real("param-4", 1, 5),
    )
    asked = problem(
        "hyperband",
        *parameters,
        direction="maximize",
        settings={"r_l": "10", "resource_name": "param-1"},
        parallel_trial_count=9,
    )
    hyperband_state.check(asked)
    others = [
        TrialRecord("test-asfjh", {"param-1": "2"}, ""),
        TrialRecord("test-234hs", {"param-1": "3"}, ""),
    ]

    answer = HyperbandSearch().suggest(Memory(), asked, others, 2, 2)
    assert len(answer.assignments) == 2
    assert {each.parameters["param-1"] for each in answer.assignments} == {"1"}


@pytest.mark.parametrize(
    ("settings", "parallel", "words"),
    [
        ({}, 9, "r_l and resource_name must be set."),
        ({"r_l": "9"}, 9, "r_l and resource_name must be set."),
        ({"r_l": "x", "resource_name": "epochs"}, 9, "r_l must be a positive float number."),
        ({"r_l": "-1", "resource_name": "epochs"}, 9, "r_l must be a positive float number."),
        ({"r_l": "inf", "resource_name": "epochs"}, 9, "r_l must be a positive float number."),
        ({"r_l": "0.5", "resource_name": "epochs"}, 9, "r_l must be at least 1"),
        ({"r_l": "9", "resource_name": "epochs"}, 8, "parallelTrialCount must be not less than 9."),
        ({"r_l": "9", "resource_name": "y"}, 9, "value of resource_name setting must be in parameters."),
        (
            {"r_l": "9", "resource_name": "epochs", "eta": "1"},
            9,
            "eta must be a number greater than 1, not 1",
        ),
        (
            {"r_l": "9", "resource_name": "epochs", "gamma": "1"},
            9,
            "unknown setting gamma for algorithm hyperband",
        ),
        ({"r_l": "1e300", "resource_name": "epochs"}, 2**1000, "brackets of more than"),
        ({"r_l": "9", "resource_name": "epochs", "current_s": "x"}, 9, "current_s must be a whole number"),
        ({"r_l": "9", "resource_name": "epochs", "random_state": "-1"}, 9, "random_state"),
    ],
)
def test_refusals(settings: dict[str, str], parallel: int, words: str) -> None:
    asked = problem(
        "hyperband",
        real("x", 0, 1),
        whole("epochs", 1, 9),
        settings=settings,
        parallel_trial_count=parallel,
    )
    with pytest.raises(InvalidSettingsError, match=words):
        hyperband_state.check(asked)


def test_better_than_random_with_the_same_budget() -> None:
    """A loss that falls with the epochs towards what x is worth: hyperband finds the better x for as many epochs."""

    def loss(x: float, epochs: float) -> float:
        return abs(x - 0.37) + 0.5 / epochs

    regrets: dict[str, list[float]] = {"hyperband": [], "random": []}
    for uid in range(15):
        play = _play(r_l="27", parallel=27, uid=str(uid))
        play.run(
            lambda trial: loss(float(trial.assignments["x"]), float(trial.assignments["epochs"])),
            parallel=27,
            most=1000,
        )
        budget = sum(int(each.assignments["epochs"]) for each in play.trials)
        regrets["hyperband"].append(min(abs(float(each.assignments["x"]) - 0.37) for each in _fullest(play)))
        # Every trial of random search has all that a trial may have.
        others = Play(problem("random", real("x", 0, 1), uid=str(uid)), RandomSearch)
        others.run(lambda trial: 0.0, parallel=9, most=budget // 27)
        regrets["random"].append(min(abs(float(each.assignments["x"]) - 0.37) for each in others.trials))
    assert statistics.median(regrets["hyperband"]) < statistics.median(regrets["random"])


def _fullest(play: Play) -> list[TrialRecord]:
    return [each for each in play.trials if each.assignments["epochs"] == "27"]
