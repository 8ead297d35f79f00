"""A pod to look around in: where a step ran, with what it was given, and its command ready to be run. Pure.

It is the step's own pod, for an attempt of its own, so that what is tried out there overwrites nothing; only its
command waits. It bears none of the labels by which the engine knows a run's pods.
"""

from __future__ import annotations

import copy
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from sampan.components.pipelines.api.errors import FailedPreconditionError, NotFoundError
from sampan.components.pipelines.api.ir_model import Container
from sampan.components.pipelines.api.states import RuntimeState
from sampan.components.pipelines.engine.context import RunContext
from sampan.components.pipelines.engine.errors import StepError
from sampan.components.pipelines.engine.node import Node
from sampan.components.pipelines.engine.planning import plan, resolver_for
from sampan.components.pipelines.engine.podspec import MAIN_CONTAINER
from sampan.components.pipelines.engine.resumption import DebugPod
from sampan.components.pipelines.engine.turn import Launch

DEBUG_LABEL = "sampan.dev/debugged-run"
"""Of the pod: whose step it stands for."""
TASK_ANNOTATION = "sampan.dev/debugged-task"
NUMBER_ANNOTATION = "sampan.dev/debugged-attempt"
"""Of the attempt that was made up for it: where its outputs would be."""
LONGEST_SECONDS = 8 * 3600
"""After which the pod ends, should nobody have removed it."""

# The step's command as a file in the working folder, or where that cannot be written to, in /tmp.
_WAIT = """
write() { printf '%s' "$2" > "$1" && chmod +x "$1"; }
write ./step "$1" 2>/dev/null || write /tmp/step "$1"
trap 'exit 0' TERM INT
while :; do sleep 1 & wait $!; done
"""


def running_pod(node: Node, namespace: str, attempt: int) -> DebugPod | None:
    """The step's own pod, if that attempt runs right now; 0 is the last one."""
    if not node.attempts or node.state is not RuntimeState.RUNNING:
        return None
    current = node.attempts[-1]
    if current.state is not RuntimeState.RUNNING or attempt not in (0, len(node.attempts)):
        return None
    return DebugPod(current.pod, namespace, MAIN_CONTAINER, is_new=False)


def debug_launch(context: RunContext, nodes: Sequence[Node], task_id: str, number: int) -> Launch:
    """How the step would be launched as its attempt `number`. Raises FailedPreconditionError, NotFoundError."""
    node = next((each for each in nodes if each.id == task_id), None)
    if node is None:
        raise NotFoundError(f"task {task_id} is about to be decided anew; there is nothing to debug yet")
    executor = context.pipeline.executors.get(node.component.executor_label)
    if not isinstance(executor, Container):
        raise FailedPreconditionError(f"{node.place} runs no container, so there is nothing to debug")
    if node.state is RuntimeState.SKIPPED and not node.inputs.parameters and not node.inputs.artifacts:
        raise FailedPreconditionError(f"{node.place} was skipped: it was given nothing")
    try:
        return plan(context, node, resolver_for(context, node), attempt=number)
    except StepError as error:
        raise FailedPreconditionError(f"{node.place}: its pod cannot be made: {error.message}") from None


def debug_pod(launch: Launch, run_id: str, name: str) -> dict[str, Any]:
    """The pod that waits."""
    pod = copy.deepcopy(launch.pod)
    annotations: Mapping[str, str] = pod["metadata"].get("annotations") or {}
    pod["metadata"] |= {
        "name": name,
        "labels": {DEBUG_LABEL: run_id},
        "annotations": {
            **annotations,
            TASK_ANNOTATION: launch.task_id,
            NUMBER_ANNOTATION: str(launch.attempt),
        },
    }
    pod["spec"]["activeDeadlineSeconds"] = LONGEST_SECONDS
    container = pod["spec"]["containers"][0]
    script = step_script(container)
    container.pop("args", None)
    container["command"] = ["sh", "-c", _WAIT, "sh", script]
    return pod


def step_script(container: Mapping[str, Any]) -> str:
    """A shell script that runs what the container would have run; further arguments are handed on."""
    arguments = [*(container.get("command") or ()), *(container.get("args") or ())]
    if not container.get("command"):
        note = "this step runs the entry point of its image, which is not known here; its arguments:"
        return f"#!/bin/sh\necho {shlex.quote(note)}\nprintf '%s\\n' {shlex.join(arguments)}\n"
    return f'#!/bin/sh\nexec {shlex.join(arguments)} "$@"\n'
