"""The pruners decide what Optuna's decide, value by value; medianstop makes upstream's rule."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from sampan.components.tuning.api.observing import MetricLog
from sampan.components.tuning.api.suggesting import (
    Curve,
    InvalidSettingsError,
    Objective,
    Problem,
    Rule,
    TrialRecord,
)
from sampan.components.tuning.engine.early_stopping import halving, signed_rank
from sampan.components.tuning.engine.early_stopping.service import EarlyStopping, knows, pruner, why_stop


def _problem(algorithm: str, direction: str = "minimize", **settings: str) -> Problem:
    return Problem(
        "uid",
        "study",
        "ns",
        Objective(direction, "loss"),
        early_stopping=algorithm,
        early_stopping_settings=settings,
    )


_CASES: Sequence[tuple[str, Mapping[str, Any]]] = [
    ("MedianPruner", {}),
    ("MedianPruner", {"n_startup_trials": 2, "n_warmup_steps": 3, "interval_steps": 2, "n_min_trials": 2}),
    ("PercentilePruner", {"percentile": 25.0}),
    ("PercentilePruner", {"percentile": 80.0, "n_startup_trials": 1}),
    ("SuccessiveHalvingPruner", {"min_resource": 1, "reduction_factor": 2}),
    ("SuccessiveHalvingPruner", {"min_resource": 2, "reduction_factor": 3, "min_early_stopping_rate": 1}),
    ("SuccessiveHalvingPruner", {"min_resource": 1, "reduction_factor": 2, "bootstrap_count": 2}),
    ("HyperbandPruner", {"min_resource": 1, "max_resource": 12, "reduction_factor": 3}),
    ("ThresholdPruner", {"lower": -0.5, "upper": 0.8}),
    ("ThresholdPruner", {"upper": 0.3, "n_warmup_steps": 4, "interval_steps": 3}),
    ("WilcoxonPruner", {"p_threshold": 0.3}),
    ("PatientPruner", {"patience": 2, "min_delta": 0.05}),
]


@pytest.mark.filterwarnings("ignore:.* is experimental", "ignore:All-NaN")
@pytest.mark.parametrize("direction", ["minimize", "maximize"])
@pytest.mark.parametrize(("name", "settings"), _CASES)
def test_decides_as_optuna_does(name: str, settings: Mapping[str, Any], direction: str) -> None:
    optuna = pytest.importorskip("optuna")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    more = {"wrapped_pruner": None} if name == "PatientPruner" else {}
    theirs = getattr(optuna.pruners, name)(**settings, **more)
    study = optuna.create_study(study_name="study", direction=direction, pruner=theirs)
    problem = _problem(name, direction, **{key: str(value) for key, value in settings.items()})
    ours = pruner(problem)
    assert ours is not None
    # Optuna's best trial is known by a value of its own, which a curve with gaps does not say.
    gaps = 0.0 if name == "WilcoxonPruner" else 0.03
    draw, ended, stopped = random.Random(f"{name}{settings}"), list[Curve](), 0
    for number in range(25):
        trial, values = study.ask(), list[float]()
        level = draw.gauss(0, 0.3)
        for step in range(12):
            values.append(math.nan if draw.random() < gaps else level + draw.gauss(0, 0.3))
            trial.report(values[-1], step)
            should = trial.should_prune()
            # Optuna draws Hyperband's brackets by the number of the trial.
            assert bool(ours.decide(problem, Curve(str(number), values), ended)) == should, (number, step)
            if should:
                break
        numbers = [each for each in values if not math.isnan(each)]
        stopped += should
        if should:
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
        else:
            study.tell(trial, sum(numbers) / len(numbers))
        ended.append(Curve(str(number), values, "EarlyStopped" if should else "Succeeded"))
    assert stopped


def test_values_that_came_at_once_are_decided_one_by_one() -> None:
    problem = _problem("threshold", upper="1")
    decider = pruner(problem)
    assert decider is not None
    curve = Curve("t", [0.5, 2.0, 0.5])

    assert why_stop(decider, problem, curve, []) == "loss is 2 at step 1, greater than 1"
    assert why_stop(decider, problem, curve, [], decided=2) == ""


def test_halving_says_why() -> None:
    problem = _problem("asha", min_resource="1", reduction_factor="2")
    decider = pruner(problem)
    assert decider is not None
    others = [Curve("a", [3.0, 1.0]), Curve("b", [3.0, 2.0])]

    assert decider.decide(problem, Curve("c", [3.0, 1.0]), others) == ""
    assert decider.decide(problem, Curve("c", [3.0, 1.5]), others) == (
        "at step 1, rung 0, its loss 1.5 is not among the best 1 of 3 trials"
    )


def test_hyperband_shares_trials_among_brackets_as_the_paper_does() -> None:
    # R = 81, eta = 3: table 1 of the paper has 81, 34 (27 by its older form), 15 (9), 8 (6) and 5 configurations.
    assert halving.Hyperband(1, 81, 3).budgets(81) == [81, 34, 15, 8, 5]


def test_what_a_resource_of_auto_means() -> None:
    problem = _problem("successivehalving")
    decider = pruner(problem)
    assert decider is not None
    finished = Curve("first", [0.0] * 301, "Succeeded")

    # A hundredth of its last step, 300, is 3: before that nothing is decided.
    assert decider.decide(problem, Curve("t", [9.0] * 3), [finished]) == ""
    assert "rung 0" in decider.decide(problem, Curve("t", [9.0] * 4), [finished])
    assert decider.decide(problem, Curve("t", [9.0] * 4), []) == ""


def test_patience_hands_on_to_what_it_wraps() -> None:
    problem = _problem("patient", patience="1", wrapped_pruner="threshold", upper="5")
    decider = pruner(problem)
    assert decider is not None

    assert decider.decide(problem, Curve("t", [1.0, 2.0, 3.0]), []) == ""
    assert decider.decide(problem, Curve("t", [1.0, 2.0, 6.0]), []) == "loss is 6 at step 2, greater than 5"
    assert decider.decide(problem, Curve("t", [9.0, 8.0, 7.0]), []) == ""


@pytest.mark.parametrize("count", [3, 12, 40, 80])
def test_signed_ranks(count: int) -> None:
    stats = pytest.importorskip("scipy.stats")
    draw = random.Random(count)
    differences = [draw.gauss(0.1, 1) for _ in range(count)]

    expected = stats.wilcoxon(
        differences, alternative="greater", zero_method="zsplit", correction=False
    ).pvalue
    assert signed_rank.p_value(differences) == pytest.approx(expected)


def test_signed_ranks_with_ties_and_zeros() -> None:
    # By hand: sizes 0, 1, 1, 2 have ranks 1, 2.5, 2.5, 4. Positive is 4 + 2.5; of the eight choices of signs those
    # with as much are +++ (9), 4 and either 2.5 (6.5 twice).
    assert signed_rank.p_value([0.0, 1.0, -1.0, 2.0]) == pytest.approx(3 / 8)
    assert signed_rank.p_value([0.0, 0.0]) == 1.0


@pytest.mark.parametrize(
    ("algorithm", "settings", "words"),
    [
        ("unknown", {}, "unknown algorithm name unknown"),
        ("medianstop", {"unknown_conf": "100"}, "unknown setting unknown_conf for algorithm medianstop"),
        ("medianstop", {"min_trials_required": "0"}, r"min_trials_required must be greater than zero \(>0\)"),
        ("medianstop", {"start_step": "0"}, r"start_step must be greater or equal than one \(>=1\)"),
        ("medianstop", {"start_step": "x"}, r"failed to validate start_step\(x\)"),
        ("median", {"percentile": "3"}, "unknown setting percentile for algorithm median"),
        ("percentile", {"percentile": "101"}, "percentile must be a number from 0 to 100, not 101"),
        ("percentile", {"percentile": "nan"}, "percentile must be a number from 0 to 100, not nan"),
        ("asha", {"reduction_factor": "1"}, "reduction_factor must be a whole number of at least 2, not 1"),
        ("asha", {"bootstrap_count": "1"}, "bootstrap_count needs min_resource"),
        (
            "hyperband",
            {"min_resource": "4", "max_resource": "3"},
            "max_resource must be at least min_resource",
        ),
        (
            "successivehalving",
            {"min_early_stopping_rate": "1000000000000"},
            "min_early_stopping_rate must be a whole number of at most 64",
        ),
        ("hyperband", {"max_resource": "9" * 400}, "max_resource must be a whole number of at most"),
        ("threshold", {}, "lower or upper must be set"),
        ("threshold", {"lower": "2", "upper": "1"}, "lower must be at most upper"),
        ("patient", {"wrapped_pruner": "patient"}, "wrapped_pruner must be one of"),
        ("patient", {"wrapped_pruner": "median", "upper": "1"}, "unknown setting upper"),
        ("wilcoxon", {"p_threshold": "2"}, "p_threshold must be a number from 0 to 1"),
    ],
)
def test_refusals_name_the_setting(algorithm: str, settings: dict[str, str], words: str) -> None:
    with pytest.raises(InvalidSettingsError, match=words):
        asyncio.run(EarlyStopping().validate(_problem(algorithm, **settings)))


@pytest.mark.parametrize(
    "name", ["MedianPruner", "median", "successive-halving", "SuccessiveHalvingPruner", "ASHA"]
)
def test_names_are_optunas(name: str) -> None:
    assert knows(name)
    asyncio.run(EarlyStopping().validate(_problem(name)))


def test_medianstop_compares_with_the_mean_of_averages() -> None:
    logs = {
        "a": ["1", "3", "100"],
        "b": ["unavailable", "4", "6"],
        "c": ["unavailable"],
        "running": ["7"],
    }
    asked: list[str] = []

    async def read(namespace: str, trial: str, metric: str) -> list[MetricLog]:
        assert (namespace, metric) == ("ns", "loss")
        asked.append(trial)
        return [MetricLog("", metric, value) for value in logs[trial]]

    def record(name: str) -> TrialRecord:
        return TrialRecord(name, {}, "Running" if name == "running" else "Succeeded")

    async def ask(service: EarlyStopping, **settings: str) -> Sequence[Rule]:
        problem = _problem("medianstop", **settings)
        return await service.rules(problem, [record(each) for each in logs], read)

    async def check() -> None:
        service = EarlyStopping()
        # (1 + 3) / 2 and (4 + 6) / 2; what is no number is no step.
        rules = await ask(service, min_trials_required="2", start_step="2")
        assert rules == (Rule("loss", "3.5", "greater", 2),)
        assert await ask(service, start_step="2") == ()
        assert asked == ["a", "b", "c"]

    asyncio.run(check())


def test_pruners_make_no_rules() -> None:
    async def read(*_: str) -> list[MetricLog]:
        raise AssertionError("no log is needed")

    trials = [TrialRecord("a", {}, "Succeeded")]
    assert asyncio.run(EarlyStopping().rules(_problem("median"), trials, read)) == ()
