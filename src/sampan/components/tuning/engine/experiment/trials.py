"""The Trial that an experiment makes of an assignment.

Source: kubeflow/katib 0.19 pkg/controller.v1beta1/experiment/experiment_controller_util.go (getTrialInstance). The
finalizer, which upstream's trial controller adds in a write of its own, is there from the start.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sampan.components.tuning.api import labels
from sampan.components.tuning.api.kinds import TRIALS
from sampan.components.tuning.engine.template.generator import Template, run_spec
from sampan.kube import meta, owners
from sampan.kube.meta import Object


def trial_of(experiment: Object, template: Template, assignment: Mapping[str, Any], number: int) -> Object:
    """`experiment` with its defaults; `assignment` as the suggestion's status has it; `number` is the trial's place
    among those of the experiment. Raises TemplateError."""
    name, namespace = str(assignment.get("name")), meta.namespace(experiment)
    spec, found = meta.spec(experiment), meta.spec(experiment)["trialTemplate"]
    given = assignment.get("parameterAssignments") or []
    more = dict(assignment.get("labels") or {})
    values = {str(each["name"]): str(each["value"]) for each in given}
    trial: Object = {
        "objective": spec["objective"],
        "parameterAssignments": given,
        "runSpec": run_spec(template, name, namespace, values),
        "metricsCollector": spec.get("metricsCollectorSpec") or {},
    }
    if spec.get("earlyStopping") and assignment.get("earlyStoppingRules"):
        trial["earlyStoppingRules"] = assignment["earlyStoppingRules"]
    if found.get("retain"):
        trial["retainRun"] = True
    for key in ("primaryPodLabels", "primaryContainerName"):
        if found.get(key):
            trial[key] = found[key]
    if found.get("successCondition") and found.get("failureCondition"):
        trial |= {key: found[key] for key in ("successCondition", "failureCondition")}
    if more:
        trial["labels"] = more
    return {
        "apiVersion": TRIALS.api_version,
        "kind": TRIALS.kind,
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {**meta.labels(experiment), labels.EXPERIMENT: meta.name(experiment), **more},
            "finalizers": [labels.CLEAN_METRICS],
            "ownerReferences": [owners.owner_reference(experiment)],
            "annotations": _annotations(experiment, number),
        },
        "spec": trial,
    }


def _annotations(experiment: Object, number: int) -> dict[str, str]:
    where = meta.annotations(experiment).get(labels.TRIALS_IN)
    return {labels.NUMBER: str(number)} | ({labels.TRIALS_IN: where} if where else {})
