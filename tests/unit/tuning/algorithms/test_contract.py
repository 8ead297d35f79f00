"""The contract that every algorithm of the registry passes (`engine/algorithms/contract.py`)."""

from __future__ import annotations

import dataclasses
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.tuning.algorithms.experiments import PROBLEMS, Experiment, made, problem

from sampan.components.tuning.api.suggesting import FeasibleSpace, InvalidSettingsError, Parameter, Problem
from sampan.components.tuning.engine.algorithms.contract import Memory
from sampan.components.tuning.engine.algorithms.registry import ALGORITHMS

_NOT_HERE = {"optuna-gp", "GPSampler"}
"""They need torch."""
_NAMES = sorted({each.made_by: name for name, each in ALGORITHMS.items() if name not in _NOT_HERE}.values())
"""One for each algorithm: some have several names."""
_RUN = [pytest.param(name, marks=[pytest.mark.slow] * (name == "bayesianoptimization")) for name in _NAMES]
"""Those that fit models take seconds to run."""
_NO_REPEAT = {"grid"}


def _run(
    name: str, *, rounds: int = 0, forgets: bool = False, asks: int = 3, found: Problem | None = None
) -> Experiment:
    experiment = Experiment(found or PROBLEMS[name](), made(name), forgets=forgets)
    # Models take their time.
    for _ in range(rounds or (4 if name == "bayesianoptimization" else 6)):
        experiment.ask(asks)
        experiment.end(2)
    return experiment


def test_every_algorithm_is_under_this_contract() -> None:
    assert set(PROBLEMS) == set(ALGORITHMS) - _NOT_HERE


@pytest.mark.parametrize("name", sorted(PROBLEMS))
def test_its_problem_passes_its_check(name: str) -> None:
    ALGORITHMS[name].check(PROBLEMS[name]())


@pytest.mark.parametrize("name", _RUN)
def test_answers_follow_from_what_is_asked(name: str) -> None:
    """Also without the memory of what was asked before, as in a worker that was started anew."""
    kept, forgetful = _run(name), _run(name, forgets=True)
    assert kept.answers == forgetful.answers


@pytest.mark.parametrize("name", _RUN)
def test_asking_again_gives_the_same(name: str) -> None:
    experiment = _run(name, rounds=5)
    algorithm, memory = made(name), Memory()
    first = algorithm.suggest(memory, experiment.problem, experiment.trials, 2, experiment.asked + 2)
    assert algorithm.suggest(memory, experiment.problem, experiment.trials, 2, experiment.asked + 2) == first


@pytest.mark.parametrize("name", _NAMES)
def test_values_are_of_the_space(name: str) -> None:
    experiment = _run(name)
    assert experiment.trials
    for trial in experiment.trials:
        _assert_of_the_space(experiment.problem.parameters, dict(trial.assignments))


@pytest.mark.parametrize("name", _RUN)
def test_the_seed_decides(name: str) -> None:
    def first(**changes: object) -> list[object]:
        found = dataclasses.replace(PROBLEMS[name](), **changes)  # type: ignore[arg-type]
        return _run(name, rounds=2, found=found).answers

    given = PROBLEMS[name]().settings
    if name not in ("enas", "darts", "pbt", "hyperband"):
        one, two = ({**given, "random_state": seed} for seed in ("1", "2"))
        assert first(settings=one, uid="a") == first(settings=one, uid="b") != first(settings=two, uid="a")
    if name != "darts":
        assert first(uid="a") != first(uid="b")


@pytest.mark.parametrize("name", _NAMES)
def test_one_and_fifty_can_be_asked_for(name: str) -> None:
    found = PROBLEMS[name]()
    if name == "bayesianoptimization":
        found = dataclasses.replace(found, settings={"n_initial_points": "50"})
    experiment = Experiment(found, made(name))
    assert len(experiment.ask(1)) <= 1
    experiment.ask(50)
    names = [each.name for each in experiment.trials]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("name", sorted(_NO_REPEAT))
def test_nothing_repeats(name: str) -> None:
    small = (
        Parameter("a", "int", FeasibleSpace("1", "5", "2")),
        Parameter("b", "double", FeasibleSpace("0.1", "0.5", "0.1")),
        Parameter("c", "categorical", FeasibleSpace(list=("x", "y", "x"))),
    )
    experiment = Experiment(
        dataclasses.replace(problem(name, small), max_trial_count=None), made(name), forgets=True
    )
    for _ in range(11):
        experiment.ask(3)
        experiment.end(2)
    tried = {tuple(sorted(each.assignments.items())) for each in experiment.trials}
    assert len(tried) == len(experiment.trials) == 3 * 5 * 2
    assert experiment.answers[-1].exhausted
    assert not experiment.answers[8].exhausted


@pytest.mark.parametrize("name", _RUN)
def test_what_somebody_else_tried_does_no_harm(name: str) -> None:
    """Trials with other parameters, other values, labels lost, metrics that are no numbers."""
    experiment = _run(name, rounds=4)
    strange = [
        dataclasses.replace(each, name=f"strange-{place}", **change)  # type: ignore[arg-type]
        for place, each in enumerate(experiment.trials[:6])
        for change in (
            {"assignments": {}},
            {"assignments": dict.fromkeys(each.assignments, "-1e9"), "labels": {}},
            {"metrics": {}},
            {"labels": {"sampan.dev/generation": "-1", "x": "y"}},
        )
    ]
    answer = made(name).suggest(
        Memory(), experiment.problem, [*experiment.trials, *strange], 2, experiment.asked + 2
    )
    for each in answer.assignments:
        _assert_of_the_space(experiment.problem.parameters, dict(each.parameters))


