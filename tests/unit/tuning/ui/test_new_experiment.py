"""The form for a new experiment: what it makes, and that a clone loses nothing."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest

from sampan.components.tuning.api.defaults import with_defaults
from sampan.components.tuning.ui import first_experiment, template_text
from sampan.components.tuning.ui.new_experiment import building, program, reading
from sampan.components.tuning.ui.new_experiment.page import beginning
from sampan.components.tuning.ui.new_experiment.wanted import (
    CONFIG_MAP,
    SCRIPT,
    YAML,
    Chosen,
    Collected,
    Program,
    Range,
    Target,
    Template,
    Wanted,
)
from sampan.kube import meta

RANGES = (
    Range("lr", "double", "1e-5", "0.1", distribution="logUniform"),
    Range("layers", "int", "1", "8", "2"),
    Range("batch", "discrete", values=("32", "64")),
    Range("optimizer", "categorical", values=("sgd", "a, b")),
)
JOB = """apiVersion: kubeflow.org/v1
kind: PyTorchJob
spec:
  pytorchReplicaSpecs:
    Master:
      replicas: 1
      template:
        spec:
          containers:
            - name: pytorch
              image: some/image
              command: [python, train.py, "--lr=${trialParameters.rate}"]
"""
CONTAINER = "name: collector\nimage: mine:1\nargs:\n- --fast\n"
NETWORK = """graphConfig:
  numLayers: 4
  inputSizes: [32, 32, 3]
  outputSizes: [10]
operations:
- operationType: convolution
  parameters:
  - name: filter_size
    parameterType: categorical
    feasibleSpace:
      list: ['3', '5']
