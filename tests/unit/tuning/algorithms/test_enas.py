"""ENAS: the controller's gradients against differences, what it assigns against upstream's, and that it learns."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from tests.unit.tuning.algorithms.searching import Play, problem

from sampan.components.tuning.api.suggesting import (
    FeasibleSpace,
    InvalidSettingsError,
    NasConfig,
    Operation,
    Parameter,
    Problem,
    TrialRecord,
)
from sampan.components.tuning.engine.algorithms import nas_settings
from sampan.components.tuning.engine.algorithms.autodiff import Value
from sampan.components.tuning.engine.algorithms.darts import Darts
from sampan.components.tuning.engine.algorithms.enas import Enas
from sampan.components.tuning.engine.algorithms.enas_controller import Controller, Rewarded
from sampan.components.tuning.engine.algorithms.nas_settings import Choice, ControllerSettings
from sampan.components.tuning.engine.nas_graph import layers_graph


def _listed(name: str, *values: str) -> Parameter:
    return Parameter(name, "categorical", FeasibleSpace(list=values))


_OPERATIONS = (
    Operation("convolution", (_listed("filter_size", "3", "5"), _listed("num_filter", "8", "16"))),
    Operation("reduction", (Parameter("pool_size", "int", FeasibleSpace("2", "3", "1")),)),
)


def _problem(layers: int = 3, **settings: str) -> Problem:
    nas = NasConfig(layers, (8, 8, 1), (10,), _OPERATIONS)
    return problem("enas", direction="maximize", settings=settings, nas=nas)


def test_operations_with_all_that_can_be_chosen() -> None:
    double = Operation("drop", (Parameter("rate", "double", FeasibleSpace("0.1", "0.3", "0.1")),))

    assert nas_settings.choices((*_OPERATIONS, double)) == [
        Choice("convolution", {"filter_size": "3", "num_filter": "8"}),
        Choice("convolution", {"filter_size": "3", "num_filter": "16"}),
        Choice("convolution", {"filter_size": "5", "num_filter": "8"}),
        Choice("convolution", {"filter_size": "5", "num_filter": "16"}),
        Choice("reduction", {"pool_size": 2}),
        Choice("reduction", {"pool_size": 3}),
        Choice("drop", {"rate": 0.1}),
        Choice("drop", {"rate": 0.2}),
        Choice("drop", {"rate": 0.3}),
    ]


@pytest.mark.parametrize(
    "settings",
    [
        ControllerSettings(hidden_size=3),
        ControllerSettings(hidden_size=3, temperature=None, tanh_const=None, skip_weight=None),
        ControllerSettings(hidden_size=3, skip_target=0.9, skip_weight=3.0, entropy_weight=None),
    ],
)
def test_gradients_are_those_of_differences(settings: ControllerSettings) -> None:
    batch = [Rewarded([[1], [0, 1], [2, 1, 0]], 0.7), Rewarded([[0], [2, 0], [1, 1, 1]], 0.2)]
    controller = Controller(3, 4, settings, seed=1)
    source = np.random.default_rng(2)
    weights = {name: source.normal(0, 0.7, each.shape) for name, each in controller.weights.items()}

    def loss(at: Mapping[str, Any]) -> tuple[float, Mapping[str, Value]]:
        # The baseline moves with each loss: it is held. The entropy is no part of the gradient, and small.
        controller.baseline = 0.4
        parameters = {name: Value(each) for name, each in at.items()}
        found = controller.loss(parameters, batch)
        found.backward()
        return float(found.data[0, 0]), parameters

    _, exact = loss(weights)
    for name, weight in weights.items():
        place = tuple(source.integers(0, size) for size in weight.shape)
        step = 1e-5
        sides = []
        for sign in (1, -1):
            moved = {key: each.copy() for key, each in weights.items()}
            moved[name][place] += sign * step
            sides.append(loss(moved)[0])
        slope = (sides[0] - sides[1]) / (2 * step)
        assert exact[name].grad[place] == pytest.approx(slope, rel=1e-3, abs=1e-5), name


def test_the_probabilities_of_all_architectures_sum_to_one() -> None:
    controller = Controller(2, 3, ControllerSettings(hidden_size=4, entropy_weight=None, skip_weight=None), 5)
    source = np.random.default_rng(1)
    parameters = {name: Value(source.normal(0, 1, each.shape)) for name, each in controller.weights.items()}
    total = 0.0
    for first in range(3):
        for second in range(3):
            for skip in range(2):
                controller.baseline = -1.0
                controller.settings = ControllerSettings(
                    hidden_size=4, entropy_weight=None, skip_weight=None, baseline_decay=1.0
                )
                # With a reward of 0 and a baseline of -1 the loss is minus the logarithm of the probability.
                loss = controller.loss(parameters, [Rewarded([[first], [second, skip]], 0.0)])
                total += float(np.exp(-loss.data[0, 0]))
    assert total == pytest.approx(1.0)


def test_assignments_are_upstreams() -> None:
    play = Play(_problem(), Enas)
    answer = play.ask(4)

    for each in answer.assignments:
        assert set(each.parameters) == {"architecture", "nn_config"}
        assert '"' not in each.parameters["architecture"] + each.parameters["nn_config"]
        architecture = json.loads(each.parameters["architecture"])
        assert [len(layer) for layer in architecture] == [1, 2, 3]
        config = json.loads(each.parameters["nn_config"].replace("'", '"'))
        assert (config["num_layers"], config["input_sizes"], config["output_sizes"]) == (3, [8, 8, 1], [10])
        assert set(config["embedding"]) == {str(layer[0]) for layer in architecture}
        for name, found in config["embedding"].items():
            choice = nas_settings.choices(_OPERATIONS)[int(name)]
            assert found == {"opt_id": int(name), "opt_type": choice.type, "opt_params": choice.parameters}
        assert len(layers_graph(each.parameters["architecture"], each.parameters["nn_config"]).nodes) == 7
    assert len({each.parameters["architecture"] for each in answer.assignments}) > 1


def test_one_layer_as_in_upstreams_example() -> None:
    play = Play(_problem(1, controller_train_steps="3"), Enas)
    play.run(lambda trial: 0.5, parallel=2, most=6)

    assert all(len(json.loads(each.assignments["architecture"])) == 1 for each in play.trials)


def _worth(trial: TrialRecord) -> float:
    """The more layers are a reduction by 2, the better."""
    return statistics.fmean(layer[0] == 4 for layer in json.loads(trial.assignments["architecture"]))


@pytest.mark.parametrize("direction", ["maximize", "minimize"])
def test_it_learns_what_does_well(direction: str) -> None:
    settings = {
        "controller_hidden_size": "8",
        "controller_learning_rate": "0.05",
        "controller_train_steps": "3",
        "controller_baseline_decay": "0.9",
    }
    asked = _problem(2, **settings)
    if direction == "minimize":
        asked = problem("enas", direction="minimize", settings=settings, nas=asked.nas)
    sign = 1 if direction == "maximize" else -1
    play = Play(asked, Enas)
    # Asking afresh replays everything; that it is the same is seen below.
    play.ask_again = False
    play.run(lambda trial: sign * _worth(trial), parallel=4, most=60)

    early, late = map(_worth, play.trials[:20]), map(_worth, play.trials[-20:])
    assert statistics.fmean(late) > statistics.fmean(early) + 0.25


def test_a_controller_that_is_replayed_says_the_same() -> None:
    play = Play(_problem(controller_hidden_size="8", controller_train_steps="3"), Enas)
    play.run(lambda trial: None if trial.name == "exp-3" else _worth(trial), parallel=3, most=12)

    assert len(play.trials) == 12


def test_what_is_no_architecture_is_left_out() -> None:
    strange = [
        "",
        "[[0]]",
        "[[0], [0], [0, 0]]",
        "[[99], [0, 0], [0, 0, 0]]",
        "[[0], [0, 2], [0, 0, 0]]",
        "7",
    ]
    play = Play(_problem(), Enas)
    play.trials = [
        TrialRecord(f"t{place}", {"architecture": each}, "Running") for place, each in enumerate(strange)
    ]
    play.asked = len(strange)
    for place in range(len(strange)):
        play.end(place, 1.0)

    assert (
        play.ask(1).assignments
        == Enas()
        .suggest(memory=type(play.memory)(), problem=play.problem, trials=[], count=1, asked=len(strange) + 1)
        .assignments
    )


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (
            {"controller_hidden_size": "0"},
            r"controller_hidden_size: 0 with int type must be in range \[1, 4096\)",
        ),
        (
            {"controller_hidden_size": "x"},
            "Algorithm Setting controller_hidden_size must be int type: exception",
        ),
        (
            {"controller_temperature": "0"},
            r"controller_temperature: 0.0 with float type must be in range \(0, inf\)",
        ),
        (
            {"controller_learning_rate": "1.5"},
            r"controller_learning_rate: 1.5 with float type must be in",
        ),
        (
            {"controller_baseline_decay": "None"},
            "Algorithm Setting controller_baseline_decay must be float type",
        ),
        ({"controller_skip_target": "1"}, "controller_skip_target"),
        ({"temperature": "1"}, "Unknown Algorithm Setting name: temperature"),
        ({"controller_gamma": "1"}, "Unknown Algorithm Setting name: controller_gamma"),
    ],
)
def test_refused_settings(settings: dict[str, str], words: str) -> None:
    with pytest.raises(InvalidSettingsError, match=words):
        nas_settings.enas(_problem(**settings))


def test_none_leaves_a_part_out() -> None:
    found = nas_settings.controller_settings(
        {"controller_tanh_const": "None", "controller_skip_weight": "None"}
    )

    assert (found.tanh_const, found.skip_weight, found.temperature) == (None, None, 5.0)


@pytest.mark.parametrize(
    ("nas", "words"),
    [
        (None, "Missing InputSizes in GraphConfig"),
        (NasConfig(1, (1,), (), _OPERATIONS), "Missing OutputSizes in GraphConfig"),
        (NasConfig(0, (1,), (1,), _OPERATIONS), "Missing NumLayers in GraphConfig"),
        (NasConfig(1000, (1,), (1,), _OPERATIONS), "numLayers must be from 1 to 200"),
        (NasConfig(1, (1,), (1,), ()), "Missing Operations"),
        (NasConfig(1, (1,), (1,), (Operation(""),)), "Missing operationType in Operation"),
        (NasConfig(1, (1,), (1,), (Operation("a"),)), "Missing ParameterConfigs in Operation"),
        (NasConfig(1, (1,), (1,), (Operation("a", (_listed("", "1"),)),)), "Missing Name in ParameterConfig"),
        (
            NasConfig(1, (1,), (1,), (Operation("a", (Parameter("b", "", FeasibleSpace()),)),)),
            "Missing ParameterType in ParameterConfig",
        ),
        (
            NasConfig(1, (1,), (1,), (Operation("a", (_listed("b"),)),)),
            "Missing List in ParameterConfig.feasibleSpace",
        ),
        (
            NasConfig(1, (1,), (1,), (Operation("a", (Parameter("b", "int", FeasibleSpace()),)),)),
            "Missing Max and Min in ParameterConfig.feasibleSpace",
        ),
        (
            NasConfig(1, (1,), (1,), (Operation("a", (Parameter("b", "double", FeasibleSpace("1", "2")),)),)),
            "Step parameter should be > 0",
        ),
        (
            NasConfig(
                1, (1,), (1,), (Operation("a", (Parameter("b", "int", FeasibleSpace("1", "1e9", "1")),)),)
            ),
            "more than 10000",
        ),
        (
            NasConfig(1, (1,), (1,), (Operation("a", (Parameter("b", "int", FeasibleSpace("x", "1")),)),)),
            "failed to validate ParameterConfig.feasibleSpace",
        ),
    ],
)
def test_refused_graphs(nas: NasConfig | None, words: str) -> None:
    with pytest.raises(InvalidSettingsError, match=words):
        nas_settings.enas(problem("enas", nas=nas))


def test_darts_assigns_space_and_settings() -> None:
    operations = (
        Operation("separable_convolution", (_listed("filter_size", "3", "5"),)),
        Operation("skip_connection", (_listed("filter_size", "3"),)),
        Operation("max_pooling", (_listed("filter_size", "3"),)),
    )
    settings = {"num_epochs": "1", "batch_size": "None"}
    asked = problem("darts", settings=settings, nas=NasConfig(2, (), (), operations))
    nas_settings.darts(asked)

    (found,) = {json.dumps(each.parameters) for each in Play(asked, Darts).ask(2).assignments}
    assert json.loads(found) == {
        "algorithm-settings": (
            "{'num_epochs': '1', 'w_lr': 0.025, 'w_lr_min': 0.001, 'w_momentum': 0.9, 'w_weight_decay': 0.0003, "
            "'w_grad_clip': 5.0, 'alpha_lr': 0.0003, 'alpha_weight_decay': 0.001, 'batch_size': null, "
            "'num_workers': 4, 'init_channels': 16, 'print_step': 50, 'num_nodes': 4, 'stem_multiplier': 3}"
        ),
        "search-space": (
            "['separable_convolution_3x3', 'separable_convolution_5x5', 'skip_connection', 'max_pooling_3x3']"
        ),
        "num-layers": "2",
    }


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"num_epochs": "0"}, "num_epochs should be greater than zero"),
        ({"w_lr": "-0.1"}, "w_lr should be greater than or equal to zero"),
        ({"alpha_weight_decay": "nan"}, "alpha_weight_decay should be greater than or equal to zero"),
        ({"batch_size": "0"}, "batch_size should be greater than or equal to one"),
        ({"num_workers": "-1"}, "num_workers should be greater than or equal to zero"),
        ({"stem_multiplier": "0"}, "stem_multiplier should be greater than or equal to one"),
        ({"num_nodes": "x"}, r"failed to validate num_nodes\(x\)"),
    ],
)
def test_refused_settings_of_darts(settings: dict[str, str], words: str) -> None:
    nas = NasConfig(1, (), (), (Operation("max_pooling", (_listed("filter_size", "3"),)),))
    with pytest.raises(InvalidSettingsError, match=words):
        nas_settings.darts(problem("darts", settings=settings, nas=nas))