@pytest.mark.parametrize("name", [each for each in _NAMES if each != "darts"])
def test_a_setting_it_does_not_have_is_refused_by_name(name: str) -> None:
    found = PROBLEMS[name]()
    with pytest.raises(InvalidSettingsError, match="n_elephants"):
        ALGORITHMS[name].check(dataclasses.replace(found, settings={**found.settings, "n_elephants": "3"}))


def test_settings_of_the_users_own_go_to_the_program_of_darts() -> None:
    found = PROBLEMS["darts"]()
    found = dataclasses.replace(found, settings={**found.settings, "n_elephants": "3"})
    ALGORITHMS["darts"].check(found)
    (answer,) = made("darts").suggest(Memory(), found, (), 1, 1).assignments
    assert "'n_elephants': '3'" in answer.parameters["algorithm-settings"]


_KNOWN = (
    "random_state",
    "gamma",
    "prior_weight",
    "n_EI_candidates",
    "n_startup_trials",
    "sigma",
    "restart_strategy",
)
_MORE = ("base_estimator", "n_initial_points", "acq_func", "acq_optimizer")


@pytest.mark.parametrize("name", _NAMES)
@settings(max_examples=60, deadline=None)
@given(
    setting=st.sampled_from(_KNOWN + _MORE),
    text=st.text(max_size=8) | st.integers().map(str) | st.floats().map(str),
)
def test_hostile_settings_are_refused_in_words(name: str, setting: str, text: str) -> None:
    found = PROBLEMS[name]()
    words = f"{setting} "
    try:
        ALGORITHMS[name].check(dataclasses.replace(found, settings={**found.settings, setting: text}))
    except InvalidSettingsError as error:
        words = f"{error} "
    assert setting in words or "acq_func" in words


_NUMBERS = st.decimals("-100", "100", places=2)


@st.composite
def _parameter(draw: st.DrawFn, name: str) -> Parameter:
    kind = draw(st.sampled_from(["double", "int", "categorical", "discrete"]))
    if kind in ("categorical", "discrete"):
        values = (
            st.integers(0, 9).map(str) if kind == "discrete" else st.sampled_from(["a", "b c", "ü", "", "1"])
        )
        return Parameter(
            name, kind, FeasibleSpace(list=tuple(draw(st.lists(values, min_size=1, max_size=4))))
        )
    distribution = draw(st.sampled_from(["uniform", "logUniform", "normal", "logNormal"]))
    low, width = draw(_NUMBERS), draw(st.decimals("0", "50", places=2))
    step = draw(st.none() | st.decimals("0.01", "9", places=2))
    if kind == "int":
        low, width = Decimal(int(low)), Decimal(int(width))
        step = None if step is None else max(Decimal(int(step)), Decimal(1))
    if distribution.startswith("log"):
        low = abs(low) + 1
    text = "" if step is None else str(step)
    return Parameter(name, kind, FeasibleSpace(str(low), str(low + width), text, distribution=distribution))


@st.composite
def _space(draw: st.DrawFn) -> tuple[Parameter, ...]:
    names = [f"p{place}" for place in range(draw(st.integers(2, 4)))]
    return tuple(draw(_parameter(name)) for name in names)


@pytest.mark.parametrize("name", ["random", "sobol", "tpe", "multivariate-tpe", "cmaes", "grid"])
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(space=_space())
def test_any_space_is_respected(name: str, space: tuple[Parameter, ...]) -> None:
    found = dataclasses.replace(problem(name, space), max_trial_count=None)
    try:
        ALGORITHMS[name].check(found)
    except InvalidSettingsError:
        assert name in ("cmaes", "grid")
        return
    experiment = _run(name, rounds=5, asks=4, found=found)
    for trial in experiment.trials:
        _assert_of_the_space(space, dict(trial.assignments))


@pytest.mark.slow
@pytest.mark.parametrize("estimator", ["GP", "GBRT"])
@settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck))
@given(space=_space())
def test_any_space_is_respected_by_models(estimator: str, space: tuple[Parameter, ...]) -> None:
    found = problem(
        "bayesianoptimization",
        space,
        {"base_estimator": estimator, "n_initial_points": "3", "acq_func": "EI"},
    )
    for trial in _run("bayesianoptimization", rounds=3, found=found).trials:
        _assert_of_the_space(space, dict(trial.assignments))


def _assert_of_the_space(parameters: tuple[Parameter, ...], values: dict[str, str]) -> None:
    assert list(values) == [each.name for each in parameters] or not parameters
    for parameter in parameters:
        text, space = values[parameter.name], parameter.space
        if parameter.type in ("categorical", "discrete"):
            assert text in space.list
            continue
        if parameter.type == "int":
            assert text == str(int(text))
        else:
            assert text == repr(float(text))
        assert float(space.min) <= float(text) <= float(space.max)
        if space.step:
            steps = (Decimal(text) - Decimal(space.min)) / Decimal(space.step)
            assert steps == int(steps), f"{text} is not in steps of {space.step} from {space.min}"
