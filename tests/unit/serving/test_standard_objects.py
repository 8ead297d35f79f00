"""What mode Standard consists of: cases of kserve 0.20's tests of reconcilers (deployment, service, hpa, domain)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sampan.components.serving.engine.inference_services import addresses, pods, scaling, standard
from sampan.components.serving.engine.inference_services.addresses import AddressError, Domain
from sampan.components.serving.engine.inference_services.configured import configured
from sampan.components.serving.engine.inference_services.spec import Component
from sampan.components.serving.engine.inference_services.standard import Rules

ISVC = {
    "metadata": {
        "name": "model",
        "namespace": "test",
        "annotations": {"annotation": "annotation-value"},
        "labels": {"label": "label-value"},
    },
    "spec": {"predictor": {}},
}
SERVER = {"name": "kserve-container"}
EXPORTER = {"name": "exporter", "ports": [{"containerPort": 9100}]}


def predictor(**spec: Any) -> Component:
    return Component("predictor", spec, "model-predictor")


def metrics(**spec: Any) -> list[Any]:
    made = scaling.autoscaler(predictor(**spec), {"name": "model-predictor"})
    return [(each["resource"]["name"], each["resource"]["target"]) for each in made["spec"]["metrics"]]


def resource(name: str, **target: Any) -> dict[str, Any]:
    return {"type": "Resource", "resource": {"name": name, **({"target": target} if target else {})}}


def utilization(percent: int) -> dict[str, Any]:
    return {"type": "Utilization", "averageUtilization": percent}


def test_what_an_autoscaler_looks_at() -> None:
    half = resource("cpu", type="Utilization", averageUtilization=50)
    gibi = resource("memory", type="AverageValue", averageValue="1Gi")
    assert metrics() == [("cpu", utilization(80))]
    assert metrics(scaleMetric="cpu", scaleTarget=50) == [("cpu", utilization(50))]
    assert metrics(scaleMetric="memory", scaleTarget=50) == [("memory", utilization(50))]
    assert metrics(scaleMetric="memory") == []
    assert metrics(autoScaling={"metrics": [resource("cpu")]}) == [("cpu", utilization(80))]
    both = metrics(autoScaling={"metrics": [half, gibi, {"type": "External"}]})
    assert both == [("cpu", utilization(50)), ("memory", {"type": "AverageValue", "averageValue": "1Gi"})]
    assert metrics(autoScaling={"metrics": [resource("disk", type="Value", value="1")]}) == []


@pytest.mark.parametrize(
    ("spec", "least", "most"),
    [
        ({}, 1, 1),
        ({"minReplicas": 0, "maxReplicas": -10}, 1, 1),
        ({"minReplicas": 5, "maxReplicas": 10}, 5, 10),
        ({"minReplicas": 5, "maxReplicas": 2}, 5, 5),
    ],
)
def test_between_what_an_autoscaler_scales(spec: Any, least: int, most: int) -> None:
    made = scaling.autoscaler(predictor(**spec), {"name": "model-predictor"})["spec"]
    assert (made["minReplicas"], made["maxReplicas"]) == (least, most)
    assert made["scaleTargetRef"] == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "name": "model-predictor",
    }


def rules(mode: str, **rollout: str) -> Rules:
    said = {"defaultDeploymentMode": mode, "deploymentRolloutStrategy": {"defaultRollout": rollout}}
    data = {"deploy": json.dumps(said)}
    return configured(data, domain="localhost", port=8080, deployment_mode="Knative").rules


def strategy(told: Any, found: Rules) -> Any:
    spec = {"deploymentStrategy": told} if told else {}
    template = {"metadata": {"labels": {}, "annotations": {}}, "spec": {"containers": [SERVER]}}
    return standard.objects(ISVC, predictor(**spec), template, found).deployment["spec"]["strategy"]


def test_how_deployments_roll() -> None:
    quarter = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"}}
    assert strategy(None, Rules()) == quarter
    said = rules("Standard", maxSurge="2", maxUnavailable="1")
    assert strategy(None, said)["rollingUpdate"] == {"maxUnavailable": "1", "maxSurge": "2"}
    assert strategy(None, rules("RawDeployment", maxSurge="2"))["rollingUpdate"]["maxSurge"] == "2"
    # It is for clusters whose services are so by default, and the service's own word comes first.
    assert strategy(None, rules("Serverless", maxSurge="2", maxUnavailable="1")) == quarter
    assert strategy({"type": "Recreate"}, said) == {"type": "Recreate"}


@pytest.mark.parametrize(
    ("containers", "port"),
    [
        ([SERVER], 8080),
        ([SERVER, EXPORTER], 8080),
        ([{**SERVER, "ports": [{"containerPort": 5000}]}, EXPORTER], 5000),
        ([SERVER, {"name": "transformer-container", "ports": [{"containerPort": 7000}]}], 7000),
        ([{"name": "mine", "ports": [{"containerPort": 6000}]}], 6000),
    ],
)
def test_a_service_leads_to_the_server_and_to_no_sidecar(containers: Any, port: int) -> None:
    (found,) = pods.ports(predictor(), pods.main_container({"containers": containers}), "model-predictor")
    assert (found["port"], found["targetPort"]) == (80, port)


@pytest.mark.parametrize(
    ("template", "host"),
    [
        ("{{ .Name }}-{{ .Namespace }}.{{ .IngressDomain }}", "model-test.example.com"),
        ("{{.Name}}.{{.Namespace}}.{{.IngressDomain}}", "model.test.example.com"),
        (
            "{{ .Name }}.{{ .Annotations.annotation }}.{{ .IngressDomain }}",
            "model.annotation-value.example.com",
        ),
        ("{{ .Name }}.{{ .Labels.label }}.{{ .IngressDomain }}", "model.label-value.example.com"),
        ('{{ .Name }}{{ index .Labels "none" }}.{{ .IngressDomain }}', "model.example.com"),
    ],
)
def test_names_of_endpoints(template: str, host: str) -> None:
    assert addresses.host(ISVC, "model", Domain("example.com", template)) == host


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{{ .ModelName }}.{{ .Namespace }}.{{ .IngressDomain }}", "{{ .ModelName }} is not understood"),
        ("{{ .Name }}_{{ .Namespace }}_{{ .IngressDomain }}", "invalid domain name"),
        ("{{ .Name }}x{{ .Labels.none }}.{{ .IngressDomain }}", "is not among the object's labels"),
    ],
)
def test_templates_that_name_nothing(template: str, words: str) -> None:
    with pytest.raises(AddressError, match=words):
        addresses.host(ISVC, "model", Domain("example.com", template))


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ("", ""),
        ("/path/to/{{ .Namespace }}/{{ .Name }}", "/path/to/test/model"),
        ("/{{{ .Name }}-{{ .Namespace }}.{{ .IngressDomain }}", None),
        ("/{{ .Unknownfield }}/serving/{{ .Namespace }}/{{ .Name }}", None),
        ("myhost/serving/{{ .Namespace }}/{{ .Name }}", None),
        ("http://myhost/serving/{{ .Namespace }}/{{ .Name }}", None),
    ],
)
def test_paths_of_endpoints(template: str, path: str | None) -> None:
    domain = Domain("my.domain", path_template=template)
    if path is not None:
        assert addresses.path(ISVC, domain) == path
    else:
        with pytest.raises(AddressError):
            addresses.path(ISVC, domain)
