"""Deployments and their kin: defaults, and what is refused in which words."""

from __future__ import annotations

from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

import pytest

from sampan.cluster.apiserver.kinds import BUILT_IN
from sampan.cluster.apiserver.scale import scale_of
from sampan.kube import kinds
from sampan.kube.fielderrors import FieldErrors

TEMPLATE = {
    "metadata": {"labels": {"app": "web"}},
    "spec": {"containers": [{"name": "main", "image": "busybox"}]},
}
SPEC = {"selector": {"matchLabels": {"app": "web"}}, "template": TEMPLATE}
STRATEGIES = {strategy.resource: strategy for strategy in BUILT_IN}


def defaulted(resource: kinds.Resource, **spec: Any) -> dict[str, Any]:
    whole = {key: value for key, value in {**SPEC, **spec}.items() if value is not None}
    obj = {"metadata": {"name": "web", "namespace": "team"}, "spec": deepcopy(whole)}
    STRATEGIES[resource].default(obj)
    return obj


def problems(resource: kinds.Resource, **spec: Any) -> dict[str, str]:
    errors = FieldErrors()
    STRATEGIES[resource].validate(defaulted(resource, **spec), errors)
    return {cause.field: cause.message for cause in errors.causes}


def test_a_deployment_rolls_a_quarter_at_a_time_by_default():
    spec = defaulted(kinds.DEPLOYMENTS)["spec"]
    rolling = {"maxSurge": "25%", "maxUnavailable": "25%"}
    assert spec["strategy"] == {"type": "RollingUpdate", "rollingUpdate": rolling}
    assert (spec["replicas"], spec["revisionHistoryLimit"], spec["progressDeadlineSeconds"]) == (1, 10, 600)
    assert spec["template"]["spec"]["restartPolicy"] == "Always"


@pytest.mark.parametrize(
    "resource", [kinds.DEPLOYMENTS, kinds.REPLICA_SETS, kinds.STATEFUL_SETS, kinds.DAEMON_SETS]
)
def test_the_selector_must_match_the_template(resource):
    assert problems(resource) == {}
    missing = problems(resource, selector=None)
    assert missing["spec.selector"] == "Required value"
    assert "`selector` does not match template `labels`" in missing["spec.template.metadata.labels"]
    other = problems(resource, selector={"matchLabels": {"app": "other"}})
    assert "`selector` does not match template `labels`" in other["spec.template.metadata.labels"]
    assert "empty selector is invalid for" in problems(resource, selector={})["spec.selector"]
    never = deepcopy(TEMPLATE)
    never["spec"]["restartPolicy"] = "Never"
    words = 'Unsupported value: "Never": supported values: "Always"'
    assert problems(resource, template=never)["spec.template.spec.restartPolicy"] == words


@pytest.mark.parametrize(
    ("spec", "field", "words"),
    [
        ({"replicas": -1}, "spec.replicas", "Invalid value: -1: must be greater than or equal to 0"),
        (
            {"strategy": {"type": "Recreate", "rollingUpdate": {"maxSurge": 1}}},
            "spec.strategy.rollingUpdate",
            "Forbidden: may not be specified when strategy `type` is 'Recreate'",
        ),
        (
            {"strategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": "0%"}}},
            "spec.strategy.rollingUpdate.maxUnavailable",
            'Invalid value: "0%": may not be 0 when `maxSurge` is 0',
        ),
        (
            {"strategy": {"rollingUpdate": {"maxUnavailable": "101%"}}},
            "spec.strategy.rollingUpdate.maxUnavailable",
            'Invalid value: "101%": must not be greater than 100%',
        ),
        (
            {"minReadySeconds": 600},
            "spec.progressDeadlineSeconds",
            "Invalid value: 600: must be greater than minReadySeconds",
        ),
    ],
)
def test_what_a_deployment_may_not_be(spec, field, words):
    assert problems(kinds.DEPLOYMENTS, **spec) == {field: words}


def test_a_selector_is_fixed():
    old, new = defaulted(kinds.DEPLOYMENTS), defaulted(kinds.DEPLOYMENTS)
    new["spec"]["selector"] = {"matchLabels": {"app": "web", "tier": "a"}}
    errors = FieldErrors()
    STRATEGIES[kinds.DEPLOYMENTS].validate_update(new, old, errors)
    assert [(cause.field, "field is immutable" in cause.message) for cause in errors.causes] == [
        ("spec.selector", True)
    ]


def test_claim_templates_are_volumes_of_a_stateful_set():
    template = deepcopy(TEMPLATE)
    template["spec"]["containers"][0]["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]
    claim = {"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"]}}
    assert problems(kinds.STATEFUL_SETS, template=template, volumeClaimTemplates=[claim]) == {}
    assert "spec.template.spec.containers[0].volumeMounts[0].name" in problems(
        kinds.STATEFUL_SETS, template=template
    )


def test_few_fields_of_a_stateful_set_may_change():
    old = defaulted(kinds.STATEFUL_SETS)
    for change, refused in (({"replicas": 3, "minReadySeconds": 2}, False), ({"serviceName": "other"}, True)):
        new = deepcopy(old)
        new["spec"] |= change
        errors = FieldErrors()
        STRATEGIES[kinds.STATEFUL_SETS].validate_update(new, old, errors)
        assert bool(errors) is refused


def test_columns_of_a_deployment():
    obj = defaulted(kinds.DEPLOYMENTS, replicas=3)
    obj["status"] = {"readyReplicas": 2, "updatedReplicas": 3, "availableReplicas": 1}
    columns = {column.name: column for column in STRATEGIES[kinds.DEPLOYMENTS].columns}
    now = datetime.now(UTC)
    shown = [
        columns[name].value(obj, now) for name in ("Ready", "Up-to-date", "Available", "Images", "Selector")
    ]
    assert shown == ["2/3", 3, 1, "busybox", "app=web"]


def test_a_scale_shows_the_selector_as_text():
    obj = defaulted(kinds.REPLICA_SETS, replicas=3)
    obj["spec"]["selector"] = {
        "matchExpressions": [
            {"key": "b", "operator": "In", "values": ["2", "1"]},
            {"key": "c", "operator": "Exists"},
        ],
        "matchLabels": {"a": "x"},
    }
    obj["status"] = {"replicas": 2}
    scale = scale_of(obj, STRATEGIES[kinds.REPLICA_SETS].scale)
    assert scale["spec"] == {"replicas": 3}
    assert scale["status"] == {"replicas": 2, "selector": "a=x,b in (1,2),c"}


def test_annotations_of_a_deployment_count_as_a_change():
    old, new = defaulted(kinds.DEPLOYMENTS), defaulted(kinds.DEPLOYMENTS)
    old["metadata"]["generation"] = new["metadata"]["generation"] = 4
    strategy = STRATEGIES[kinds.DEPLOYMENTS]
    strategy.prepare_update(new, old, "")
    assert new["metadata"]["generation"] == 4
    new["metadata"]["annotations"] = {"a": "b"}
    strategy.prepare_update(new, old, "")
    assert new["metadata"]["generation"] == 5
