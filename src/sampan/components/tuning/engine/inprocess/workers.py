"""Which experiments have trials in-process, and the pods of their workers. Pure.

The template of such an experiment is the Job that `sampan.sdk.tune` makes (`tuning.sdk.program`): with a socket in
$SAMPAN_TRIALS the same program takes one trial after another, so a worker's pod is the pod of that Job, with the same
image, packages, variables, volumes, identity and limits. Any other template runs as jobs, whatever the annotation says.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from sampan.components.tuning.api import labels
from sampan.kube import meta, owners
from sampan.kube.meta import Object

IN_PROCESS = "in-process"
WORKER_LABEL = "sampan.dev/trial-worker"
"""On pods that are workers; its value is the experiment's name."""
PROGRAM = "trial.py"
SOCKET_VARIABLE = "SAMPAN_TRIALS"
_VOLUME = "sampan-trials"
_BOOT = ("python3", "/sampan/code/boot.py")


def runs_in_process(experiment: Object) -> bool:
    """Whether it is asked for, and the template is one of a function. Only where pods see this machine's folders."""
    if meta.annotations(experiment).get(labels.TRIALS_IN) != IN_PROCESS:
        return False
    return _calls_a_function(_template(experiment))


def _calls_a_function(template: Mapping[str, Any]) -> bool:
    job = template.get("trialSpec")
    # Straight to the place, for every change of every trial asks: where it is not there, it is another template.
    try:
        if job["kind"] != "Job":  # type: ignore[index]
            return False
        for each in job["spec"]["template"]["spec"]["containers"]:  # type: ignore[index]
            if each.get("name") == template["primaryContainerName"]:
                command = [*(each.get("command") or ()), *(each.get("args") or ())]
                return tuple(command[:2]) == _BOOT and PROGRAM in command[2:4]
    except (KeyError, TypeError, AttributeError):
        pass
    return False


def is_in_process(trial: Object) -> bool:
    """Of a trial, by its experiment's annotation and its own run."""
    if meta.annotations(trial).get(labels.TRIALS_IN) != IN_PROCESS:
        return False
    spec = meta.spec(trial)
    return _calls_a_function(
        {"trialSpec": spec.get("runSpec"), "primaryContainerName": spec.get("primaryContainerName")}
    )


def worker_pod(experiment: Object, name: str, folder: str, address: str) -> Object:
    """`folder` of this machine holds the socket `address` and the logs of trials; it is there under its own path."""
    job = _mapping(_template(experiment).get("trialSpec"))
    template = _mapping(_mapping(job.get("spec")).get("template"))
    spec: dict[str, Any] = copy.deepcopy(dict(_mapping(template.get("spec"))))
    primary = _template(experiment).get("primaryContainerName")
    for each in spec.get("containers") or ():
        if each.get("name") == primary:
            each["env"] = [*(each.get("env") or ()), {"name": SOCKET_VARIABLE, "value": address}]
            mounted = {"name": _VOLUME, "mountPath": folder}
            each["volumeMounts"] = [*(each.get("volumeMounts") or ()), mounted]
    place = {"name": _VOLUME, "hostPath": {"path": folder, "type": "Directory"}}
    spec["volumes"] = [*(spec.get("volumes") or ()), place]
    spec["restartPolicy"] = "Never"
    # A time limit is one of each trial here.
    spec.pop("activeDeadlineSeconds", None)
    held = _mapping(_mapping(template.get("metadata")).get("labels"))
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": meta.namespace(experiment),
            "labels": {**held, WORKER_LABEL: meta.name(experiment)},
            "ownerReferences": [owners.owner_reference(experiment)],
        },
        "spec": spec,
    }


def time_limit_seconds(experiment: Object) -> float | None:
    """Of one trial: the Job's own."""
    job = _mapping(_mapping(_template(experiment).get("trialSpec")).get("spec"))
    pod = _mapping(_mapping(job.get("template")).get("spec"))
    found = [each for each in (job.get("activeDeadlineSeconds"), pod.get("activeDeadlineSeconds")) if each]
    return float(min(found)) if found else None


def end_of_worker(pod: Object) -> str:
    """How it ended in the middle of a trial, in words."""
    status = meta.status(pod)
    for each in status.get("containerStatuses") or ():
        ended = _mapping(_mapping(each.get("state")).get("terminated"))
        if ended:
            reason, code = str(ended.get("reason") or ""), ended.get("exitCode")
            what = f"{reason}, exit code {code}" if reason and reason != "Error" else f"exit code {code}"
            return f"the process of the trial ended by itself ({what})"
    if reason := str(status.get("reason") or ""):
        return f"the process of the trial was lost ({reason}: {status.get('message') or ''})"
    return "the process of the trial was lost"


def _template(experiment: Object) -> Mapping[str, Any]:
    return _mapping(meta.spec(experiment).get("trialTemplate"))


def _mapping(found: Any) -> Mapping[str, Any]:
    # `dict` comes first: it is told apart ten times as fast.
    return found if isinstance(found, (dict, Mapping)) else {}
