"""Serving as a step of a pipeline: `from sampan.sdk import serving`.

    @dsl.pipeline
    def churn():
        trained = train()
        served = serving.deploy(model=trained.outputs["model"], name="churn", canary=10)
        check(url=served.outputs["url"])

A step that makes the endpoint or gives it the new model, and waits until that answers; if it does not start the step
fails with the reason. Needs kfp, which is imported when a pipeline is made; `sampan run` loads this where nothing but
kfp is installed.
"""

from __future__ import annotations

import importlib
import json
from dataclasses import replace
from typing import Any

import yaml

from sampan.components.serving.sdk import naming, plan
from sampan.components.serving.sdk.errors import ServingError
from sampan.components.serving.sdk.launcher import LAUNCHER
from sampan.components.serving.sdk.plan import read_options

IMAGE = "python:3.11"
"""In which the launcher runs, not the model."""
_INPUTS = {"name": "String", "service": "String", "canary": "String", "timeout": "String", "run_id": "String"}
_UNKNOWN = "unknown"


def deploy(
    model: Any,
    name: Any,
    *,
    canary: Any = None,
    timeout_seconds: int = 600,
    step: str = "deploy",
    **options: Any,
) -> Any:
    """A step that serves `model`: an artifact of another step, or a URI, which may be a parameter of the pipeline.

    `name` and `canary` may be parameters too. `options` are those of `sampan.sdk.serve`; without `format` it is guessed
    from the files. The kfp task has the outputs `url` and `endpoint`. Raises ServingError.
    """
    chosen = read_options(options)
    if chosen.canary is not None:
        raise ServingError("canary: give it by its own name")
    if isinstance(name, str):
        naming.check(name)
    if isinstance(canary, int):
        replace(chosen, canary=canary).check()
    # What is not known before the step runs is filled in by it.
    filled = replace(chosen, format=chosen.format or _UNKNOWN)
    service = plan.of_model("model", "", filled, "")
    if not chosen.format:
        service["spec"]["predictor"]["model"]["modelFormat"]["name"] = ""
    channel = getattr(model, "output", model)
    type_ = str(getattr(channel, "channel_type", ""))
    is_text = not type_ or type_ == "STRING"
    try:
        kfp: Any = importlib.import_module("kfp")
    except ImportError as error:
        raise ImportError("a step of a pipeline needs the package kfp: pip install kfp") from error
    kind = "String" if is_text else type_.partition("@")[0].removeprefix("system.")
    component = kfp.components.load_component_from_text(yaml.safe_dump(_component(step, kind)))
    task = component(
        model=channel,
        name=name,
        service=json.dumps(service),
        canary="" if canary is None else str(canary) if isinstance(canary, int) else canary,
        timeout=str(timeout_seconds),
        run_id=kfp.dsl.PIPELINE_JOB_ID_PLACEHOLDER,
    )
    # The endpoint may have changed since: it is served anew, whatever an earlier step did.
    task.set_caching_options(False)
    return task


def _component(step: str, kind: str) -> dict[str, Any]:
    arguments: list[Any] = ["--model-uri", {"inputValue" if kind == "String" else "inputUri": "model"}]
    for name in _INPUTS:
        arguments += [f"--{name.replace('_', '-')}", {"inputValue": name}]
    for name in ("url", "endpoint"):
        arguments += [f"--{name}", {"outputPath": name}]
    return {
        "name": step,
        "inputs": [{"name": name, "type": type_} for name, type_ in {"model": kind, **_INPUTS}.items()],
        "outputs": [{"name": "url", "type": "String"}, {"name": "endpoint", "type": "String"}],
        "implementation": {
            "container": {"image": IMAGE, "command": ["python3", "-u", "-c", LAUNCHER], "args": arguments}
        },
    }
