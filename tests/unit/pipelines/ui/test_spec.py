"""What pages say of a specification: its inputs, its tasks, and what differs between two."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sampan.components.pipelines.api.errors import InvalidArgumentError
from sampan.components.pipelines.api.ir_model import ParameterType
from sampan.components.pipelines.ui.spec import reading
from sampan.components.pipelines.ui.spec.changes import changes, marks, summary
from sampan.components.pipelines.ui.spec.steps import steps

PROGRAM = "import kfp\n\ndef train(rate: float):\n    print(rate)\n"


def ir(image: str = "python:3.11", program: str = PROGRAM, **inputs: Any) -> dict[str, Any]:
    """A loop over a group with one step in it, after a step that gives the items."""
    parameters = {
        "rate": {"parameterType": "NUMBER_DOUBLE", "defaultValue": 0.5, "description": "How fast"},
        "name": {"parameterType": "STRING"},
        **inputs,
    }
    command = ["sh", "-c", "python3 -m pip install kfp", program]
    return {
        "pipelineInfo": {"name": "p"},
        "schemaVersion": "2.1.0",
        "sdkVersion": "kfp-2.14.0",
        "deploymentSpec": {
            "executors": {
                "exec-train": {
                    "container": {
                        "image": image,
                        "command": command,
                        "args": ["--rate", "{{$.inputs.parameters['rate']}}"],
                        "resources": {"cpuLimit": 2.0, "resourceCpuLimit": "2", "resourceMemoryLimit": "4Gi"},
                    }
                }
            }
        },
        "components": {
            "comp-train": {
                "executorLabel": "exec-train",
                "inputDefinitions": {"parameters": {"rate": {"parameterType": "NUMBER_DOUBLE"}}},
                "outputDefinitions": {"parameters": {"Output": {"parameterType": "LIST"}}},
            },
            "comp-loop": {
                "inputDefinitions": {"parameters": {"item": {"parameterType": "NUMBER_DOUBLE"}}},
                "dag": {
                    "tasks": {
                        "inner": {
                            "taskInfo": {"name": "inner"},
                            "componentRef": {"name": "comp-train"},
                            "inputs": {"parameters": {"rate": {"componentInputParameter": "item"}}},
                            "cachingOptions": {"enableCache": True},
                            "retryPolicy": {"maxRetryCount": 2, "backoffDuration": "30s"},
                        }
                    }
                },
            },
        },
        "root": {
            "inputDefinitions": {"parameters": parameters},
            "dag": {
                "tasks": {
                    "first": {
                        "taskInfo": {"name": "first"},
                        "componentRef": {"name": "comp-train"},
                        "inputs": {"parameters": {"rate": {"componentInputParameter": "rate"}}},
                    },
                    "loop": {
                        "taskInfo": {"name": "loop"},
                        "componentRef": {"name": "comp-loop"},
                        "dependentTasks": ["first"],
                        "inputs": {
                            "parameters": {
                                "items": {
                                    "taskOutputParameter": {
                                        "producerTask": "first",
                                        "outputParameterKey": "Output",
                                    }
                                }
                            }
                        },
                        "parameterIterator": {"itemInput": "item", "items": {"inputParameter": "items"}},
                    },
                }
            },
        },
    }


WORKFLOW: dict[str, Any] = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "Workflow",
    "metadata": {
        "generateName": "old-",
        "annotations": {
            "pipelines.kubeflow.org/kfp_sdk_version": "1.8.22",
            "pipelines.kubeflow.org/pipeline_spec": json.dumps(
                {"description": "An old one", "inputs": [{"name": "n", "type": "Integer", "default": "3"}]}
            ),
        },
    },
    "spec": {
        "entrypoint": "main",
        "arguments": {"parameters": [{"name": "n", "value": "3"}, {"name": "who"}]},
        "templates": [
            {
                "name": "main",
                "dag": {
                    "tasks": [
                        {"name": "a", "template": "say"},
                        {"name": "b", "template": "inner", "dependencies": ["a"], "withItems": [1, 2]},
                    ]
                },
            },
            {
                "name": "inner",
                "steps": [
                    [
                        {
                            "name": "once",
                            "template": "say",
                            "arguments": {"parameters": [{"name": "word", "value": "x"}]},
                        }
                    ],
                    [{"name": "again", "template": "main"}],
                ],
            },
            {
                "name": "say",
                "inputs": {"parameters": [{"name": "word", "default": "hi"}]},
                "container": {"image": "alpine", "command": ["echo"], "args": ["hi"]},
            },
        ],
    },
}


def test_inputs_of_the_ir_have_types_defaults_and_descriptions() -> None:
    spec = reading.read(ir())
    rate, name = spec.inputs
    assert (rate.name, rate.parameter.type, rate.parameter.default) == (
        "rate",
        ParameterType.NUMBER_DOUBLE,
        0.5,
    )
    assert rate.description == "How fast"
    assert not name.parameter.has_default
    assert not name.parameter.optional
    assert (spec.name, spec.compiler) == ("p", "kfp-2.14.0")


def test_inputs_of_a_workflow_are_texts_with_what_kfp_1_says_of_them() -> None:
    spec = reading.read(WORKFLOW)
    n, who = spec.inputs
    assert n.is_text
    assert n.parameter.type is ParameterType.NUMBER_INTEGER
    assert (n.parameter.has_default, who.parameter.has_default) == (True, False)
    assert (spec.name, spec.description, spec.compiler) == ("old", "An old one", "kfp-1.8.22")
    found = steps(spec)
    assert list(found) == ["a", "b", "b/once", "b/again", "b/again/a", "b/again/b"]
    assert (found["a"].image, found["a"].component) == ("alpine", "say")
    assert (found["b"].after, found["b/again"].after) == (("a",), ("once",))
    assert dict(found["b"].facts)["For each of"] == "[1, 2]"
    assert [(slot.name, slot.origin) for slot in found["b/once"].inputs] == [("word", '"x"')]


@pytest.mark.parametrize(
    "source", [ir(), WORKFLOW, {"pipeline_spec": ir(), "platform_spec": {"platforms": {}}}]
)
def test_yaml_says_what_was_read(source: dict[str, Any]) -> None:
    text = reading.as_yaml(source)
    again = reading.from_text(text)
    assert reading.as_yaml(again).split("---")[0] == text.split("---")[0]
    assert "&id" not in text


def test_a_text_that_is_no_pipeline_is_refused_with_the_place() -> None:
    with pytest.raises(InvalidArgumentError):
        reading.from_text("a: [1")
    with pytest.raises(InvalidArgumentError):
        reading.from_text("name: x")
    with pytest.raises(InvalidArgumentError):
        reading.read({"nothing": 1})


def test_tasks_are_known_by_their_path() -> None:
    found = steps(reading.read(ir()))
    assert list(found) == ["first", "loop", "loop/inner"]
    inner = found["loop/inner"]
    assert inner.code == PROGRAM.strip("\n")
    facts = dict(inner.facts)
    assert facts["CPU limit"] == "2"
    assert facts["Memory limit"] == "4Gi"
    assert facts["Caching"] == "on"
    assert facts["Retries"].startswith("up to 2, after 30 s")
    assert [slot.origin for slot in inner.inputs] == ["input item"]
    assert found["loop"].kind == "Loop"
    assert found["loop"].after == ("first",)


def test_the_same_has_no_changes() -> None:
    assert changes(reading.read(ir()), reading.read(ir())) == []


def test_what_changed_is_said_by_input_and_task() -> None:
    old = ir()
    new = ir("python:3.12", PROGRAM.replace("print", "return"), rate={"parameterType": "STRING"})
    new["root"]["dag"]["tasks"]["extra"] = {
        "taskInfo": {"name": "extra"},
        "componentRef": {"name": "comp-train"},
    }
    del new["root"]["inputDefinitions"]["parameters"]["name"]
    found = changes(reading.read(old), reading.read(new))
    said = {(each.what, each.name): each for each in found}
    assert marks(found) == {"first": "changed", "loop/inner": "changed", "extra": "added"}
    texts = [each.text for each in said["Input", "rate"].differences]
    assert "Type: NUMBER_DOUBLE → STRING" in texts
    assert said["Input", "name"].how == "removed"
    first = {each.text: each for each in said["Task", "first"].differences}
    assert "Image: python:3.11 → python:3.12" in first
    assert "return" in first["Code"].after
    assert "1 task added, 2 tasks changed" in summary(found)