"""


def _wanted(**changed: Any) -> Wanted:
    start = Wanted(
        name="search",
        namespace="default",
        target=Target("loss", "minimize", 0.0, ("accuracy",), {"accuracy": "max"}),
        ranges=RANGES,
        algorithm=Chosen("tpe", {"random_state": "7", "of_ours": "x"}),
        stopping=Chosen("medianstop", {"start_step": "5"}),
        template=Template(Program(script="print('loss=1')\n")),
    )
    return replace(start, **changed)


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"most_trials": None, "most_failed": 0, "parallel": 1, "resume": "FromVolume", "stopping": Chosen()},
        {"collected": Collected("File", "/logs/m.json", "JSON")},
        {"collected": Collected("TensorFlowEvent", "/logs")},
        {"collected": Collected("PrometheusMetric", "/m", port=9090)},
        {"collected": Collected("StdOut", filters=("(a)=(b)",))},
        {"collected": Collected("Push")},
        {
            "collected": Collected(
                "Custom", "/out", filters=("(a)=(b)",), container=CONTAINER, place="Directory"
            )
        },
        {"collected": Collected("Custom", container=CONTAINER)},
        {"target": Target("loss", others={"latency": "minimize"}, bounds={"size": "<= 5e6"})},
        {"labels": {"team": "a"}, "annotations": {"sampan.dev/trials": "in-process", "why": '{"a": 1}'}},
        {"ranges": (), "network": NETWORK, "algorithm": Chosen("enas", {"random_state": "1"})},
        {
            "ranges": (),
            "network": NETWORK,
            "algorithm": Chosen("darts", {"num_epochs": "3"}),
            "target": Target("Best-Genotype", "maximize"),
        },
        {
            "template": Template(
                Program(script="x", arguments='--lr "${trialParameters.lr}"', cpu="2", gpu="1")
            )
        },
        {
            "template": Template(
                Program(YAML, text=JOB),
                {"rate": "lr", "name": "${trialSpec.Name}"},
                {"rate": "How fast"},
                "pytorch",
                True,
                {"role": "worker"},
                "status.done",
                "status.failed",
            )
        },
        {"template": Template(Program(CONFIG_MAP, config_map="kubeflow/templates/a.yaml"), {"rate": "lr"})},
    ],
)
def test_what_the_form_makes_it_reads_back(changed: dict[str, Any]) -> None:
    made = building.experiment(_wanted(**changed))
    read = reading.wanted(made)
    assert read is not None
    assert building.experiment(read) == made
    # With what the server fills in, too.
    stored = with_defaults(made)
    stored["metadata"] |= {"uid": "u", "creationTimestamp": "2026-01-01T00:00:00Z", "resourceVersion": "1"}
    again = reading.wanted(stored)
    assert again is not None
    assert with_defaults(building.experiment(again)) == with_defaults(made)


def _with(path: tuple[str, ...], value: Any) -> dict[str, Any]:
    made = copy.deepcopy(building.experiment(_wanted()))
    place = made
    for each in path[:-1]:
        place = place.setdefault(each, {})
    place[path[-1]] = value
    return made


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("spec", "nasConfig"), {"graphConfig": {"numLayers": 8}}),
        (
            ("spec", "metricsCollectorSpec"),
            {
                "collector": {"kind": "Custom", "customCollector": {"name": "c", "image": "x"}},
                "source": {"httpGet": {"port": 80}},
            },
        ),
        (("spec", "ofTomorrow"), 1),
        (("spec", "objective", "ofTomorrow"), "x"),
        (("spec", "trialTemplate", "ofTomorrow"), {"a": 1}),
        (
            ("spec", "parameters"),
            [{"name": "a", "parameterType": "int", "feasibleSpace": {"min": "1", "list": ["2"]}}],
        ),
        (("spec", "parameters"), "nonsense"),
        (("spec", "trialTemplate"), None),
        (("spec", "objective"), None),
    ],
)
def test_what_the_form_has_no_field_for_is_left_to_the_yaml(path: tuple[str, ...], value: Any) -> None:
    assert reading.wanted(_with(path, value)) is None


def test_a_script_is_a_job_that_gets_each_parameter() -> None:
    made = program.job(Program(script="print(1)", memory="1Gi"), ["lr", "layers"], "c")
    (container,) = made["spec"]["template"]["spec"]["containers"]
    assert container["command"] == [
        "python",
        "-c",
        "print(1)",
        "--lr=${trialParameters.lr}",
        "--layers=${trialParameters.layers}",
    ]
    assert container["resources"]["limits"] == {"memory": "1Gi"}
    changed = copy.deepcopy(made)
    changed["spec"]["backoffLimit"] = 3
    assert program.read(changed, ["lr", "layers"], "c") is None
    assert program.read({"spec": {"template": {"spec": {"containers": []}}}}, [], "c") is None


def test_arguments_are_as_in_a_shell_both_ways() -> None:
    for text in ("--a 'b c' \"${trialParameters.lr}\"", "--lr=${trialParameters.lr}", "'it'\"'\"'s'"):
        made = program.job(Program(script="x", arguments=text), [], "c")
        read = program.read(made, ["other"], "c")
        assert read is not None
        assert program.job(read, ["other"], "c") == made
    assert program.arguments_problem("'open")
    assert not program.arguments_problem("--a b")


def test_places_of_a_template() -> None:
    assert template_text.places("${trialParameters.a} ${trialParameters.b-c} ${trialParameters.a} ${x}") == [
        "a",
        "b-c",
    ]
    assert template_text.problem("- a") != ""
    assert template_text.problem("a: 1") != ""
    assert template_text.problem("a: [") != ""
    assert template_text.problem(JOB) == ""
    assert template_text.problem(template_text.TO_BEGIN) == ""


def test_the_form_begins_with_something_that_runs() -> None:
    made = building.experiment(replace(beginning({}), namespace="default"))
    (container,) = made["spec"]["trialTemplate"]["trialSpec"]["spec"]["template"]["spec"]["containers"]
    assert "loss=" in container["command"][2]
    assert container["command"][3:] == ["--lr=${trialParameters.lr}", "--layers=${trialParameters.layers}"]
    kept = beginning({"template": "kubeflow/a/b.yaml"}).template.program
    assert (kept.source, kept.config_map) == (CONFIG_MAP, "kubeflow/a/b.yaml")
    assert beginning({}).template.program.source == SCRIPT


def test_the_first_experiment_can_be_cloned_in_the_form() -> None:
    assert reading.wanted(first_experiment.experiment("first", "default")) is not None


def test_one_that_was_stopped_is_cloned_in_the_form_too() -> None:
    stopped = first_experiment.experiment("first", "default")
    stopped["metadata"]["annotations"] = {"sampan.dev/stop": "true"}
    found = reading.wanted(stopped)
    assert found is not None
    assert not meta.annotations(building.experiment(found))
