"""Services of Knative's that users make, as the InferenceServices that run in their place."""

from __future__ import annotations

from typing import Any

from sampan.components.serving.engine.knative import following
from sampan.kube.fielderrors import FieldErrors

NOW = "2026-11-26T00:00:00Z"


def service(*containers: dict[str, Any], template: Any = None, **spec: Any) -> dict[str, Any]:
    pod = {"containers": list(containers), **spec.pop("pod", {})}
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": "dumper", "namespace": "team", "generation": 3},
        "spec": {"template": {"spec": pod, "metadata": template or {}}, **spec},
    }


def predictor(of: dict[str, Any]) -> Any:
    return following.mirror(of)["spec"]["predictor"]


def test_a_container_is_a_predictor_that_sleeps_unless_something_else_is_said() -> None:
    made = following.mirror(service({"image": "events"}))
    assert made["metadata"]["name"] == "dumper"
    its = made["spec"]["predictor"]
    assert its["minReplicas"] == 0
    assert "maxReplicas" not in its
    (container,) = its["containers"]
    assert (container["name"], container["image"]) == ("kserve-container", "events")
    assert container["ports"] == [{"containerPort": 8080}]
    told = {each["name"]: each.get("value") for each in container["env"]}
    assert told["PORT"] == "8080"
    assert told["K_SERVICE"] == "dumper"


def test_what_knative_says_by_annotations_and_fields() -> None:
    annotations = {
        "autoscaling.knative.dev/minScale": "1",
        "autoscaling.knative.dev/max-scale": "3",
        "autoscaling.knative.dev/target": "5",
    }
    pod = {"timeoutSeconds": 30, "containerConcurrency": 2, "serviceAccountName": "a"}
    told = service(
        {"image": "beside", "name": "b"},
        {"image": "x", "ports": [{"containerPort": 9}], "env": [{"name": "PORT", "value": "1"}]},
        template={"annotations": annotations, "labels": {"l": "1"}},
        pod=pod,
        traffic=[{"latestRevision": True, "percent": 20}, {"revisionName": "dumper-00001", "percent": 80}],
    )
    made, its = following.mirror(told), predictor(told)
    assert (its["minReplicas"], its["maxReplicas"], its["timeout"]) == (1, 3, 30)
    assert (its["containerConcurrency"], its["serviceAccountName"]) == (2, "a")
    assert its["canaryTrafficPercent"] == 20
    assert its["labels"] == {"l": "1"}
    assert [each["name"] for each in its["containers"]] == ["kserve-container", "b"]
    assert its["containers"][0]["env"][0] == {"name": "PORT", "value": "1"}
    passed = dict(made["metadata"]["annotations"])
    digest = passed.pop(following.DIGEST)
    assert passed == {"autoscaling.knative.dev/target": "5"}
    told["spec"]["template"]["metadata"]["annotations"].pop("autoscaling.knative.dev/max-scale")
    assert following.mirror(told)["metadata"]["annotations"][following.DIGEST] != digest


def test_what_has_no_container_is_refused() -> None:
    for spec, field in (
        (service(), "spec.template.spec.containers"),
        (service({"name": "x"}), "spec.template.spec.containers[0].image"),
        ({"metadata": {"name": "x"}}, "spec.template.spec.containers"),
    ):
        errors = FieldErrors()
        following.check(spec, errors)
        assert [each.field for each in errors.causes] == [field]


def test_its_status_is_the_predictors() -> None:
    conditions = [
        {"type": "Ready", "status": "False", "reason": "Later", "message": "soon"},
        {"type": "PredictorConfigurationReady", "status": "True"},
        {"type": "PredictorRouteReady", "status": "Unknown"},
    ]
    theirs = {
        "url": "http://dumper-team.localhost",
        "address": {"url": "http://dumper.team.svc.cluster.local"},
        "observedGeneration": 1,
        "conditions": conditions,
        "components": {"predictor": {"latestReadyRevision": "dumper-predictor-00001"}},
    }
    said = following.status(service({}), {"metadata": {"generation": 1}, "status": theirs}, NOW)
    assert said["url"] == theirs["url"]
    assert said["latestReadyRevisionName"] == "dumper-predictor-00001"
    assert said["observedGeneration"] == 3
    assert {each["type"]: each["status"] for each in said["conditions"]} == {
        "ConfigurationsReady": "True",
        "RoutesReady": "Unknown",
        "Ready": "False",
    }
    # What was said of the spec before counts no longer.
    said = following.status(service({}), {"metadata": {"generation": 2}, "status": theirs}, NOW)
    assert {each["status"] for each in said["conditions"]} == {"Unknown"}


def test_those_that_show_a_component_are_nobodys() -> None:
    owner = {"apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService", "controller": True}
    shown = service({"image": "x"})
    assert following.is_users(shown)
    shown["metadata"]["ownerReferences"] = [owner]
    assert not following.is_users(shown)
