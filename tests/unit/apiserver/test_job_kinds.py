"""Jobs and CronJobs: what is refused, and in which words."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from sampan.cluster.apiserver.kinds import BUILT_IN
from sampan.kube.fielderrors import FieldErrors
from sampan.kube.kinds import JOBS

POD_SPEC = {"restartPolicy": "Never", "containers": [{"name": "main", "image": "busybox"}]}
STRATEGY = next(strategy for strategy in BUILT_IN if strategy.resource == JOBS)
INDEXED = {"completionMode": "Indexed", "completions": 3}
EXIT = {"operator": "In", "values": [1]}


def made(**spec: Any) -> dict[str, Any]:
    whole = {"template": {"spec": deepcopy(POD_SPEC)}, **deepcopy(spec)}
    obj = {"metadata": {"name": "work", "namespace": "team", "uid": "u"}, "spec": whole}
    STRATEGY.default(obj)
    STRATEGY.prepare_create(obj)
    return obj


def problems(**spec: Any) -> list[tuple[str, str]]:
    errors = FieldErrors()
    STRATEGY.validate(made(**spec), errors)
    return [(cause.field, cause.message) for cause in errors.causes]


def rule(**fields: Any) -> dict[str, Any]:
    return {"podFailurePolicy": {"rules": [fields]}}


def test_a_job_as_it_should_be():
    assert problems() == []
    assert (
        problems(**INDEXED, successPolicy={"rules": [{"succeededIndexes": "0,2", "succeededCount": 1}]}) == []
    )
    assert problems(**rule(action="Ignore", onPodConditions=[{"type": "DisruptionTarget"}])) == []


@pytest.mark.parametrize(
    ("spec", "field", "words"),
    [
        (
            {"maxFailedIndexes": 1, **INDEXED},
            "spec.backoffLimitPerIndex",
            "Required value: when maxFailedIndexes is specified",
        ),
        (
            {"backoffLimitPerIndex": 1},
            "spec.backoffLimitPerIndex",
            "Invalid value: 1: requires indexed completion mode",
        ),
        (
            {"completionMode": "Indexed", "parallelism": 2},
            "spec.completions",
            "Required value: when completion mode is Indexed",
        ),
        (
            {"podReplacementPolicy": "Never"},
            "spec.podReplacementPolicy",
            'Unsupported value: "Never": supported values: "Failed", "TerminatingOrFailed"',
        ),
        (
            rule(action="FailIndex", onExitCodes=EXIT),
            "spec.podFailurePolicy.rules[0].action",
            'Invalid value: "FailIndex": requires the backoffLimitPerIndex to be set',
        ),
        (
            rule(action="Ignore"),
            "spec.podFailurePolicy.rules[0]",
            "Invalid value: specifying one of OnExitCodes and OnPodConditions is required",
        ),
        (
            rule(action="Ignore", onExitCodes={"operator": "In", "values": [2, 1]}),
            "spec.podFailurePolicy.rules[0].onExitCodes.values",
            "Invalid value: [2,1]: must be ordered",
        ),
        (
            rule(action="Ignore", onExitCodes={"operator": "In", "values": [0]}),
            "spec.podFailurePolicy.rules[0].onExitCodes.values[0]",
            "Invalid value: 0: must not be 0 for the In operator",
        ),
        (
            {"successPolicy": {"rules": [{"succeededCount": 1}]}},
            "spec.successPolicy",
            "Invalid value: requires indexed completion mode",
        ),
        (
            {**INDEXED, "successPolicy": {"rules": [{"succeededCount": 4}]}},
            "spec.successPolicy.rules[0].succeededCount",
            "Invalid value: 4: must be less than or equal to 3 (the number of specified completions)",
        ),
        (
            {"managedBy": "nobody"},
            "spec.managedBy",
            'Invalid value: "nobody": must be a domain-prefixed path (such as "acme.io/foo")',
        ),
    ],
)
def test_what_a_job_may_not_be(spec, field, words):
    assert problems(**spec) == [(field, words)]


def test_a_policy_about_failures_needs_pods_that_fail():
    spec = {
        **rule(action="Ignore", onExitCodes=EXIT),
        "template": {"spec": {**POD_SPEC, "restartPolicy": "OnFailure"}},
    }
    assert problems(**spec) == [
        (
            "spec.template.spec.restartPolicy",
            'Invalid value: "OnFailure": only "Never" is supported when podFailurePolicy is specified',
        )
    ]


def change(before: dict[str, Any], status: dict[str, Any], **after: Any) -> set[str]:
    old, new = made(**before), made(**before)
    old["status"] = status
    for key, value in after.items():
        new["spec"][key] = value
    errors = FieldErrors()
    STRATEGY.validate_update(new, old, errors)
    return {cause.field for cause in errors.causes}


def test_where_pods_go_may_change_until_the_first_has_started():
    template = made()["spec"]["template"]
    template["spec"]["nodeSelector"] = {"a": "b"}
    assert change({"suspend": True}, {}, template=template) == set()
    assert change({"suspend": True}, {"startTime": "2026-01-01T00:00:00Z"}, template=template) == {
        "spec.template"
    }
    assert change({}, {}, template=template) == {"spec.template"}
    template["spec"]["containers"][0]["image"] = "other"
    assert change({"suspend": True}, {}, template=template) == {"spec.template"}


def test_completions_change_with_parallelism_only():
    assert change(INDEXED, {}, completions=5) == {"spec.completions"}
    assert change(INDEXED, {}, completions=5, parallelism=5) == set()
    assert change({}, {}, completions=5, parallelism=5) == {"spec.completions"}
