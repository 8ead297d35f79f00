"""What an experiment means where it says nothing.

Source: kubeflow/katib 0.19 pkg/apis/controller/experiments/v1beta1/experiment_defaults.go, constants.go.
"""

from __future__ import annotations

import copy
from typing import Any

from sampan.kube.meta import Object

PARALLEL_TRIAL_COUNT = 3
RESUME_POLICY = "Never"
_TRAINING_KINDS = ("TFJob", "PyTorchJob", "XGBoostJob", "MPIJob", "JAXJob", "PaddleJob")
"""Upstream knows the first four; the others report in the same way."""
_FILE = "/var/log/katib/metrics.log"
_EVENTS = "/var/log/katib/tfevent/"


def _holds(condition: str) -> str:
    return f'status.conditions.#(type=="{condition}")#|#(status=="True")#'


def with_defaults(experiment: Object) -> Object:
    """A copy. Applying it twice changes nothing."""
    made = copy.deepcopy(experiment)
    spec = made.get("spec")
    if not isinstance(spec, dict):
        return made
    if spec.get("parallelTrialCount") is None:
        spec["parallelTrialCount"] = PARALLEL_TRIAL_COUNT
    spec["resumePolicy"] = spec.get("resumePolicy") or RESUME_POLICY
    _default_strategies(spec.get("objective"))
    _default_template(spec.get("trialTemplate"))
    _default_collector(spec)
    for parameter in _items(spec, "parameters"):
        space = parameter.get("feasibleSpace") if isinstance(parameter, dict) else None
        if isinstance(space, dict) and isinstance(space.get("distribution"), list) and not space.get("list"):
            # So `search.categorical` of kubeflow-katib 0.19 writes its choices (kubeflow/katib/api/search.py).
            space["list"] = space.pop("distribution")
        if isinstance(space, dict) and not space.get("distribution"):
            space["distribution"] = "uniform"
    return made


def _default_strategies(objective: Any) -> None:
    if not isinstance(objective, dict):
        return
    value = {"minimize": "min", "maximize": "max"}.get(str(objective.get("type")), "latest")
    names = [objective.get("objectiveMetricName"), *_items(objective, "additionalMetricNames")]
    known = [each for each in _items(objective, "metricStrategies") if isinstance(each, dict)]
    told = {str(each.get("name")) for each in known}
    named = dict.fromkeys(name for name in names if isinstance(name, str) and name)
    more = [{"name": name, "value": value} for name in named if name not in told]
    if more:
        objective["metricStrategies"] = [*known, *more]


def _default_template(template: Any) -> None:
    run = template.get("trialSpec") if isinstance(template, dict) else None
    kind = run.get("kind") if isinstance(run, dict) else None
    if kind in ("Job", "TrainJob"):
        _default_conditions(template, "Complete")
    elif kind in _TRAINING_KINDS:
        _default_conditions(template, "Succeeded")
    if isinstance(template, dict) and template and not template.get("primaryPodLabels"):
        if kind == "TrainJob":
            template["primaryPodLabels"] = {
                "jobset.sigs.k8s.io/replicatedjob-name": "node",
                "batch.kubernetes.io/job-completion-index": "0",
            }
        elif kind in _TRAINING_KINDS:
            template["primaryPodLabels"] = {"training.kubeflow.org/job-role": "master"}


def _default_conditions(template: dict[str, Any], succeeded: str) -> None:
    template["successCondition"] = template.get("successCondition") or _holds(succeeded)
    template["failureCondition"] = template.get("failureCondition") or _holds("Failed")


def _default_collector(spec: dict[str, Any]) -> None:
    if spec.get("metricsCollectorSpec") is None:
        spec["metricsCollectorSpec"] = {}
    collecting = spec["metricsCollectorSpec"]
    if not isinstance(collecting, dict):
        return
    if collecting.get("collector") is None:
        collecting["collector"] = {"kind": "StdOut"}
    if not isinstance(collecting["collector"], dict):
        return
    kind = collecting["collector"].get("kind")
    if kind == "PrometheusMetric":
        http = _within(_within(collecting, "source"), "httpGet")
        http["path"] = http.get("path") or "/metrics"
        http["port"] = http.get("port") or 8080
    elif kind == "File":
        path = _within(_within(collecting, "source"), "fileSystemPath")
        for key, value in (("kind", "File"), ("path", _FILE), ("format", "TEXT")):
            path[key] = path.get(key) or value
    elif kind == "TensorFlowEvent":
        path = _within(_within(collecting, "source"), "fileSystemPath")
        for key, value in (("kind", "Directory"), ("path", _EVENTS)):
            path[key] = path.get(key) or value


def _items(found: dict[str, Any], key: str) -> list[Any]:
    """Not yet checked by any schema: it may be anything."""
    items = found.get(key)
    return items if isinstance(items, list) else []


def _within(found: dict[str, Any], key: str) -> dict[str, Any]:
    inner = found.get(key)
    if not isinstance(inner, dict):
        inner = found[key] = {}
    return inner
