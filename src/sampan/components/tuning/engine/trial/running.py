"""The object that a trial runs, as it is to be created; and what makes it impossible. Pure.

Called by the reconciler of trials. Source: kubeflow/katib 0.19 pkg/controller.v1beta1/trial/trial_controller.go
(getDesiredJobSpec), pkg/controller.v1beta1/experiment/manifest/generator.go (its name and namespace).
"""

from __future__ import annotations

import copy
from collections.abc import Mapping

from sampan.components.tuning.engine.collecting.lines import filter_problem
from sampan.components.tuning.engine.collecting.wanted import KINDS, NONE, PUSH, wanted_of
from sampan.kube import meta, owners
from sampan.kube.meta import Object
from sampan.lib.gjson import paths as gjson

_POWERFUL_GROUPS = frozenset(
    {
        "rbac.authorization.k8s.io",
        "admissionregistration.k8s.io",
        "apiextensions.k8s.io",
        "apiregistration.k8s.io",
        "authentication.k8s.io",
        "authorization.k8s.io",
        "certificates.k8s.io",
        "networking.k8s.io",
        "policy",
    }
)
_POWERFUL_KINDS = frozenset(
    {
        "Secret",
        "ServiceAccount",
        "Namespace",
        "Node",
        "PersistentVolume",
        "ResourceQuota",
        "LimitRange",
        "Event",
    }
)
_MOST_NAME = 63


class ImpossibleError(Exception):
    """The trial can never run as it is. The message names the field, what was wrong and what to do."""


def run_object(trial: Object) -> Object:
    """Raises ImpossibleError."""
    spec = meta.spec(trial)
    found = spec.get("runSpec")
    if not isinstance(found, Mapping) or not found.get("kind") or not found.get("apiVersion"):
        raise ImpossibleError("spec.runSpec must be an object with apiVersion and kind")
    metadata = found.get("metadata")
    if metadata is not None and not isinstance(metadata, Mapping):
        raise ImpossibleError("spec.runSpec.metadata must be an object")
    run: Object = copy.deepcopy(dict(found))
    run["metadata"] = {
        "name": meta.name(trial),
        **{k: v for k, v in (metadata or {}).items() if v is not None},
    }
    own = run["metadata"].setdefault("namespace", meta.namespace(trial))
    if own != meta.namespace(trial):
        raise ImpossibleError(
            f"spec.runSpec.metadata.namespace is {own}, but a trial runs in its own namespace: leave it out"
        )
    run.pop("status", None)
    if not spec.get("retainRun"):
        _keep_until_measured(run)
    _refuse_power(run)
    return owners.with_controller(run, trial)


def _keep_until_measured(run: Object) -> None:
    """A run that takes itself away may do so while nobody looks: whether it succeeded would be known to none, and it
    would be made anew. The trial deletes it when it has been judged and measured."""
    spec = run.get("spec")
    if not isinstance(spec, dict):
        return
    spec.pop("ttlSecondsAfterFinished", None)
    policy = spec.get("runPolicy")
    if isinstance(policy, dict):
        policy.pop("ttlSecondsAfterFinished", None)
    if run["kind"] == "Workflow":
        spec.pop("ttlStrategy", None)


def _refuse_power(run: Object) -> None:
    """Trials are created by the platform, which may more than whoever writes an experiment. Raises ImpossibleError."""
    group = str(run["apiVersion"]).rpartition("/")[0]
    if group in _POWERFUL_GROUPS or (group == "" and run["kind"] in _POWERFUL_KINDS):
        raise ImpossibleError(
            f"spec.runSpec is a {run['kind']}, which trials may not create: have them run a workload"
        )


def check(trial: Object) -> None:
    """What of the spec can never work. Raises ImpossibleError."""
    spec = meta.spec(trial)
    for name in ("successCondition", "failureCondition"):
        path = spec.get(name)
        if path and (wrong := gjson.problem(str(path))):
            raise ImpossibleError(f"spec.{name} is no GJSON path: {wrong}")
    if len(meta.name(trial)) > _MOST_NAME:
        raise ImpossibleError(
            f"metadata.name has more than {_MOST_NAME} characters, but pods get it as a label"
        )
    wanted = wanted_of(trial)
    if wanted.kind not in KINDS:
        raise ImpossibleError(
            f"spec.metricsCollector.collector.kind must be one of {', '.join(KINDS)}, not {wanted.kind}"
        )
    if not wanted.objective.metric:
        raise ImpossibleError("spec.objective.objectiveMetricName is missing: name the metric to optimise")
    for text in wanted.filters if wanted.kind not in (PUSH, NONE) else ():
        if wrong := filter_problem(text):
            raise ImpossibleError(f"spec.metricsCollector.source.filter.metricsFormat: {wrong}")
