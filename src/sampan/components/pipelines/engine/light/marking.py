"""Which steps are light, which of them can share a worker, and that worker's pod. Pure.

A component is marked by a variable in its container, which `api.light` sets and which means nothing elsewhere.
Only what the SDK compiles from a Python function can be called; anything else that is marked runs as an ordinary step.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sampan.components.pipelines.api.light import MARK
from sampan.components.pipelines.engine.podspec import MAIN_CONTAINER, RUN_LABEL, source_at

WORKER_LABEL = "sampan.dev/light-worker"
"""On pods that are workers; its value says of which crew."""

_PROGRAM = "program.py"
_TRUE = frozenset({"1", "true", "yes"})


@dataclass(frozen=True, slots=True)
class LightCall:
    """A light step as a worker gets it."""

    key: str
    """Calls with the same key may share a worker."""
    source: str
    argv: Sequence[str]


def light_call(pod: Mapping[str, Any]) -> LightCall | None:
    """The call that the pod of a step stands for; None for a step that is not light, or cannot be."""
    spec = pod["spec"]
    main = spec["containers"][0]
    if not any(
        each["name"] == MARK and each.get("value", "").lower() in _TRUE for each in main.get("env", ())
    ):
        return None
    # A time limit would be the worker's; helpers beside the step would serve the first one only.
    if len(spec["containers"]) > 1 or spec.get("initContainers") or spec.get("activeDeadlineSeconds"):
        return None
    command, args = main.get("command") or [], main.get("args") or []
    place = source_at(command)
    if place is None or "--executor_input" not in args or "--function_to_execute" not in args:
        return None
    if "python3 -m venv" in "".join(command[:place]):
        return None
    shared = {**spec, "containers": [{**main, "command": [*command[:place], ""], "args": []}]}
    metadata = pod["metadata"]
    identity = [metadata["namespace"], metadata["labels"][RUN_LABEL], shared]
    key = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]
    return LightCall(key, command[place], args)


def worker_pod(pod: Mapping[str, Any], call: LightCall, number: str, address: str) -> dict[str, Any]:
    """The pod of a worker for calls like that of `pod`: the same in all but its name, its program and its labels."""
    main = pod["spec"]["containers"][0]
    told = {
        "inputs": {"parameterValues": {"address": address}},
        "outputs": {"outputFile": f"{address}.json"},
    }
    container = {
        **main,
        "command": [*main["command"][:-1], program()],
        "args": ["--executor_input", json.dumps(told), "--function_to_execute", "serve"],
    }
    metadata = pod["metadata"]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"light-{call.key}-{number}",
            "namespace": metadata["namespace"],
            "labels": {RUN_LABEL: metadata["labels"][RUN_LABEL], WORKER_LABEL: call.key},
        },
        "spec": {**pod["spec"], "containers": [container]},
    }


def program() -> str:
    return Path(__file__).with_name(_PROGRAM).read_text(encoding="utf-8")


def ended(pod: Mapping[str, Any], exit_code: int, started: str, finished: str) -> dict[str, Any]:
    """The step's pod as it would be at its end."""
    terminated = {
        "exitCode": exit_code,
        "reason": "Completed" if exit_code == 0 else "Error",
        "startedAt": started,
        "finishedAt": finished,
    }
    statuses = [{"name": MAIN_CONTAINER, "state": {"terminated": terminated}}]
    phase = "Succeeded" if exit_code == 0 else "Failed"
    return {**pod, "status": {"phase": phase, "containerStatuses": statuses}}
