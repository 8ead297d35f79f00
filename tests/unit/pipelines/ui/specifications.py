"""Small specifications of both languages, and a run's tasks, as the REST API answers them."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]


def executor(inputs: Json | None = None, outputs: Json | None = None) -> Json:
    found: Json = {"executorLabel": "exec-step"}
    if inputs:
        found["inputDefinitions"] = inputs
    if outputs:
        found["outputDefinitions"] = outputs
    return found


def task(name: str, component: str, **more: Any) -> Json:
    return {"taskInfo": {"name": name}, "componentRef": {"name": component}, **more}


def output(producer: str, key: str = "Output") -> Json:
    return {"taskOutputParameter": {"producerTask": producer, "outputParameterKey": key}}


def artifact(producer: str, key: str) -> Json:
    return {"taskOutputArtifact": {"producerTask": producer, "outputArtifactKey": key}}


IR: Json = {
    "pipelineInfo": {"name": "shapes"},
    "schemaVersion": "2.1.0",
    "sdkVersion": "kfp-2.14.0",
    "deploymentSpec": {
        "executors": {
            "exec-step": {"container": {"image": "python:3.11"}},
            "exec-import": {"importer": {"artifactUri": {"constant": "/data"}, "typeSchema": {}}},
        }
    },
    "components": {
        "comp-load": executor(
            outputs={"artifacts": {"data": {"artifactType": {"schemaTitle": "system.Dataset"}}}}
        ),
        "comp-import": {"executorLabel": "exec-import"},
        "comp-step": executor(),
        "comp-for-loop-1": {
            "dag": {
                "tasks": {
                    "train": task("train", "comp-step"),
                    "check": task(
                        "check",
                        "comp-condition-2",
                        inputs={"parameters": {"pipelinechannel--train-Output": output("train")}},
                        triggerPolicy={
                            "condition": "int(inputs.parameter_values['pipelinechannel--train-Output']) > 2"
                        },
                    ),
                }
            }
        },
        "comp-condition-2": {"dag": {"tasks": {"tell": task("tell", "comp-step")}}},
        "comp-exit-handler-1": {
            "dag": {
                "tasks": {
                    "load": task("load", "comp-load"),
                    "import": task("import", "comp-import"),
                    "for-loop-1": task(
                        "for-loop-1",
                        "comp-for-loop-1",
                        dependentTasks=["load", "import"],
                        inputs={"artifacts": {"data": artifact("load", "data")}},
                        parameterIterator={"itemInput": "item", "items": {"raw": "[1, 2]"}},
                        iteratorPolicy={"parallelismLimit": 1},
                    ),
                }
            }
        },
    },
    "root": {
        "dag": {
            "tasks": {
                "exit-handler-1": task("exit-handler-1", "comp-exit-handler-1"),
                "bye": task(
                    "bye",
                    "comp-step",
                    dependentTasks=["exit-handler-1"],
                    triggerPolicy={"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"},
                    inputs={
                        "parameters": {"status": {"taskFinalStatus": {"producerTask": "exit-handler-1"}}}
                    },
                ),
            }
        }
    },
}

ARGO: Json = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "Workflow",
    "metadata": {"generateName": "demo-"},
    "spec": {
        "entrypoint": "main",
        "onExit": "say",
        "templates": [
            {
                "name": "main",
                "dag": {
                    "tasks": [
                        {"name": "a", "template": "say"},
                        {"name": "b", "template": "say", "depends": "a", "withItems": [1, "x.y"]},
                        {
                            "name": "c",
                            "template": "two",
                            "depends": "b.Succeeded || a.Failed",
                            "when": "1 == 1",
                            "arguments": {
                                "artifacts": [{"name": "in", "from": "{{tasks.a.outputs.artifacts.data}}"}]
                            },
                        },
                        {"name": "main", "template": "main", "depends": "c"},
                    ]
                },
            },
            {
                "name": "two",
                "steps": [
                    [{"name": "s1", "template": "say"}, {"name": "s2", "template": "say"}],
                    [{"name": "s3", "template": "say", "hooks": {"exit": {"template": "say"}}}],
                ],
            },
            {
                "name": "say",
                "container": {"image": "python:3.11"},
                "outputs": {"artifacts": [{"name": "data", "path": "/data"}]},
            },
        ],
    },
}


def ran(task_id: str, name: str, parent: str, state: str = "SUCCEEDED", **more: Any) -> Json:
    """A task of a run."""
    return {
        "task_id": task_id,
        "name": name,
        "display_name": name,
        "parent_task_id": parent,
        "state": state,
        "type": "RUNTIME",
        **more,
    }


def root(state: str = "RUNNING") -> Json:
    return ran("root", "root", "", state, type="ROOT")
