"""What a suggestion service consists of, beside composer_test.go and defaults_test.go of kubeflow/katib 0.19."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.components.tuning.engine.suggestion.composer import (
    Composition,
    account_of,
    claim_of,
    deployment_of,
    needs_account,
    service_of,
    volume_of,
)

_DEFAULTS = {
    "requests": {"cpu": "50m", "memory": "10Mi", "ephemeral-storage": "500Mi"},
    "limits": {"cpu": "500m", "memory": "100Mi", "ephemeral-storage": "5Gi"},
}


def suggestion(policy: str = "FromVolume", **settings: str) -> dict[str, Any]:
    given = [{"name": key, "value": value} for key, value in settings.items()]
    return {
        "metadata": {
            "name": "search",
            "namespace": "team",
            "uid": "1",
            "labels": {"custom": "label"},
            "annotations": {"custom": "annotation"},
        },
        "spec": {
            "algorithm": {"algorithmName": "guess", "algorithmSettings": given},
            "resumePolicy": policy,
        },
    }


def composed(entry: Any = None, stopping: Any = None, **more: Any) -> Composition:
    entry = {"algorithmName": "guess", "image": "mine:1", **(entry or {})}
    return Composition(suggestion(**more), entry, stopping)


def pod_of(made: Composition) -> Any:
    return deployment_of(made)["spec"]["template"]["spec"]


def first(made: Composition) -> Any:
    return pod_of(made)["containers"][0]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, _DEFAULTS),
        ({"requests": {"cpu": "0"}, "limits": {"memory": 0}}, _DEFAULTS),
        (
            {"requests": {"cpu": "2", "nvidia.com/gpu": "1"}},
            {**_DEFAULTS, "requests": {**_DEFAULTS["requests"], "cpu": "2", "nvidia.com/gpu": "1"}},
        ),
        (
            {
                "requests": {"cpu": "-1", "memory": "-1Mi", "ephemeral-storage": -1},
                "limits": {"cpu": "-1", "memory": "-1", "ephemeral-storage": "-5Gi"},
            },
            {"requests": {}, "limits": {}},
        ),
    ],
    ids=["none", "zero", "some", "negative"],
)
def test_resources_have_defaults(given: Any, expected: Any) -> None:
    found = pod_of(composed({"resources": given} if given else {}, {"image": "stop:1", "resources": given}))
    assert [each["resources"] for each in found["containers"]] == [expected, expected]


@pytest.mark.parametrize(
    ("given", "expected"),
    [("", "IfNotPresent"), ("Sometimes", "IfNotPresent"), ("Always", "Always"), ("Never", "Never")],
)
def test_a_policy_that_is_none_is_if_not_present(given: str, expected: str) -> None:
    entry = {"imagePullPolicy": given}
    found = pod_of(composed(entry, {"image": "stop:1", **entry}))
    assert [each["imagePullPolicy"] for each in found["containers"]] == [expected, expected]


def test_the_rest_of_an_entry_is_its_container() -> None:
    port, mount = {"name": "more", "containerPort": 5000}, {"name": "suggestion-volume", "mountPath": "/mine"}
    probe = {"exec": {"command": ["true"]}}
    entry = {
        "name": "own",
        "command": ["guess"],
        "env": [{"name": "A", "value": "b"}],
        "ports": [port],
        "volumeMounts": [mount],
        "readinessProbe": probe,
        "serviceAccountName": "mine",
        "volumeMountPath": "/other",
    }
    found = first(composed(entry))
    assert "algorithmName" not in found
    assert "serviceAccountName" not in found
    assert (found["name"], found["command"], found["env"]) == ("own", ["guess"], entry["env"])
    assert found["ports"] == [port, {"name": "suggestion-api", "containerPort": 6789}]
    assert found["volumeMounts"] == [mount]
    assert found["readinessProbe"] == probe
    assert found["livenessProbe"]["failureThreshold"] == 12
    assert first(composed({"volumeMountPath": "/other"}))["volumeMounts"][0]["mountPath"] == "/other"
    assert pod_of(composed(entry))["serviceAccountName"] == "mine"
    unprobed = Composition(suggestion(), {"image": "mine:1"}, None, probes=False)
    assert not {"readinessProbe", "livenessProbe"} & set(first(unprobed))


def test_labels_and_annotations_of_the_suggestion_are_its_pods() -> None:
    made = deployment_of(composed())
    labels = {
        "custom": "label",
        "katib.kubeflow.org/deployment": "search-guess",
        "katib.kubeflow.org/experiment": "search",
        "katib.kubeflow.org/suggestion": "search",
        "sidecar.istio.io/inject": "false",
    }
    assert made["spec"]["selector"]["matchLabels"] == labels
    assert made["spec"]["template"]["metadata"] == {
        "labels": labels,
        "annotations": {"custom": "annotation"},
    }
    assert made["metadata"]["name"] == "search-guess"
    (owner,) = made["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["controller"]) == ("Suggestion", "search", True)


def test_early_stopping_has_a_container_a_port_and_an_account() -> None:
    made = composed({}, {"image": "stop:1"}, policy="LongRunning")
    pod = pod_of(made)
    assert [each["name"] for each in pod["containers"]] == ["suggestion", "early-stopping"]
    assert pod["containers"][1]["ports"] == [{"name": "earlystop-api", "containerPort": 6788}]
    assert "volumes" not in pod
    assert pod["serviceAccountName"] == "search-guess"
    assert service_of(made)["spec"]["ports"] == [
        {"name": "suggestion-api", "port": 6789},
        {"name": "earlystop-api", "port": 6788},
    ]
    account, role, binding = (obj for _, obj in account_of(made))
    assert {each["metadata"]["name"] for each in (account, role, binding)} == {"search-guess"}
    assert role["rules"] == [
        {"apiGroups": ["kubeflow.org"], "resources": ["trials", "trials/status"], "verbs": ["*"]}
    ]
    # Who names an account of their own gives it its rights.
    assert not needs_account(composed({"serviceAccountName": "mine"}, {"image": "stop:1"}))
    assert not needs_account(composed())


def test_claims_and_volumes() -> None:
    claim = claim_of(suggestion(), {})
    assert claim["spec"] == {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "1Gi"}},
    }
    given = {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "3Gi"}}}
    spec = {"storageClassName": "fast", **given}
    assert claim_of(suggestion(), {"persistentVolumeClaimSpec": spec})["spec"] == spec
    assert volume_of(suggestion(), {}) is None
    entry = {
        "persistentVolumeSpec": {"capacity": {"storage": "3Gi"}, "hostPath": {"path": "/tmp/here"}},
        "persistentVolumeLabels": {"type": "local"},
    }
    volume = volume_of(suggestion(), entry)
    assert volume is not None
    assert volume["metadata"] == {"name": "search-guess-team", "labels": {"type": "local"}}
    assert volume["spec"]["persistentVolumeReclaimPolicy"] == "Delete"
    assert "ownerReferences" not in volume["metadata"]
