"""Tuning as a step of a pipeline: `from sampan.sdk import tuning`.

    @dsl.pipeline
    def churn():
        tuned = tuning.function(train, {"lr": search.loguniform(1e-5, 1e-1)}, objective="accuracy", trials=30)
        evaluate(parameters=tuned.outputs["best_parameters"])

A step that makes an experiment, waits, and hands on the best. Stopping the run ends the experiment. `manifest` is for
one that is written down. Needs kfp, which is imported when a pipeline is made.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import yaml

from sampan.components.tuning.api import kinds
from sampan.components.tuning.sdk.launcher import ARGUMENT, LAUNCHER, NAME
from sampan.components.tuning.sdk.plan import TuneError, plain_name
from sampan.components.tuning.sdk.search import Space, text_of
from sampan.components.tuning.sdk.tune import Asked, Asking, Templates
from sampan.kube.meta import Object

IMAGE = "python:3.11"
"""In which the launcher runs, not the trials."""
STEP = "tune"
_MOST_ARCHIVE_BYTES = 1024 * 1024
"""Of code in a pipeline: it is compiled into its document."""
_TYPES = {
    "STRING": "String",
    "NUMBER_INTEGER": "Integer",
    "NUMBER_DOUBLE": "Float",
    "BOOLEAN": "Bool",
}
"""kfp's types of parameters, as components written in YAML have them."""
_READINGS = {"String": "text", "Integer": "number", "Float": "number", "Bool": "bool"}
"""How the launcher reads each."""
_INPUTS = {
    "name": "String",
    "experiment": "String",
    "maps": "String",
    "choices": "String",
    "run_id": "String",
}
_OUTPUTS = {
    "best_parameters": "JsonObject",
    "best_metric": "Float",
    "experiment_name": "String",
    "metrics": "Metrics",
}


class FunctionStep(Asking[Any]):
    """A step that tunes a function, with the arguments of `tune`. The kfp task has the outputs `best_parameters`,
    `best_metric`, `metrics` and `experiment_name`.

    `env` may hold parameters of the pipeline and outputs of other steps. Raises what `tune` does; PlanError for what
    only a cluster that is known can have.
    """

    def __init__(self, templates: Templates) -> None:
        self._templates = templates

    def _start(self, asked: Asked) -> Any:
        plan = asked.plan
        if plan.namespace:
            raise TuneError("namespace: a step makes its experiment where its run is")
        if len(asked.archive) > _MOST_ARCHIVE_BYTES:
            raise TuneError(
                f"the function is larger than {_MOST_ARCHIVE_BYTES >> 20} MiB compressed, which is too much for a "
                "pipeline: have it read its data from a file or an object store"
            )
        written = replace(asked, plan=replace(plan, name=NAME))
        experiment, code = written.experiment(None, self._templates)
        return _task(asked.stem, experiment, code, plan.space)


def manifest(experiment: Mapping[str, Any], *, name: str = "") -> Any:
    """A step that makes an Experiment as it is written, under a name of its own that begins with its name.

    Any value in it may be a parameter of the pipeline or an output of another step. Raises TuneError.
    """
    written: Object = {
        "apiVersion": kinds.EXPERIMENTS.api_version,
        "kind": kinds.EXPERIMENTS.kind,
        **experiment,
    }
    if (written["apiVersion"], written["kind"]) != (kinds.EXPERIMENTS.api_version, kinds.EXPERIMENTS.kind):
        raise TuneError(
            f"a step makes an Experiment of {kinds.EXPERIMENTS.api_version}, not {written['kind']}"
        )
    if not isinstance(written.get("spec"), Mapping):
        raise TuneError("spec: the experiment has none")
    metadata = {key: value for key, value in (written.get("metadata") or {}).items() if key != "namespace"}
    base = name or str(metadata.get("name") or metadata.pop("generateName", "") or STEP).strip("-")
    metadata.pop("generateName", None)
    return _task(base, {**written, "metadata": {**metadata, "name": NAME}}, (), {})


def _task(name: str, experiment: Object, maps: Sequence[Object], space: Mapping[str, Space]) -> Any:
    try:
        kfp: Any = importlib.import_module("kfp")
    except ImportError as error:
        raise ImportError("a step of a pipeline needs the package kfp: pip install kfp") from error
    given: list[Any] = []
    marked = _marked(experiment, given)
    arguments = {f"argument_{number}": value for number, value in enumerate(given)}
    component = _component({key: _type(value) for key, value in arguments.items()})
    task = kfp.components.load_component_from_text(yaml.safe_dump(component))(
        name=plain_name(name),
        experiment=json.dumps(marked),
        maps=json.dumps(list(maps)),
        choices=json.dumps(_choices(space)),
        run_id=kfp.dsl.PIPELINE_JOB_ID_PLACEHOLDER,
        **arguments,
    )
    # An experiment that failed is worth another try, never the answer of an earlier one.
    task.set_caching_options(False)
    return task


def _marked(value: Any, given: list[Any]) -> Any:
    """With marks instead of what is known when the step runs, which is put into `given`."""
    if isinstance(value, Mapping):
        return {key: _marked(each, given) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_marked(each, given) for each in value]
    channel = getattr(value, "output", value)
    if not getattr(channel, "channel_type", ""):
        return value
    given.append(channel)
    return f"{ARGUMENT}{len(given) - 1}"


def _type(channel: Any) -> str:
    found = _TYPES.get(str(channel.channel_type), str(channel.channel_type))
    if found not in _READINGS:
        raise TuneError(
            f"{channel.name}: a text, a number or a truth value can be given to a step that tunes, not a {found}"
        )
    return found


def _choices(space: Mapping[str, Space]) -> dict[str, dict[str, Any]]:
    """What is chosen by each text, where it is no text itself and JSON has it."""
    found: dict[str, dict[str, Any]] = {}
    for name, each in space.items():
        for value in each.choices if each.type == "categorical" else ():
            if value is None or isinstance(value, bool | int | float | list | dict):
                found.setdefault(name, {})[text_of(value)] = value
    return found


def _component(extra: Mapping[str, str]) -> dict[str, Any]:
    arguments: list[Any] = []
    for name in _INPUTS:
        arguments += [f"--{name.replace('_', '-')}", {"inputValue": name}]
    for name, type_ in extra.items():
        # In one word with its option: what begins with a dash would be taken for another.
        arguments.append({"concat": [f"--argument={_READINGS[type_]}:", {"inputValue": name}]})
    for name in _OUTPUTS:
        arguments += [f"--{name.replace('_', '-')}", {"outputPath": name}]
    arguments += ["--metrics-uri", {"outputUri": "metrics"}, "--executor-output", "{{$.outputs.output_file}}"]
    return {
        "name": STEP,
        "inputs": [{"name": name, "type": type_} for name, type_ in {**_INPUTS, **extra}.items()],
        "outputs": [{"name": name, "type": type_} for name, type_ in _OUTPUTS.items()],
        "implementation": {
            "container": {"image": IMAGE, "command": ["python3", "-u", "-c", LAUNCHER], "args": arguments}
        },
    }
