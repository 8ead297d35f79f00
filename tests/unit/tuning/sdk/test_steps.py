"""How the programs of steps that tune read what they are given, and what is refused before."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import pytest

import sampan
from sampan.components.tuning.sdk.launcher import LAUNCHER
from sampan.components.tuning.sdk.plan import TuneError
from sampan.components.tuning.sdk.steps import manifest
from sampan.sdk import search, tuning

_EXAMPLES = Path(str(sampan.__file__)).parent / "cluster/node/environments/examples"


def launcher() -> dict[str, Any]:
    """Its names, without the call that runs it."""
    names: dict[str, Any] = {}
    exec(LAUNCHER.removesuffix("main()\n"), names)
    return names


def launch(experiment: dict[str, Any], choices: dict[str, Any] | None = None) -> Any:
    kind = launcher()["Launch"]
    made = kind.__new__(kind)
    made.experiment, made.choices = experiment, choices or {}
    return made


def experiment(objective: dict[str, Any], observed: dict[str, str], **assigned: str) -> dict[str, Any]:
    types = {"x": "double", "n": "int", "d": "discrete", "c": "categorical"}
    return {
        "spec": {
            "objective": {"objectiveMetricName": "loss", **objective},
            "parameters": [{"name": name, "parameterType": types[name]} for name in assigned],
        },
        "status": {
            "currentOptimalTrial": {
                "bestTrialName": "t",
                "parameterAssignments": [{"name": name, "value": value} for name, value in assigned.items()],
                "observation": {"metrics": [{"name": "loss", **observed}]},
            }
        },
    }


def test_parameters_are_handed_on_as_what_they_are() -> None:
    found = experiment({}, {}, x="1e-3", n="4.0", d="0.5", c="[1, 2]")
    made = launch(found, {"c": {"[1, 2]": [1, 2]}})
    assert made.parameters() == {"x": 0.001, "n": 4, "d": 0.5, "c": [1, 2]}
    assert launch(found).parameters()["c"] == "[1, 2]"


@pytest.mark.parametrize(
    ("objective", "wanted"),
    [
        ({"type": "minimize"}, 1.0),
        ({"type": "maximize"}, 3.0),
        ({"type": "minimize", "metricStrategies": [{"name": "loss", "value": "latest"}]}, 2.0),
    ],
)
def test_the_metric_is_the_value_that_its_strategy_chooses(objective: dict[str, Any], wanted: float) -> None:
    assert launch(experiment(objective, {"min": "1", "latest": "2", "max": "3"})).figures() == {
        "loss": wanted
    }


def test_a_metric_that_is_no_number_is_none() -> None:
    made = launch(experiment({"type": "minimize"}, {"min": "unavailable", "latest": "nan"}))
    assert made.figures() == {}


def test_values_known_later_take_their_places() -> None:
    names = launcher()
    given = [names["read_argument"](each) for each in ("number:3", "text:-a:b", "bool:True", "number:0.5")]
    mark = names["ARGUMENT"]
    assert names["filled"]({"a": [f"{mark}0", f"{mark}1"], "b": f"{mark}2", "c": f"x{mark}3"}, given) == {
        "a": [3, "-a:b"],
        "b": True,
        "c": f"x{mark}3",
    }


def test_what_a_step_cannot_make_is_refused_with_the_argument() -> None:
    space = {"x": search.uniform(0, 1)}
    with pytest.raises(TuneError, match="namespace: "):
        tuning.function(lambda x: x, space, namespace="other")
    with pytest.raises(ValueError, match="where: "):
        tuning.function(lambda x: x, space, where="trainjob")
    with pytest.raises(TuneError, match="not Job"):
        manifest({"kind": "Job", "spec": {}})
    with pytest.raises(TuneError, match="spec: "):
        manifest({"metadata": {"name": "a"}})


def test_katibs_launcher_reads_the_names_of_its_sdk_and_of_its_api() -> None:
    read = runpy.run_path(str(_EXAMPLES / "katib_launcher.py"))["specification"]
    job = {"spec": {"template": {"my_label": None}}}
    api = {
        "maxTrialCount": 3,
        "parameters": [{"name": "learning_rate", "feasibleSpace": {"min": "0"}}],
        "trialTemplate": {"primaryPodLabels": {"a_b": "c"}, "trialSpec": job},
    }
    sdk = {
        "max_trial_count": 3,
        "nas_config": None,
        "parameters": [{"name": "learning_rate", "feasible_space": {"min": "0", "list": None}}],
        "trial_template": {"primary_pod_labels": {"a_b": "c"}, "trial_spec": job},
    }
    assert read(sdk) == read(api) == json.loads(json.dumps(api))
