"""The CustomResourceDefinitions of tuning's kinds.

Upstream's know no fields and keep whatever is written; its webhook refuses what is of another type. These name the
fields, and keep what they do not know. Source: kubeflow/katib 0.19 manifests/v1beta1/components/crd and
pkg/apis/controller.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sampan.components.tuning.api import kinds
from sampan.kube.crd_schemas import BOOLEAN, CORE, INT32, TEXT, TEXTS, TIME, Schema, a_list, about, built_in
from sampan.kube.kinds import Resource
from sampan.kube.meta import Object

_ANYTHING: Schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
_NUMBER: Schema = {"type": "number", "format": "double"}


def _open(properties: Schema, description: str = "") -> Schema:
    """An object of these fields, and of whatever else is written."""
    found: Schema = {**_ANYTHING, "properties": properties}
    return {**found, "description": description} if description else found


_NAMED_VALUES = a_list(_open({"name": TEXT, "value": TEXT}))
_ALGORITHM = _open(
    {
        "algorithmName": about(
            TEXT, "By Katib's name, by the name of an Optuna sampler, or as katib-config names it."
        ),
        "algorithmSettings": _NAMED_VALUES,
    }
)
_STOPPING = _open({"algorithmName": TEXT, "algorithmSettings": _NAMED_VALUES})
_OBJECTIVE = _open(
    {
        "type": about(TEXT, "minimize or maximize."),
        "goal": about(_NUMBER, "The experiment ends when a trial has reached it."),
        "objectiveMetricName": about(TEXT, "The metric to optimise."),
        "additionalMetricNames": about(a_list(TEXT), "Further metrics to collect."),
        "metricStrategies": about(_NAMED_VALUES, "Which of a metric's values counts: min, max or latest."),
    }
)
_PARAMETERS = a_list(
    _open(
        {
            "name": TEXT,
            "parameterType": about(TEXT, "double, int, discrete or categorical."),
            "feasibleSpace": _open(
                {
                    "min": TEXT,
                    "max": TEXT,
                    "step": TEXT,
                    "list": a_list(TEXT),
                    "distribution": about(TEXT, "uniform, logUniform, normal or logNormal."),
                }
            ),
        }
    )
)
_COLLECTING = _open(
    {
        "source": _open(
            {
                "httpGet": built_in(f"{CORE}.HTTPGetAction"),
                "fileSystemPath": _open(
                    {
                        "path": TEXT,
                        "kind": about(TEXT, "File or Directory."),
                        "format": about(TEXT, "TEXT or JSON."),
                    }
                ),
                "filter": _open(
                    {"metricsFormat": about(a_list(TEXT), "Regular expressions of a name and a value.")}
                ),
            }
        ),
        "collector": _open(
            {
                "kind": about(TEXT, "StdOut, File, TensorFlowEvent, PrometheusMetric, Custom, Push or None."),
                "customCollector": built_in(f"{CORE}.Container"),
            }
        ),
    },
    "How trials' metrics are found.",
)
_NAS = _open(
    {
        "graphConfig": _open({"numLayers": INT32, "inputSizes": a_list(INT32), "outputSizes": a_list(INT32)}),
        "operations": a_list(_open({"operationType": TEXT, "parameters": _PARAMETERS})),
    },
    "What a neural architecture search may build.",
)
_RUN = {
    "primaryPodLabels": about(
        TEXTS, "Of the pods whose metrics count; all of the trial where nothing is said."
    ),
    "primaryContainerName": about(TEXT, "The container that trains."),
    "successCondition": about(
        TEXT, "A GJSON path in the run object that finds something once it has succeeded."
    ),
    "failureCondition": about(
        TEXT, "A GJSON path in the run object that finds something once it has failed."
    ),
}
_TEMPLATE = _open(
    {
        "retain": about(BOOLEAN, "Whether a trial's run object stays when it has ended."),
        "trialSpec": about(_ANYTHING, "The object that each trial creates."),
        "configMap": _open({"configMapName": TEXT, "configMapNamespace": TEXT, "templatePath": TEXT}),
        "trialParameters": a_list(_open({"name": TEXT, "description": TEXT, "reference": TEXT})),
        **_RUN,
    }
)
_CONDITIONS = a_list(
    {
        **_open(
            {
                "type": TEXT,
                "status": TEXT,
                "reason": TEXT,
                "message": TEXT,
                "lastUpdateTime": TIME,
                "lastTransitionTime": TIME,
            }
        ),
        "required": ["status", "type"],
    }
)
_TIMES = {"startTime": TIME, "completionTime": TIME, "lastReconcileTime": TIME, "conditions": _CONDITIONS}
_OBSERVATION = _open({"metrics": a_list(_open({"name": TEXT, "min": TEXT, "max": TEXT, "latest": TEXT}))})
_RULES = a_list(_open({"name": TEXT, "value": TEXT, "comparison": TEXT, "startStep": INT32}))
_COUNTS = [
    "trials",
    "trialsSucceeded",
    "trialsFailed",
    "trialsKilled",
    "trialsPending",
    "trialsRunning",
    "trialsEarlyStopped",
    "trialMetricsUnavailable",
]
_LISTS = [
    "runningTrialList",
    "pendingTrialList",
    "failedTrialList",
    "succeededTrialList",
    "killedTrialList",
    "earlyStoppedTrialList",
    "metricsUnavailableTrialList",
]

_EXPERIMENT = _open(
    {
        "parameters": about(_PARAMETERS, "What may be chosen, and between which values."),
        "objective": _OBJECTIVE,
        "algorithm": _ALGORITHM,
        "earlyStopping": _STOPPING,
        "trialTemplate": _TEMPLATE,
        "parallelTrialCount": about(INT32, "Trials at a time. 3 where nothing is said."),
        "maxTrialCount": about(INT32, "How many trials end the experiment."),
        "maxFailedTrialCount": about(INT32, "How many failed trials end it."),
        "metricsCollectorSpec": _COLLECTING,
        "nasConfig": _NAS,
        "resumePolicy": about(TEXT, "Never, LongRunning or FromVolume."),
    }
)
_EXPERIMENT_STATUS = _open(
    {
        **_TIMES,
        "currentOptimalTrial": _open(
            {"bestTrialName": TEXT, "parameterAssignments": _NAMED_VALUES, "observation": _OBSERVATION}
        ),
        **dict.fromkeys(_COUNTS, INT32),
        **{name: a_list(TEXT) for name in _LISTS},
    }
)
_SUGGESTION = _open(
    {"algorithm": _ALGORITHM, "earlyStopping": _STOPPING, "requests": INT32, "resumePolicy": TEXT}
)
_SUGGESTION_STATUS = _open(
    {
        **_TIMES,
        "algorithmSettings": _NAMED_VALUES,
        "suggestionCount": INT32,
        "suggestions": a_list(
            _open(
                {
                    "name": TEXT,
                    "parameterAssignments": _NAMED_VALUES,
                    "earlyStoppingRules": _RULES,
                    "labels": TEXTS,
                }
            )
        ),
    }
)
_TRIAL = _open(
    {
        "objective": _OBJECTIVE,
        "parameterAssignments": _NAMED_VALUES,
        "earlyStoppingRules": _RULES,
        "runSpec": about(_ANYTHING, "The object that runs, of any kind."),
        "retainRun": BOOLEAN,
        "metricsCollector": _COLLECTING,
        **_RUN,
        "labels": TEXTS,
    }
)
_TRIAL_STATUS = _open({**_TIMES, "observation": _OBSERVATION})


def _column(name: str, path: str, kind: str = "string") -> Object:
    return {"name": name, "type": kind, "jsonPath": path}


_STATE = (
    _column("Type", ".status.conditions[-1:].type"),
    _column("Status", ".status.conditions[-1:].status"),
)
_AGE = _column("Age", ".metadata.creationTimestamp", "date")
_ASKED = (_column("Requested", ".spec.requests"), _column("Assigned", ".status.suggestionCount"))


def _definition(
    resource: Resource, about: str, spec: Schema, status: Schema, columns: Sequence[Object]
) -> Object:
    properties: dict[str, Any] = {
        "apiVersion": TEXT,
        "kind": TEXT,
        "metadata": {"type": "object"},
        "spec": spec,
        "status": status,
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": resource.key},
        "spec": {
            "group": resource.group,
            "names": {
                "kind": resource.kind,
                "listKind": resource.collection_kind,
                "plural": resource.plural,
                "singular": resource.singular,
                "categories": ["all", "kubeflow", "katib"],
            },
            "scope": "Namespaced",
            "versions": [
                {
                    "name": resource.version,
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": _open(properties, about)},
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": [dict(each) for each in columns],
                }
            ],
        },
    }


DEFINITIONS: tuple[Object, ...] = (
    _definition(
        kinds.EXPERIMENTS,
        "A search for the best parameters, or for an architecture, by trials.",
        _EXPERIMENT,
        _EXPERIMENT_STATUS,
        (*_STATE, _AGE),
    ),
    _definition(
        kinds.SUGGESTIONS,
        "What an experiment's algorithm was asked for, and what it has answered.",
        _SUGGESTION,
        _SUGGESTION_STATUS,
        (*_STATE, *_ASKED, _AGE),
    ),
    _definition(
        kinds.TRIALS,
        "One run with parameters of its own, and what it measured.",
        _TRIAL,
        _TRIAL_STATUS,
        (*_STATE, _AGE),
    ),
)
