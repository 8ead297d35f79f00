"""Loading, checking and binding: what a mistake in a document or a parameter is answered with."""

from __future__ import annotations

import copy
import json
import os
from pathlib import Path

import pytest
import yaml

from sampan.components.pipelines.api import ir
from sampan.components.pipelines.api.errors import InvalidArgumentError

DOCUMENT = {
    "pipelineInfo": {"name": "p"},
    "schemaVersion": "2.1.0",
    "components": {
        "comp-train": {
            "executorLabel": "exec-train",
            "inputDefinitions": {"parameters": {"n": {"parameterType": "NUMBER_INTEGER"}}},
            "outputDefinitions": {"parameters": {"loss": {"parameterType": "NUMBER_DOUBLE"}}},
        }
    },
    "deploymentSpec": {"executors": {"exec-train": {"container": {"image": "python:3.11"}}}},
    "root": {
        "dag": {
            "tasks": {
                "train": {
                    "componentRef": {"name": "comp-train"},
                    "inputs": {"parameters": {"n": {"componentInputParameter": "n"}}},
                }
            }
        },
        "inputDefinitions": {
            "parameters": {
                "n": {"parameterType": "NUMBER_INTEGER", "defaultValue": 3.0, "isOptional": True},
                "name": {"parameterType": "STRING"},
                "mode": {"parameterType": "STRING", "isOptional": True, "literals": ["fast", "slow"]},
                "maybe": {"parameterType": "LIST", "isOptional": True},
            }
        },
    },
}
PLATFORM = {"platforms": {"kubernetes": {"deploymentSpec": {"executors": {"exec-train": {}}}}}}


def changed(path: str, value: object) -> dict:
    document = copy.deepcopy(DOCUMENT)
    *parents, last = path.split("/")
    place = document
    for part in parents:
        place = place.setdefault(part, {})
    place[last] = value
    return document


@pytest.mark.parametrize(
    "source",
    [
        json.dumps(DOCUMENT),
        yaml.safe_dump(DOCUMENT),
        yaml.safe_dump_all([DOCUMENT, PLATFORM]).encode(),
        yaml.safe_dump_all([PLATFORM, DOCUMENT]),
        {"pipeline_spec": DOCUMENT, "platform_spec": PLATFORM},
        DOCUMENT,
    ],
)
def test_every_form_of_a_document_means_the_same(source):
    document = ir.load(source)
    ir.validate(document)
    assert document.pipeline_spec == DOCUMENT
    assert document.pipeline.root.input_parameters["n"].default == 3
    assert ir.load(document.to_json()).pipeline == document.pipeline


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("schemaVersion", "1.0", "schemaVersion: expected 2.1.0"),
        ("pipelineInfo/name", "", "pipelineInfo.name: missing"),
        (
            "root/dag/tasks/train/componentRef/name",
            "comp-x",
            'root.dag.tasks.train.componentRef.name: no component "comp-x" in components',
        ),
        ("root/dag/tasks/train/dependentTasks", ["x"], 'train.dependentTasks: no task "x" in this DAG'),
        ("components/comp-train/executorLabel", "exec-x", 'no executor "exec-x"'),
        ("deploymentSpec/executors/exec-train", {"resolver": {}}, "only container and importer"),
        ("deploymentSpec/executors/exec-train", {"container": {}}, "container.image: missing"),
        ("root/dag/tasks/train/inputs", {}, 'required input "n" of comp-train is not given'),
        (
            "root/dag/tasks/train/inputs/parameters/n",
            {"taskOutputParameter": {"producerTask": "train", "outputParameterKey": "loss"}},
            "these wait for each other: train → train",
        ),
        (
            "root/dag/tasks/train/inputs/parameters/n",
            {"componentInputParameter": "y"},
            'no input parameter "y" in this DAG',
        ),
        (
            "root/dag/outputs/parameters/o",
            {"valueFromParameter": {"producerSubtask": "train", "outputParameterKey": "x"}},
            'task "train" has no output "x"',
        ),
        (
            "components/comp-train",
            {"dag": {"tasks": {"again": {"componentRef": {"name": "comp-train"}}}}},
            "contain each other: comp-train → comp-train",
        ),
    ],
)
def test_a_broken_reference_is_named_with_its_place(path, value, message):
    with pytest.raises(InvalidArgumentError) as caught:
        ir.validate(ir.load(changed(path, value)))
    assert message in caught.value.message


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("", "is empty"),
        ("[1]", "must hold a mapping"),
        ('{"a":', "not valid JSON: line 1, column 6"),
        ("a: [", "not valid YAML: line 2, column 1"),
        (b"\xff\xfe", "not UTF-8"),
        ("kind: Workflow\napiVersion: argoproj.io/v1alpha1", "holds a Workflow"),
        ("a: 1\n---\nb: 1\n---\nc: 1", "3 YAML documents"),
        ("root: {dag: {tasks: {t: {componentReff: {}}}}}", "root.dag.tasks[t]"),
        ("root: {dag: {tasks: {t: {componentRef: {name: 3}}}}}", "componentRef.name"),
        ("deploymentSpec: {executors: {e: {container: {imagee: x}}}}", 'no field named "imagee"'),
        ("a: &a [1]\nb: &b [*a,*a]\n" + "root: " + "[" * 200 + "]" * 200, "nested deeper"),
    ],
)
def test_a_file_that_is_no_pipeline_is_refused_with_the_reason(source, message):
    with pytest.raises(InvalidArgumentError) as caught:
        ir.load(source)
    assert message in caught.value.message
    assert "Traceback" not in caught.value.message


