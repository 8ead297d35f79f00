"""`controller.tallies`: the trials of each experiment, counted from the first question on."""

from __future__ import annotations

import random
from typing import Any

from sampan.components.tuning.api.suggesting import TrialRecord
from sampan.components.tuning.controller.tallies import Tallies
from sampan.components.tuning.engine.experiment.tally import STATES, Tally
from sampan.kube.meta import Object


class _Trials:
    """As the cache: tells its handlers of changes."""

    def __init__(self) -> None:
        self.held: dict[str, Object] = {}
        self.handlers: list[Any] = []

    def add_handler(self, handler: Any) -> None:
        self.handlers.append(handler)

    def change(self, name: str, new: Object | None) -> None:
        old = self.held.pop(name, None)
        if new is not None:
            self.held[name] = new
        for each in self.handlers:
            each(old, new)


def _trial(name: str, condition: str, owner: str) -> Object:
    reference = {"kind": "Experiment", "uid": owner, "name": owner, "controller": True}
    return {
        "metadata": {
            "name": name,
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "ownerReferences": [reference],
        },
        "spec": {"objective": {"type": "minimize", "objectiveMetricName": "loss"}},
        "status": {"conditions": [{"type": condition, "status": "True"}]},
    }


def test_counts_are_those_of_the_trials_whenever_they_are_asked_for() -> None:
    chance, trials = random.Random(3), _Trials()
    tallies: Any = Tallies(trials)  # type: ignore[arg-type]
    for _ in range(1500):
        name = f"t{chance.randrange(12)}"
        if chance.random() < 0.4:
            trials.change(name, None)
        else:
            condition = chance.choice(["Running", "Succeeded", "Failed"])
            trials.change(name, _trial(name, condition, chance.choice(["one", "other"])))
        if chance.random() < 0.1:
            owner = chance.choice(["one", "other"])
            expected = Tally()
            for each in trials.held.values():
                if each["metadata"]["ownerReferences"][0]["uid"] == owner:
                    expected.put(each)
            found = tallies.of({"metadata": {"uid": owner}})
            assert _by_name(found) == _by_name(expected)
            assert [found.count(state) for state in STATES] == [expected.count(state) for state in STATES]


def _by_name(tally: Tally) -> list[TrialRecord]:
    return sorted(tally.records(), key=lambda each: each.name)


def test_trials_of_one_second_are_in_the_order_in_which_they_came() -> None:
    tally, names = Tally(), ["d", "b", "a", "c"]
    for name in names:
        tally.put(_trial(name, "Running", "one"))
    assert [each.name for each in tally.records()] == names
    # What becomes of them changes that no more.
    for name in reversed(names):
        tally.put(_trial(name, "Succeeded", "one"))
    assert [each.name for each in tally.records()] == tally.names("Succeeded") == names
    older = _trial("e", "Running", "one")
    older["metadata"]["creationTimestamp"] = "2025-12-31T23:59:59Z"
    tally.put(older)
    assert [each.name for each in tally.records()] == ["e", *names]
    tally.remove("d")
    tally.put(_trial("d", "Running", "one"))
    assert [each.name for each in tally.records()] == ["e", "b", "a", "c", "d"]


def test_numbers_decide_whenever_trials_come_to_be_known() -> None:
    """As after a start of the server, or with the clock set back; those of older versions have none, and come first."""
    trials = [_trial(f"t{place}", "Running", "one") for place in range(12)]
    for place, trial in enumerate(trials):
        trial["metadata"]["annotations"] = {"sampan.dev/trial-number": str(place)}
        trial["metadata"]["creationTimestamp"] = f"2026-01-01T00:00:{59 - place // 4}Z"
    old = [_trial(name, "Running", "one") for name in ("z", "a")]
    old[1]["metadata"]["annotations"] = {"sampan.dev/trial-number": "-1"}
    chance = random.Random(5)
    for _ in range(20):
        tally, mixed = Tally(), trials.copy()
        chance.shuffle(mixed)
        for each in (*mixed[:6], *old, *mixed[6:]):
            tally.put(each)
        assert [each.name for each in tally.records()] == ["z", "a", *(f"t{place}" for place in range(12))]
        assert tally.next_number == 12


def test_what_was_asked_about_once_is_counted_as_it_changes() -> None:
    trials = _Trials()
    tallies: Any = Tallies(trials)  # type: ignore[arg-type]
    trials.change("a", _trial("a", "Running", "one"))
    found = tallies.of({"metadata": {"uid": "one"}})
    trials.change("a", _trial("a", "Succeeded", "one"))
    trials.change("b", _trial("b", "Running", "one"))
    assert [each.condition for each in found.records()] == ["Succeeded", "Running"]
