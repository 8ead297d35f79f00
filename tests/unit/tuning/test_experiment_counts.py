"""`engine.experiment`: trials counted as they change, and how many more there are to be."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from sampan.components.tuning.api.suggesting import Objective, Problem
from sampan.components.tuning.engine.experiment.budget import budget_of
from sampan.components.tuning.engine.experiment.status import Circumstances, conditions_after, status_of
from sampan.components.tuning.engine.experiment.tally import STATES, Account, Tally, account_of

_LESS = Objective("minimize", "loss")
_MORE = Objective("maximize", "loss")


def trial(
    name: str, *true: str, value: Any = None, minute: int = 0, deleting: bool = False
) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": name, "creationTimestamp": f"2026-01-01T00:{minute:02}:00Z"}
    if deleting:
        metadata["deletionTimestamp"] = "2026-01-01T01:00:00Z"
    status: dict[str, Any] = {"conditions": [{"type": each, "status": "True"} for each in ("Created", *true)]}
    if value is not None:
        metric = {"name": "loss", "min": str(value), "max": str(value), "latest": str(value)}
        status["observation"] = {"metrics": [metric]}
    objective = {"type": "minimize", "objectiveMetricName": "loss"}
    return {"metadata": metadata, "spec": {"objective": objective}, "status": status}


def tally_of(*trials: dict[str, Any]) -> Tally:
    tally = Tally()
    for each in trials:
        tally.put(each)
    return tally


@pytest.mark.parametrize(
    ("conditions", "state"),
    [
        ((), "Pending"),
        (("Running",), "Running"),
        (("Running", "Succeeded"), "Succeeded"),
        (("Succeeded", "Killed"), "Killed"),
        (("EarlyStopped",), "EarlyStopped"),
        (("MetricsUnavailable",), "MetricsUnavailable"),
        (("Failed", "Succeeded"), "Failed"),
    ],
)
def test_the_first_state_that_holds_counts(conditions: tuple[str, ...], state: str) -> None:
    assert account_of(trial("a", *conditions), 0).state == state


@pytest.mark.parametrize(
    ("strategy", "minimum", "latest", "value"),
    [
        ("min", "0.1", "0.3", 0.1),
        ("min", "unavailable", "0.3", 0.3),
        ("latest", "0.1", "0.3", 0.3),
        ("latest", "0.1", "unavailable", None),
        ("latest", "0.1", "inf", None),
        ("min", "many", "few", None),
    ],
)
def test_a_value_is_a_number(strategy: str, minimum: str, latest: str, value: float | None) -> None:
    found = trial("a", "Succeeded", value="0")
    found["spec"]["objective"]["metricStrategies"] = [{"name": "loss", "value": strategy}]
    found["status"]["observation"]["metrics"][0] |= {"min": minimum, "latest": latest}
    assert account_of(found, 0).value == value


def test_trials_that_failed_are_never_the_best() -> None:
    tally = tally_of(trial("a", "Failed", value=0.1), trial("b", "Succeeded", value=0.5))
    best = tally.best(_LESS)
    assert best is not None
    assert best.record.name == "b"


def test_of_texts_the_last_is_the_best() -> None:
    def found(name: str, text: str, minute: int, condition: str = "Succeeded") -> dict[str, Any]:
        made = trial(name, condition, value="unavailable", minute=minute)
        made["status"]["observation"]["metrics"][0]["latest"] = text
        return made

    tally = tally_of(
        found("b", "Genotype(b)", 2),
        found("a", "Genotype(a)", 1),
        found("c", "Genotype(c)", 3, "Failed"),
        found("d", "unavailable", 4),
    )
    best = tally.best(_MORE)
    assert best is not None
    assert best.record.name == "b"
    tally.remove("b")
    best = tally.best(_MORE)
    assert best is not None
    assert best.record.name == "a"
    # A number counts before any text.
    tally.put(trial("e", "Succeeded", value=0.1))
    best = tally.best(_MORE)
    assert best is not None
    assert best.record.name == "e"


def test_counting_on_is_as_counting_anew() -> None:
    chance = random.Random(7)
    tally, held = Tally(), {}
    for _ in range(2000):
        name = f"t{chance.randrange(40)}"
        if chance.random() < 0.2:
            tally.remove(name)
            held.pop(name, None)
        else:
            value = chance.choice([None, *range(8)])
            held[name] = trial(
                name,
                *chance.choice([(), ("Running",), ("Succeeded",), ("Failed",), ("EarlyStopped",)]),
                value=value,
                minute=int(name[1:]) // 3,
                deleting=chance.random() < 0.1,
            )
            tally.put(held[name])
        if chance.random() < 0.3:
            anew = tally_of(*held.values())
            for objective in (_LESS, _MORE):
                assert _told([tally.best(objective)]) == _told([anew.best(objective)])
            assert tally.records() == anew.records()
            assert {state: tally.names(state) for state in STATES} == {
                state: anew.names(state) for state in STATES
            }
            assert (len(tally), tally.active, tally.completed) == (len(anew), anew.active, anew.completed)
            assert sorted(tally.awaiting_metrics) == sorted(anew.awaiting_metrics)
            assert _told(tally.staying()) == _told(anew.staying())


def _told(accounts: Sequence[Account | None]) -> list[Account | None]:
    """Without the numbers by which a tally tells apart what came in one second."""
    return [each and replace(each, order=("", each.record.name)) for each in accounts]


def test_it_asks_for_as_many_as_may_run_and_no_more_than_the_maximum() -> None:
    assert budget_of(3, 12, Tally(), []).requests == 3
    assert budget_of(3, None, Tally(), []).requests == 3
    assert budget_of(3, 2, Tally(), []).requests == 2
    ended = [trial(f"e{number}", "Succeeded", value=1) for number in range(10)]
    assert budget_of(3, 12, tally_of(*ended), []).requests == 12
    assert budget_of(3, 12, tally_of(*ended, trial("a"), trial("b", "Running")), []).requests is None


def test_assignments_become_trials_as_there_is_room() -> None:
    tally = tally_of(trial("a", "Running"))
    budget = budget_of(3, 12, tally, ["b", "c", "d"])
    assert (list(budget.create), budget.requests) == (["b", "c"], 3)
    assert budget_of(1, 12, tally, ["b"]).requests == 1


def test_none_is_asked_for_while_stopped_ones_have_no_metrics() -> None:
    tally = tally_of(trial("a", "EarlyStopped"), trial("b", "Running"))
    assert budget_of(2, 12, tally, []).requests == 2
    assert budget_of(2, 12, tally_of(trial("a", "EarlyStopped", value=1)), []).requests == 3


def test_the_newest_active_ones_are_surplus() -> None:
    trials = [trial(name, "Running", minute=minute) for minute, name in enumerate("abcd")]
    trials += [trial("e", "Succeeded", minute=9), trial("f", "Running", minute=8, deleting=True)]
    budget = budget_of(2, 12, tally_of(*trials), [])
    assert [each.record.name for each in budget.surplus] == ["d", "c"]
    assert budget.requests == 3


@pytest.mark.parametrize("most", [2, 9])
def test_what_an_experiment_comes_to_is_told_without_lists_of_trials(
    most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    tally = tally_of(trial("a", "Succeeded", value=1), trial("b", "Failed"), trial("c", "Running"))
    around = Circumstances(Problem("uid", "study", "ns", _LESS, max_trial_count=most))
    status = status_of({}, tally, around, "2026-01-01T00:00:00Z")

    monkeypatch.setattr(tally, "names", None)
    conditions, ends = conditions_after({}, tally, around, "2026-01-01T00:00:00Z")

    assert conditions == status["conditions"]
    assert ends == ("completionTime" in status) == (most == 2)


def test_whoever_follows_hears_of_what_has_changed_and_gone() -> None:
    tally = tally_of(trial("a", "Running"), trial("b", "Running"))
    changes = tally.follow()
    assert changes.names == {"a", "b"}

    changes.names.clear()
    tally.put(trial("a", "Running"))
    assert changes.names == set()
    tally.put(trial("a", "Succeeded", value=1))
    tally.remove("b")
    assert changes.names == {"a", "b"}


def test_trials_that_somebody_deleted_are_asked_for_again() -> None:
    ended = tally_of(trial("a", "Succeeded", value=1))
    # Two more had been suggested, which nobody holds any more.
    assert budget_of(2, 12, ended, [], suggested=3).requests == 5
    # One that is held is made anew.
    budget = budget_of(2, 12, ended, ["b"], suggested=2)
    assert (list(budget.create), budget.requests) == (["b"], 3)
