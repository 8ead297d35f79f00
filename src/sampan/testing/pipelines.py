"""Builds the IR of small pipelines, as the KFP compiler writes it: no SDK needed in a test or a benchmark.

spec = pipeline("name", {"a": task("echo", n=1), "b": task("echo", n=output("a", "Output"))}, echo)
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

KFP_VERSION = "2.17.0"
IR = dict[str, Any]

_INSTALL = """
if ! [ -x "$(command -v pip)" ]; then
    python3 -m ensurepip || python3 -m ensurepip --user || apt-get install python3-pip
fi

PIP_DISABLE_PIP_VERSION_CHECK=1 {pip} && "$0" "$@"
"""
_EXECUTE = (
    'program_path=$(mktemp -d)\n\nprintf "%s" "$0" > "$program_path/ephemeral_component.py"\n'
    "_KFP_RUNTIME=true python3 -m kfp.dsl.executor_main                         "
    '--component_module_path                         "$program_path/ephemeral_component.py"'
    '                         "$@"\n'
)
_IMPORTS = "\nimport kfp\nfrom kfp import dsl\nfrom kfp.dsl import *\nfrom typing import *\n\n"


@dataclass(frozen=True)
class Component:
    """A component with one executor. Parameter types are KFP's (`NUMBER_INTEGER`), artifacts' are schema titles."""

    name: str
    container: IR
    inputs: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)
    artifact_inputs: Mapping[str, str] = field(default_factory=dict)
    artifact_outputs: Mapping[str, str] = field(default_factory=dict)

    def spec(self) -> IR:
        def interface(parameters: Mapping[str, str], artifacts: Mapping[str, str]) -> IR:
            shown: IR = {}
            if parameters:
                shown["parameters"] = {key: {"parameterType": kind} for key, kind in parameters.items()}
            if artifacts:
                shown["artifacts"] = {
                    key: {"artifactType": {"schemaTitle": title, "schemaVersion": "0.0.1"}}
                    for key, title in artifacts.items()
                }
            return shown

        return {
            "executorLabel": f"exec-{self.name}",
            "inputDefinitions": interface(self.inputs, self.artifact_inputs),
            "outputDefinitions": interface(self.outputs, self.artifact_outputs),
        }


def lightweight(name: str, source: str, packages: tuple[str, ...] = (), image: str = "python:3.11") -> IR:
    """The container of a lightweight component with the function `name` in `source`."""
    kfp = (
        f"python3 -m pip install --quiet --no-warn-script-location 'kfp=={KFP_VERSION}' '--no-deps' "
        "'typing-extensions>=3.7.4,<5; python_version<\"3.9\"'"
    )
    own = "python3 -m pip install --quiet --no-warn-script-location " + " ".join(f"'{p}'" for p in packages)
    pip = f"{own}  &&  {kfp}" if packages else kfp
    return {
        "image": image,
        "command": ["sh", "-c", _INSTALL.format(pip=pip), "sh", "-ec", _EXECUTE, _IMPORTS + source],
        "args": ["--executor_input", "{{$}}", "--function_to_execute", name],
    }


def shell(script: str, *args: str, image: str = "busybox:1.36") -> IR:
    """The container of a step that runs a shell script; `args` are its `$0`, `$1`, …, placeholders allowed."""
    return {"image": image, "command": ["sh", "-c", script], "args": list(args)}


def constant(value: Any) -> IR:
    return {"runtimeValue": {"constant": value}}


def parameter(name: str) -> IR:
    """An input of the enclosing pipeline or loop."""
    return {"componentInputParameter": name}


def output(producer: str, key: str) -> IR:
    return {"taskOutputParameter": {"producerTask": producer, "outputParameterKey": key}}


def artifact(producer: str, key: str) -> IR:
    return {"taskOutputArtifact": {"producerTask": producer, "outputArtifactKey": key}}


def task(component: str, *, after: tuple[str, ...] = (), cache: bool = False, **inputs: Any) -> IR:
    """A task of a component; inputs are values, or what `parameter`, `output` and `artifact` give."""
    parameters: IR = {}
    artifacts: IR = {}
    needs = list(after)
    for key, value in inputs.items():
        given = value if isinstance(value, dict) else constant(value)
        kind = next(iter(given))
        (artifacts if "Artifact" in kind else parameters)[key] = given
        if kind.startswith("taskOutput"):
            needs.append(given[kind]["producerTask"])
    built: IR = {
        "componentRef": {"name": f"comp-{component}"},
        "taskInfo": {"name": component},
        "cachingOptions": {"enableCache": True} if cache else {},
    }
    if parameters or artifacts:
        built["inputs"] = {k: v for k, v in (("parameters", parameters), ("artifacts", artifacts)) if v}
    if needs:
        built["dependentTasks"] = sorted(set(needs))
    return built


def pipeline(
    name: str,
    tasks: Mapping[str, IR],
    *components: Component,
    dags: Mapping[str, IR] | None = None,
    inputs: Mapping[str, IR] | None = None,
) -> IR:
    """A whole document. `dags` are further components that are DAGs; `inputs` the pipeline's parameters."""
    named = {key: {**value, "taskInfo": {"name": key}} for key, value in tasks.items()}
    root: IR = {"dag": {"tasks": named}}
    if inputs:
        root["inputDefinitions"] = {"parameters": dict(inputs)}
    return {
        "pipelineInfo": {"name": name},
        "schemaVersion": "2.1.0",
        "sdkVersion": f"kfp-{KFP_VERSION}",
        "root": root,
        "components": {f"comp-{c.name}": c.spec() for c in components}
        | {f"comp-{key}": value for key, value in (dags or {}).items()},
        "deploymentSpec": {"executors": {f"exec-{c.name}": {"container": c.container} for c in components}},
    }


def loop(dag: str, items: list[Any], *, parallelism: int = 0, after: tuple[str, ...] = ()) -> IR:
    """A ParallelFor over constants; the DAG gets each as its parameter `item`."""

    built: IR = {
        "componentRef": {"name": f"comp-{dag}"},
        "parameterIterator": {"itemInput": "item", "items": {"raw": json.dumps(items)}},
    }
    if parallelism:
        built["iteratorPolicy"] = {"parallelismLimit": parallelism}
    if after:
        built["dependentTasks"] = list(after)
    return built


_INTEGER = "NUMBER_INTEGER"
_ADD = "def step(n: int) -> int:\n    return n + 1\n"
_SLEEP = "def step(n: int) -> int:\n    import time\n    time.sleep(1)\n    return n\n"


def chain(length: int, packages: tuple[str, ...] = ()) -> IR:
    """`length` lightweight steps, each adding one to what the step before gave."""
    step = Component("step", lightweight("step", _ADD, packages), {"n": _INTEGER}, {"Output": _INTEGER})
    tasks = {
        f"step-{index}": task("step", n=output(f"step-{index - 1}", "Output") if index else 0)
        for index in range(length)
    }
    return pipeline("chain", tasks, step)


def fan_out(width: int, *, sleep: bool = False, parallelism: int = 0) -> IR:
    """A ParallelFor over `width` items; each step sleeps a second, or adds one."""
    step = Component(
        "step", lightweight("step", _SLEEP if sleep else _ADD), {"n": _INTEGER}, {"Output": _INTEGER}
    )
    body = {
        "dag": {"tasks": {"step": task("step", n=parameter("item"))}},
        "inputDefinitions": {"parameters": {"item": {"parameterType": _INTEGER}}},
    }
    items: list[Any] = list(range(width))
    return pipeline(
        "fan-out", {"loop": loop("body", items, parallelism=parallelism)}, step, dags={"body": body}
    )
