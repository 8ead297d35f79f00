"""`sampan.components.tuning.api.defaults`, against what upstream's defaulter writes."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.components.tuning.api.defaults import with_defaults

_COMPLETE = 'status.conditions.#(type=="Complete")#|#(status=="True")#'
_SUCCEEDED = 'status.conditions.#(type=="Succeeded")#|#(status=="True")#'
_FAILED = 'status.conditions.#(type=="Failed")#|#(status=="True")#'


def _spec(**spec: Any) -> dict[str, Any]:
    found: dict[str, Any] = with_defaults({"spec": spec})["spec"]
    return found


def test_an_empty_one_says_how_many_and_where_from() -> None:
    assert _spec() == {
        "parallelTrialCount": 3,
        "resumePolicy": "Never",
        "metricsCollectorSpec": {"collector": {"kind": "StdOut"}},
    }


def test_strategies_follow_the_objective_and_keep_what_was_said() -> None:
    objective = {
        "type": "maximize",
        "objectiveMetricName": "accuracy",
        "additionalMetricNames": ["loss", "accuracy"],
        "metricStrategies": [{"name": "loss", "value": "latest"}],
    }
    assert _spec(objective=objective)["objective"]["metricStrategies"] == [
        {"name": "loss", "value": "latest"},
        {"name": "accuracy", "value": "max"},
    ]


@pytest.mark.parametrize(
    ("kind", "success", "labels"),
    [
        ("Job", _COMPLETE, None),
        ("TrainJob", _COMPLETE, {"jobset.sigs.k8s.io/replicatedjob-name": "node"}),
        ("PyTorchJob", _SUCCEEDED, {"training.kubeflow.org/job-role": "master"}),
        ("JAXJob", _SUCCEEDED, {"training.kubeflow.org/job-role": "master"}),
    ],
)
def test_jobs_have_conditions_and_a_primary_pod(
    kind: str, success: str, labels: dict[str, str] | None
) -> None:
    template = _spec(trialTemplate={"trialSpec": {"kind": kind}})["trialTemplate"]
    assert (template["successCondition"], template["failureCondition"]) == (success, _FAILED)
    assert (labels or {}).items() <= (template.get("primaryPodLabels") or {}).items()
    assert ("primaryPodLabels" in template) == (labels is not None)


def test_other_kinds_must_say_it_themselves() -> None:
    assert _spec(trialTemplate={"trialSpec": {"kind": "Workflow"}})["trialTemplate"] == {
        "trialSpec": {"kind": "Workflow"}
    }


@pytest.mark.parametrize(
    ("kind", "source"),
    [
        (
            "File",
            {"fileSystemPath": {"kind": "File", "path": "/var/log/katib/metrics.log", "format": "TEXT"}},
        ),
        ("TensorFlowEvent", {"fileSystemPath": {"kind": "Directory", "path": "/var/log/katib/tfevent/"}}),
        ("PrometheusMetric", {"httpGet": {"path": "/metrics", "port": 8080}}),
    ],
)
def test_collectors_know_where_to_look(kind: str, source: dict[str, Any]) -> None:
    assert (
        _spec(metricsCollectorSpec={"collector": {"kind": kind}})["metricsCollectorSpec"]["source"] == source
    )


def test_twice_is_once() -> None:
    spec = {
        "objective": {"type": "minimize", "objectiveMetricName": "loss"},
        "parameters": [{"name": "lr", "feasibleSpace": {"min": "0", "max": "1"}}],
        "trialTemplate": {"trialSpec": {"kind": "TFJob"}},
        "metricsCollectorSpec": {"collector": {"kind": "File"}},
    }
    once = with_defaults({"spec": spec})
    assert with_defaults(once) == once
    assert once["spec"]["parameters"][0]["feasibleSpace"]["distribution"] == "uniform"


def test_choices_that_the_sdk_writes_elsewhere_are_choices() -> None:
    """kubeflow-katib 0.19's `search.categorical` puts them where the distribution belongs."""
    written = {"name": "kind", "parameterType": "categorical", "feasibleSpace": {"distribution": ["a", "b"]}}
    (parameter,) = with_defaults({"spec": {"parameters": [written]}})["spec"]["parameters"]
    assert parameter["feasibleSpace"] == {"list": ["a", "b"], "distribution": "uniform"}