def test_a_small_file_that_stands_for_billions_of_values_is_refused():
    lines = ["a0: &a0 [x]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    with pytest.raises(InvalidArgumentError, match="more than 2,000,000 values"):
        ir.load("\n".join(lines))


def test_dates_in_yaml_stay_text():
    text = yaml.safe_dump(changed("pipelineInfo/description", "DATE")).replace("DATE", "2026-01-31")
    assert ir.load(text).pipeline.description == "2026-01-31"


@pytest.mark.parametrize(
    ("given", "bound"),
    [
        ({"name": "x"}, {"n": 3, "name": "x", "mode": None, "maybe": None}),
        ({"name": "x", "n": 4.0}, {"n": 4, "name": "x", "mode": None, "maybe": None}),
        ({"name": "x", "mode": "fast", "maybe": []}, {"n": 3, "name": "x", "mode": "fast", "maybe": []}),
    ],
)
def test_parameters_are_bound_to_values_or_defaults(given, bound):
    assert ir.bind_parameters(ir.load(DOCUMENT), given) == bound


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, 'parameter "name" (STRING) has no value and no default'),
        ({"name": None}, 'parameter "name" (STRING) is null'),
        ({"name": "x", "n": "3"}, "parameter \"n\": expected NUMBER_INTEGER, got STRING '3'"),
        ({"name": "x", "n": 1.5}, "expected NUMBER_INTEGER, got NUMBER_DOUBLE '1.5'"),
        ({"name": "x", "n": True}, "got BOOLEAN"),
        ({"name": "x", "mode": "other"}, "not one of the allowed values: fast, slow"),
        ({"nam": "x"}, 'unknown parameter "nam" of the pipeline; did you mean "name"?'),
        ({"name": "x", "maybe": [float("nan")]}, "NaN"),
    ],
)
def test_a_wrong_parameter_is_named(given, message):
    with pytest.raises(InvalidArgumentError) as caught:
        ir.bind_parameters(ir.load(DOCUMENT), given)
    assert message in caught.value.message


@pytest.mark.parametrize(
    ("name", "text", "value"), [("n", "7", 7), ("name", "7", "7"), ("maybe", "[1, 2.0]", [1, 2])]
)
def test_a_command_lines_text_becomes_the_declared_type(name, text, value):
    assert ir.parse_parameter(ir.load(DOCUMENT), name, text) == value


def test_a_command_lines_text_of_the_wrong_type_is_refused():
    with pytest.raises(InvalidArgumentError, match="expected NUMBER_INTEGER, got 'many'"):
        ir.parse_parameter(ir.load(DOCUMENT), "n", "many")


@pytest.mark.skipif("SAMPAN_KFP_SAMPLES" not in os.environ, reason="SAMPAN_KFP_SAMPLES names no folder")
def test_every_sample_of_upstream_is_valid():
    files = sorted(Path(os.environ["SAMPAN_KFP_SAMPLES"]).rglob("*.yaml"))
    assert files
    for file in files:
        document = ir.load(file.read_bytes())
        ir.validate(document)
