"""What is refused about an experiment, and in which words: upstream's validator_test.go, case by case, and beyond."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from sampan.components.tuning.api.defaults import with_defaults
from sampan.components.tuning.controller.experiments.checks import check, surroundings
from sampan.components.tuning.engine.trial.running import check as check_trial

_MAX_TRIALS = {"type": "Succeeded", "status": "True", "reason": "ExperimentMaxTrialsReached"}
_GOAL = {"type": "Succeeded", "status": "True", "reason": "ExperimentGoalReached"}
_TEMPLATE = """
apiVersion: batch/v1
kind: Job
spec: {note: "${trialParameters.learningRate} ${trialParameters.layers}"}
"""


def experiment() -> dict[str, Any]:
    return {
        "apiVersion": "kubeflow.org/v1beta1",
        "kind": "Experiment",
        "metadata": {"name": "search", "namespace": "team"},
        "spec": {
            "objective": {"type": "minimize", "objectiveMetricName": "loss"},
            "algorithm": {"algorithmName": "random"},
            "parallelTrialCount": 2,
            "maxTrialCount": 4,
            "parameters": [
                {
                    "name": "lr",
                    "parameterType": "double",
                    "feasibleSpace": {"min": "0.1", "max": "1"},
                },
                {"name": "layers", "parameterType": "int", "feasibleSpace": {"min": "1", "max": "5"}},
            ],
            "trialTemplate": {
                "primaryContainerName": "main",
                "trialParameters": [
                    {"name": "learningRate", "reference": "lr"},
                    {"name": "layers", "reference": "layers"},
                ],
                "trialSpec": {
                    "apiVersion": "batch/v1",
                    "kind": "Job",
                    "spec": {"args": ["${trialParameters.learningRate}", "${trialParameters.layers}"]},
                },
            },
        },
    }


def put(obj: Any, path: str, value: Any) -> None:
    """`path` with dots; a value of None takes the field away."""
    *steps, last = [int(step) if step.isdecimal() else step for step in path.split(".")]
    for step in steps:
        obj = obj.setdefault(step, {}) if isinstance(obj, dict) else obj[step]
    if value is None:
        del obj[last]
    else:
        obj[last] = value


def told(
    obj: dict[str, Any], old: Any = None, *, config: Any = None, wrong: str = ""
) -> list[tuple[str, str]]:
    around = surroundings(
        lambda namespace, name: {"job": _TEMPLATE} if (namespace, name) == ("there", "templates") else None,
        lambda _made: wrong,
    )
    errors = check(with_defaults(obj), with_defaults(old) if old else None, config, around)
    return [(each.field, each.message) for each in errors.causes]


def one(obj: dict[str, Any], **more: Any) -> tuple[str, str]:
    (found,) = told(obj, **more)
    return found


def test_a_good_one_is_good() -> None:
    assert told(experiment()) == []


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"metadata.name": "Upper"}, "metadata.name", "name must consist of lower case"),
        ({"metadata.name": "1st"}, "metadata.name", "start with an alphabetic character"),
        ({"metadata.name": "a-"}, "metadata.name", "end with an alphanumeric character"),
        ({"metadata.name": "a" * 41}, "metadata.name", "may not be longer than 40 characters"),
        ({"spec.maxFailedTrialCount": -1}, "spec.maxFailedTrialCount", "should not be less than 0"),
        ({"spec.parallelTrialCount": 0}, "spec.parallelTrialCount", "must be greater than 0"),
        (
            {"spec.maxFailedTrialCount": 5},
            "spec.maxFailedTrialCount",
            "should be less than or equal to spec.maxTrialCount",
        ),
        (
            {"spec.parallelTrialCount": 5},
            "spec.parallelTrialCount",
            "should be less than or equal to spec.maxTrialCount",
        ),
        ({"spec.objective": None}, "spec.objective", "must be specified"),
        ({"spec.objective.type": "most"}, "spec.objective.type", "must be minimize or maximize"),
        (
            {"spec.objective.objectiveMetricName": ""},
            "spec.objective.objectiveMetricName",
            "must be specified",
        ),
        (
            {"spec.objective.additionalMetricNames": ["loss"]},
            "spec.objective.additionalMetricNames",
            "should not contain spec.objective.objectiveMetricName",
        ),
        (
            {"spec.objective.metricStrategies": [{"name": "loss", "value": "mean"}]},
            "spec.objective.metricStrategies[0].value",
            "must be min, max or latest",
        ),
        ({"spec.algorithm": None}, "spec.algorithm", "must be specified"),
        ({"spec.algorithm.algorithmName": ""}, "spec.algorithm.algorithmName", "must be specified"),
        (
            {"spec.algorithm.algorithmName": "guess"},
            "spec.algorithm.algorithmName",
            "unable to get Suggestion config data for algorithm guess: "
            "failed to find suggestion config for algorithm: guess in ConfigMap: katib-config",
        ),
        (
            {"spec.algorithm.algorithmSettings": [{"name": "nonsense", "value": "1"}]},
            "spec.algorithm",
            "nonsense",
        ),
        (
            {"spec.earlyStopping": {"algorithmName": "never"}},
            "spec.earlyStopping.algorithmName",
            "unable to get EarlyStopping config data for algorithm never: "
            "failed to find early stopping config for algorithm: never in ConfigMap: katib-config",
        ),
        (
            {
                "spec.earlyStopping": {
                    "algorithmName": "medianstop",
                    "algorithmSettings": [{"name": "start_step", "value": "-1"}],
                }
            },
            "spec.algorithm",
            "start_step",
        ),
        ({"spec.resumePolicy": "Sometimes"}, "spec.resumePolicy", "invalid ResumePolicyType"),
        ({"spec.nasConfig": {"operations": []}}, "spec", "only one of spec.parameters and spec.nasConfig"),
        (
            {"spec.parameters.0.parameterType": "complex"},
            "spec.parameters[0].parameterType",
            "parameterType: complex is not supported",
        ),
        (
            {"spec.parameters.0.feasibleSpace.distribution": "even"},
            "spec.parameters[0].feasibleSpace.distribution",
            "distribution: even is not supported",
        ),
        (
            {"spec.parameters.0.feasibleSpace": {}},
            "spec.parameters[0].feasibleSpace",
            "feasibleSpace must be specified",
        ),
        (
            {"spec.parameters.0.feasibleSpace.list": ["1"]},
            "spec.parameters[0].feasibleSpace.list",
            "feasibleSpace.list is not supported for parameterType: double",
        ),
        (
            {"spec.parameters.1.feasibleSpace.max": ""},
            "spec.parameters[1].feasibleSpace.max",
            "feasibleSpace.max or feasibleSpace.min must be specified for parameterType: int",
        ),
        (
            {"spec.parameters.1.parameterType": "categorical"},
            "spec.parameters[1].feasibleSpace",
            "feasibleSpace .max, .min and .step is not supported for parameterType: categorical",
        ),
        ({"spec.trialTemplate": None}, "spec.trialTemplate", "must be specified"),
        (
            {"spec.trialTemplate.primaryContainerName": ""},
            "spec.trialTemplate.primaryContainerName",
            "must be specified",
        ),
        (
            {"spec.trialTemplate.trialSpec.kind": "Thing"},
            "spec.trialTemplate",
            "successCondition and failureCondition must be specified",
        ),
        (
            {"spec.trialTemplate.trialParameters": None},
            "spec.trialTemplate.trialParameters",
            "must be specified",
        ),
        (
            {"spec.trialTemplate.configMap": {}},
            "spec.trialTemplate",
            "only one of spec.trialTemplate.trialSpec or spec.trialTemplate.configMap can be specified",
        ),
        (
            {"spec.trialTemplate.trialParameters.0.name": "{lr}"},
            "spec.trialTemplate.trialParameters[0]",
            "name and reference must be specified and name must not contain '{' or '}'",
        ),
        (
            {"spec.trialTemplate.trialParameters.1.reference": "depth"},
            "spec.trialTemplate.trialParameters[1].reference",
            "parameter reference depth does not exist in spec.parameters: layers, lr",
        ),
        (
            {"spec.trialTemplate.trialParameters.1.name": "depth"},
            "spec.trialTemplate.trialParameters[1].name",
            "parameter name: depth in spec.trialParameters not found in spec.trialTemplate",
        ),
        (
            {"spec.trialTemplate.trialSpec.spec.more": "${trialParameters.more}"},
            "spec.trialTemplate",
            "parameters: [${trialParameters.more}] in spec.trialTemplate not found in spec.trialParameters",
        ),
        (
            {"spec.trialTemplate.trialSpec.metadata": {"name": "job"}},
            "spec.trialTemplate",
            "metadata.name and metadata.namespace in spec.trialTemplate must be omitted",
        ),
        (
            {"spec.trialTemplate.trialSpec.apiVersion": None},
            "spec.trialTemplate",
            "APIVersion and Kind in spec.trialTemplate must be specified",
        ),
        (
            {"spec.metricsCollectorSpec": {"collector": {"kind": "Guess"}}},
            "spec.metricsCollectorSpec.collector.kind",
            "invalid metrics collector kind: Guess",
        ),
        (
            {
                "spec.metricsCollectorSpec": {
                    "collector": {"kind": "File"},
                    "source": {"fileSystemPath": {"path": "relative"}},
                }
            },
            "spec.metricsCollectorSpec.source.fileSystemPath.path",
            "file path where metrics file exists is required",
        ),
        (
            {
                "spec.metricsCollectorSpec": {
                    "collector": {"kind": "File"},
                    "source": {"fileSystemPath": {"path": "/f", "format": "XML"}},
                }
            },
            "spec.metricsCollectorSpec.source.fileSystemPath.format",
            "format of metrics file is required for metrics collector",
        ),
        (
            {
                "spec.metricsCollectorSpec": {
                    "collector": {"kind": "File"},
                    "source": {"fileSystemPath": {"format": "JSON"}, "filter": {}},
                }
            },
            "spec.metricsCollectorSpec.source.filter",
            "filter must be nil when format of metrics file is json",
        ),
        (
            {
                "spec.metricsCollectorSpec": {
                    "collector": {"kind": "TensorFlowEvent"},
                    "source": {"fileSystemPath": {"kind": "File", "path": "/f"}},
                }
            },
            "spec.metricsCollectorSpec.source",
            "directory path where tensorflow event files exist is required",
        ),
        (
            {
                "spec.metricsCollectorSpec": {
                    "collector": {"kind": "PrometheusMetric"},
                    "source": {"httpGet": {"port": "web"}},
                }
            },
            "spec.metricsCollectorSpec.source.httpGet.port",
            "must be a positive integer value for metrics collector kind: PrometheusMetric",
        ),
        (
            {
                "spec.metricsCollectorSpec": {
                    "collector": {"kind": "PrometheusMetric"},
                    "source": {"httpGet": {"path": "metrics"}},
                }
            },
            "spec.metricsCollectorSpec.source.httpGet.path",
            "path is invalid for metrics collector kind: PrometheusMetric",
        ),
        (
            {"spec.metricsCollectorSpec": {"collector": {"kind": "Custom"}}},
            "spec.metricsCollectorSpec.collector.customCollector",
            "metrics collector kind: Custom is required",
        ),
        (
            {
                "spec.metricsCollectorSpec": {
                    "collector": {"kind": "StdOut"},
                    "source": {"filter": {"metricsFormat": ["(a"]}},
                }
            },
            "spec.metricsCollectorSpec.source.filter.metricsFormat",
            "invalid filter",
        ),
        (
            {
                "spec.metricsCollectorSpec": {
                    "collector": {"kind": "StdOut"},
                    # Python knows it, Go does not; the next one takes either a moment or an hour.
                    "source": {"filter": {"metricsFormat": ["([a-z]+)=(?=x)(x)"]}},
                }
            },
            "spec.metricsCollectorSpec.source.filter.metricsFormat",
            "invalid filter",
        ),
        (
            {
                "spec.metricsCollectorSpec": {
                    "collector": {"kind": "StdOut"},
                    "source": {"filter": {"metricsFormat": ["((" + "[" + ")" * 300_000 + "]" + "))"]}},
                }
            },
            "spec.metricsCollectorSpec.source.filter.metricsFormat",
            "two top subexpressions are required",
        ),
        (
            {
                "spec.metricsCollectorSpec": {
                    "collector": {"kind": "StdOut"},
                    "source": {"filter": {"metricsFormat": ["([a-z]+)=.*"]}},
                }
            },
            "spec.metricsCollectorSpec.source.filter.metricsFormat",
            "two top subexpressions are required",
        ),
    ],
)
def test_what_is_refused(changes: dict[str, Any], field: str, words: str) -> None:
    obj = experiment()
    for path, value in changes.items():
        put(obj, path, value)
    found = told(obj)[0]
    assert found[0] == field
    assert words in found[1]


def test_a_filter_counts_for_nothing_where_values_are_pushed() -> None:
    found = experiment()
    collecting = {"collector": {"kind": "Push"}, "source": {"filter": {"metricsFormat": ["["]}}}
    put(found, "spec.metricsCollectorSpec", collecting)
    assert told(found) == []
    check_trial({"metadata": {"name": "one"}, "spec": {**found["spec"], "metricsCollector": collecting}})


def test_names_of_parameters_come_once() -> None:
    obj = experiment()
    put(obj, "spec.parameters.1.name", "lr")
    assert ("spec.parameters[1].name", 'Duplicate value: "lr"') in told(obj)


def test_a_maximum_of_none_is_told_with_what_exceeds_it() -> None:
    obj = experiment()
    put(obj, "spec.maxTrialCount", 0)
    assert told(obj)[0] == ("spec.maxTrialCount", "Invalid value: 0: must be greater than 0")


def test_nothing_to_search() -> None:
    obj = experiment()
    put(obj, "spec.parameters", [])
    found = told(obj)
    assert ("spec", "Required value: spec.parameters or spec.nasConfig must be specified") in found


def test_parameters_that_no_trial_would_get() -> None:
    obj = experiment()
    put(obj, "spec.trialTemplate.trialParameters", [{"name": "learningRate", "reference": "lr"}])
    put(obj, "spec.trialTemplate.trialSpec.spec.args", ["${trialParameters.learningRate}"])
    found = one(obj)
    assert found[0] == "spec.trialTemplate.trialParameters"
    assert "no trialParameter refers to the parameters layers of spec.parameters" in found[1]


@pytest.mark.parametrize(
    ("field", "other", "words"),
    [
        ("name", "learningRate", "parameter name learningRate can't"),
        ("reference", "lr", "parameter reference lr can't"),
    ],
)
def test_parameters_of_the_template_come_once(field: str, other: str, words: str) -> None:
    obj = experiment()
    put(obj, f"spec.trialTemplate.trialParameters.1.{field}", other)
    found = dict(told(obj))
    assert words in found[f"spec.trialTemplate.trialParameters[1].{field}"]


def test_a_template_in_a_config_map() -> None:
    obj = experiment()
    put(obj, "spec.trialTemplate.trialSpec", None)
    template = obj["spec"]["trialTemplate"]
    template |= {"successCondition": "a", "failureCondition": "b"}
    assert "spec.trialTemplate.trialSpec or spec.trialTemplate.configMap must be" in one(obj)[1]
    template["configMap"] = {"configMapName": "templates", "configMapNamespace": "there"}
    assert one(obj)[0] == "spec.trialTemplate.configMap"
    template["configMap"]["templatePath"] = "no"
    assert "unable to find trial template in ConfigMap: TemplatePath: no" in one(obj)[1]
    template["configMap"]["templatePath"] = "job"
    assert told(obj) == []
    template["configMap"]["configMapNamespace"] = "elsewhere"
    assert 'configMap not found: configmaps "templates" not found' in one(obj)[1]


def test_an_object_that_the_server_would_not_take() -> None:
    assert one(experiment(), wrong="no such kind") == (
        "spec.trialTemplate",
        'Invalid value: "": invalid spec.trialTemplate: no such kind',
    )


def edited(conditions: list[dict[str, str]], policy: str, **spec: Any) -> list[tuple[str, str]]:
    old = experiment()
    old["spec"]["resumePolicy"] = policy
    old["status"] = {"trials": 4, "conditions": conditions}
    new = copy.deepcopy(old)
    new["spec"] |= spec
    return told(new, old=old)


@pytest.mark.parametrize(
    ("conditions", "policy", "spec", "field"),
    [
        ([], "Never", {"maxTrialCount": 8, "parallelTrialCount": 3, "maxFailedTrialCount": 1}, ""),
        ([], "Never", {"maxTrialCount": 4, "parallelTrialCount": 1}, "spec.maxTrialCount"),
        ([], "Never", {"maxTrialCount": 8, "resumePolicy": "LongRunning"}, "spec"),
        ([_MAX_TRIALS], "LongRunning", {"maxTrialCount": 5}, ""),
        ([_MAX_TRIALS], "FromVolume", {"maxTrialCount": 5}, ""),
        ([_MAX_TRIALS], "Never", {"maxTrialCount": 5}, "spec.resumePolicy"),
        ([_GOAL], "LongRunning", {"maxTrialCount": 5}, "spec.resumePolicy"),
    ],
)
def test_only_counts_are_edited(
    conditions: list[dict[str, str]], policy: str, spec: dict[str, Any], field: str
) -> None:
    assert [each[0] for each in edited(conditions, policy, **spec)] == ([field] if field else [])


def test_algorithms_that_do_not_know_of_several_objectives() -> None:
    obj = experiment()
    put(obj, "spec.algorithm.algorithmName", "cmaes")
    put(obj, "spec.objective.additionalMetricNames", ["latency"])
    obj["metadata"]["annotations"] = {"sampan.dev/objectives": '{"latency": "minimize"}'}
    assert "cmaes does not know of several objectives" in one(obj)[1]
    obj["metadata"]["annotations"] = {"sampan.dev/objectives": '{"speed": "minimize"}'}
    assert "speed is no metric of this experiment" in one(obj)[1]


def config(**runtime: Any) -> dict[str, Any]:
    return {"data": {"katib-config.yaml": json.dumps({"runtime": runtime})}}


def test_algorithms_of_the_users_own() -> None:
    obj = experiment()
    put(obj, "spec.algorithm", {"algorithmName": "guess", "algorithmSettings": [{"name": "a", "value": "1"}]})
    image = {"algorithmName": "guess", "image": "mine/guess:1"}
    assert told(obj, config=config(suggestions=[image])) == []
    assert (
        "required value for image configuration of algorithm name: guess"
        in (one(obj, config=config(suggestions=[{"algorithmName": "guess", "image": " "}]))[1])
    )
    ports = {"ports": [{"name": "mine", "containerPort": 6789}]}
    assert (
        'a port with name "suggestion-api" or number 6789 must not be specified'
        in (one(obj, config=config(suggestions=[image | ports]))[1])
    )
    assert "failed to find katib-config.yaml" in one(obj, config={"data": {}})[1]


def test_settings_of_a_service_of_the_users_own_are_its_own() -> None:
    obj = experiment()
    obj["spec"]["algorithm"]["algorithmSettings"] = [{"name": "nonsense", "value": "1"}]
    mine = [{"algorithmName": "random", "image": "mine/random:1"}]
    upstream = [{"algorithmName": "random", "image": "ghcr.io/kubeflow/katib/suggestion-hyperopt:v0.19.0"}]
    counts = [len(told(obj, config=config(suggestions=each))) for each in (mine, upstream)]
    assert counts == [0, 1]
