"""Training jobs as steps of pipelines: `from sampan.sdk import training`.

    @dsl.pipeline
    def churn(epochs: int = 3):
        trained = training.script("train.py", "--epochs", epochs, nodes=2, packages=["numpy"])
        evaluate(model=trained.outputs["model"])

A step that launches the job, prints its logs, waits, and has its output folder as a Model, its figures as Metrics.
Cancelling the run deletes the job. `manifest` launches a job that is written down, of any kind. Needs kfp, which is
imported when a pipeline is made.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from sampan.components.training.sdk import objects
from sampan.components.training.sdk.choosing import Wishes, choose, resource_by_kind
from sampan.components.training.sdk.launcher import ARGUMENT, LAUNCHER, NAME, OUTPUT
from sampan.components.training.sdk.options import checked, read_options
from sampan.components.training.sdk.plan import Mount, Plan, PlanError, Resources, read_range
from sampan.kube.meta import Object
from sampan.sent.sources import SourcesError, collect

IMAGE = "python:3.11"
"""In which the launcher runs, not the job."""
_MOST_ARCHIVE_BYTES = 1024 * 1024
"""Of code in a pipeline: it is compiled into its document."""
_TYPES = {
    "STRING": "String",
    "NUMBER_INTEGER": "Integer",
    "NUMBER_DOUBLE": "Float",
    "BOOLEAN": "Bool",
    "LIST": "JsonArray",
    "STRUCT": "JsonObject",
}
"""kfp's types of parameters, as components written in YAML have them."""
_INPUTS = {"name": "String", "job": "String", "maps": "String", "run_id": "String", "where": "String"}


def script(
    script: str | Path,
    *arguments: Any,
    include: tuple[str | Path, ...] = (),
    step: str = "train",
    **options: Any,
) -> Any:
    """A step that runs a script as a job. `arguments` may be parameters of the pipeline or outputs of other steps.

    `options` are those of `sampan.sdk.remote`, with `kind` by what the script imports. The kfp task has the outputs
    `model` (what the script wrote to $SAMPAN_OUTPUT), `metrics` and `job_name`. Raises PlanError, SourcesError.
    """
    file = Path(script)
    sources = collect(file, [Path(each) for each in include])
    given = checked(read_options({"kind": "", **options}))
    archive = sources.archive()
    if len(archive) > _MOST_ARCHIVE_BYTES:
        raise SourcesError(
            f"the code is larger than {_MOST_ARCHIVE_BYTES >> 20} MiB compressed, which is too much for a pipeline: "
            "put it into an image"
        )
    elastic = read_range(given.elastic) if given.elastic else None
    wishes = Wishes(
        given.kind, given.runtime, given.image, given.nodes, elastic, given.retries, given.priority
    )
    choice = choose(wishes, sources.imported)
    cpu = f"{given.cpu:g}" if isinstance(given.cpu, int | float) else given.cpu
    plan = Plan(
        name=NAME,
        namespace="",
        command=(
            *choice.program,
            sources.script,
            *(f"{ARGUMENT}{number}" for number in range(len(arguments))),
        ),
        archive=archive,
        kind=choice.kind,
        runtime=choice.runtime,
        image=choice.image,
        nodes=given.nodes,
        processes=given.processes,
        resources=Resources(cpu, given.memory, given.gpu),
        packages=tuple(given.packages),
        env=dict(given.env),
        secrets=dict(given.secrets),
        elastic=elastic,
        retries=given.retries,
        deadline_seconds=given.deadline_seconds,
        priority=given.priority,
        service_account=given.service_account,
        labels=dict(given.labels),
        source=file.name,
    )
    plan = replace(
        plan,
        mounts=(Mount("output", given.output or OUTPUT, objects.OUTPUT_PATH),),
        output=objects.OUTPUT_PATH,
    )
    name = given.name or file.stem.lower().replace("_", "-")[:40]
    return _task((name, step), objects.job_object(plan), objects.code_maps(plan), given.output, arguments)


def manifest(job: Mapping[str, Any], *, name: str = "", output: str = "", step: str = "train") -> Any:
    """A step that launches a job as it is written, of any kind, under a name of its own that begins with its name.

    Where its pods are to write what becomes the Model, mount `training.OUTPUT` as a hostPath (embedded cluster); on a
    cluster name a claim: `output="pvc://CLAIM/PATH"`, which the Model's metadata then says. Raises PlanError.
    """
    written: Object = json.loads(json.dumps(job))
    kind = str(written.get("kind") or "")
    resource = resource_by_kind(kind)
    written.setdefault("apiVersion", resource.api_version)
    metadata = written.setdefault("metadata", {})
    base = name or str(metadata.get("name") or metadata.get("generateName") or kind.lower()).strip("-")
    metadata.pop("generateName", None)
    metadata.pop("namespace", None)
    metadata["name"] = NAME
    return _task((base, step), written, [], output)


def _task(
    names: tuple[str, str], job: Object, maps: list[Object], output: str, arguments: Sequence[Any] = ()
) -> Any:
    """`names` are the job's and the step's."""
    name, step = names
    try:
        kfp: Any = importlib.import_module("kfp")
    except ImportError as error:
        raise ImportError("a step of a pipeline needs the package kfp: pip install kfp") from error
    if len(name) > 50:
        raise PlanError(f"name {name!r} has more than 50 characters")
    given = {f"argument_{number}": _argument(value) for number, value in enumerate(arguments)}
    component = _component(step, {key: type_ for key, (_, type_) in given.items()})
    loaded = kfp.components.load_component_from_text(yaml.safe_dump(component))
    task = loaded(
        name=name,
        job=json.dumps(job),
        maps=json.dumps(maps),
        run_id=kfp.dsl.PIPELINE_JOB_ID_PLACEHOLDER,
        where=output,
        **{key: value for key, (value, _) in given.items()},
    )
    # A job that failed is worth another try, never the answer of an earlier one.
    task.set_caching_options(False)
    return task


def _argument(value: Any) -> tuple[Any, str]:
    """A word of the command and its type: of an artifact its URI will be the word."""
    value = getattr(value, "output", value)
    type_ = getattr(value, "channel_type", "")
    if type_:
        return value, _TYPES.get(str(type_), str(type_).partition("@")[0].removeprefix("system."))
    return str(value), "String"


def _component(step: str, extra: Mapping[str, str]) -> dict[str, Any]:
    arguments: list[Any] = []
    for name in _INPUTS:
        arguments += [f"--{name.replace('_', '-')}", {"inputValue": name}]
    for name, type_ in extra.items():
        is_value = type_ == "String" or type_ in _TYPES.values()
        # In one word with its option: what begins with a dash would be taken for another.
        arguments.append({"concat": ["--argument=", {"inputValue" if is_value else "inputUri": name}]})
    for name in ("model", "metrics"):
        arguments += [f"--{name}", {"outputPath": name}, f"--{name}-uri", {"outputUri": name}]
    arguments += ["--job-name", {"outputPath": "job_name"}, "--executor-output", "{{$.outputs.output_file}}"]
    return {
        "name": step,
        "inputs": [{"name": name, "type": type_} for name, type_ in {**_INPUTS, **extra}.items()],
        "outputs": [
            {"name": "model", "type": "Model"},
            {"name": "metrics", "type": "Metrics"},
            {"name": "job_name", "type": "String"},
        ],
        "implementation": {
            "container": {"image": IMAGE, "command": ["python3", "-u", "-c", LAUNCHER], "args": arguments}
        },
    }
