"""What happens to the pods of trials when they are created: a hook of the embedded API server.

They get the labels of their trial, by which collectors find them, and the container that trains learns the trial's
name. Loaded at start-up: it stays light, and what a pod is given loads with the first trial's.

Source: kubeflow/katib 0.19 pkg/webhook/v1beta1/pod (inject_webhook.go, utils.go). Upstream also rewrites the command
of the container that trains, to have its output in a file; here the node has it anyway, and quoting and exit codes
stay, but for marks that were written for upstream's shell (`engine.collecting.shell_quotes`).
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from typing import Any

from sampan.components.tuning.api import labels
from sampan.components.tuning.api.kinds import SUGGESTIONS, TRIALS
from sampan.components.tuning.engine.collecting.naming import tell_name
from sampan.components.tuning.engine.collecting.shell_quotes import unquote
from sampan.components.tuning.engine.collecting.wanted import wanted_of
from sampan.kube import meta, owners
from sampan.kube.admission import AdmissionRequest, Hook, MutatingHook, Reader
from sampan.kube.kinds import CONFIG_MAPS, NAMESPACES, PODS, guessed
from sampan.kube.meta import Object

_INJECTION = "sampan.components.tuning.controller.collecting.injection"
ENABLED = "enabled"
_MOST_OWNERS = 8
"""Between a pod and its trial."""


def admit(request: AdmissionRequest, pod: Object, _old: Object | None, reader: Reader) -> Object:
    if not owners.owner_references(pod):
        return pod
    trial = trial_of(pod, request.namespace, reader)
    if trial is None or not collects(reader.get(NAMESPACES, request.namespace)):
        return pod
    metadata = pod["metadata"]
    metadata["labels"] = {
        **(metadata.get("labels") or {}),
        **meta.labels(trial),
        labels.TRIAL: meta.name(trial),
    }
    wanted = wanted_of(trial)
    tell_name(pod, wanted.container)
    if wanted.is_primary(pod):
        unquote(pod, wanted)
        suggestion = reader.get(SUGGESTIONS, meta.labels(trial).get(labels.EXPERIMENT, ""), request.namespace)
        injection: Any = importlib.import_module(_INJECTION)
        injection.mount_checkpoints(pod, trial, suggestion, wanted.container)
        config = reader.get(CONFIG_MAPS, labels.CONFIG_MAP, labels.NAMESPACE)
        injection.inject(pod, trial, wanted, suggestion, config)
    return pod


def collects(namespace: Object | None) -> bool:
    """Whether the metrics of its trials are collected: unless its label says that they are not (decision 48)."""
    return meta.labels(namespace or {}).get(labels.INJECTION, ENABLED) == ENABLED


def trial_of(obj: Object, namespace: str, reader: Reader) -> Object | None:
    """Whose it is, whatever stands between them."""
    level: list[Object] = [obj]
    for _ in range(_MOST_OWNERS):
        references = [each for one in level for each in owners.owner_references(one)]
        for each in references:
            if _is_trial(each):
                trial = reader.get(TRIALS, str(each.get("name") or ""), namespace)
                if trial is not None and meta.uid(trial) == each.get("uid"):
                    return trial
        level = list(_found(references, namespace, reader))
        if not level:
            return None
    return None


def _found(references: Iterable[dict[str, Any]], namespace: str, reader: Reader) -> Iterable[Object]:
    for each in references:
        if _is_trial(each):
            continue
        resource = guessed(str(each.get("apiVersion") or ""), str(each.get("kind") or ""))
        found = reader.get(resource, str(each.get("name") or ""), namespace)
        if found is not None and meta.uid(found) == each.get("uid"):
            yield found


def _is_trial(reference: dict[str, Any]) -> bool:
    group = str(reference.get("apiVersion") or "").rpartition("/")[0]
    return reference.get("kind") == TRIALS.kind and group == TRIALS.group


HOOKS: tuple[Hook, ...] = (MutatingHook("trial-pods", (PODS,), admit),)
