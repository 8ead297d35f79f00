"""InferenceServices to routes."""

from __future__ import annotations

import json

import pytest

from sampan.components.serving.api.routing import Target
from sampan.components.serving.engine.inference_services.addresses import AddressError, Domain, external_url
from sampan.components.serving.engine.inference_services.configured import configured
from sampan.components.serving.engine.routing.inference_services import routes as _routes

CONFIG = configured({}, domain="localhost", port=8080, deployment_mode="Knative")


def routes(obj, config):
    return _routes(obj, config.domain)


def isvc(spec=None, status=None, **metadata):
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": "iris", "namespace": "team", "uid": "u", **metadata},
        "spec": spec or {"predictor": {"model": {}}},
        "status": {"deploymentMode": "Knative", **(status or {})},
    }


def component(*traffic, created="iris-predictor-00002"):
    return {
        "latestCreatedRevision": created,
        "traffic": [
            {
                "revisionName": name,
                "percent": percent,
                "latestRevision": False,
                **({"tag": tag} if tag else {}),
            }
            for name, percent, tag in traffic
        ],
    }


SPLIT = component(("iris-predictor-00002", 10, ""), ("iris-predictor-00001", 90, "prev"))


def test_by_host_and_by_path():
    whole, own = routes(isvc(status={"components": {"predictor": SPLIT}}), CONFIG)
    assert whole.hosts == (
        "iris-team.localhost",
        "iris.team",
        "iris.team.svc",
        "iris.team.svc.cluster.local",
    )
    assert whole.prefixes == ("/serving/team/iris",)
    assert own.hosts[0] == "iris-predictor-team.localhost"
    assert own.hosts[-1] == "iris-predictor.team.svc.cluster.local"
    assert not own.prefixes
    (rule,) = whole.rules
    assert [(each.service, each.weight, each.tag) for each in rule.backends] == [
        ("iris-predictor-00002", 10, ""),
        ("iris-predictor-00001", 90, "prev"),
    ]
    assert rule.backends[0].target == Target("team", "iris-predictor-00002-deployment")
    assert rule.backends[0].revision == "iris-predictor-00002"
    assert rule.headers["KServe-Isvc-Name"] == "iris"
    assert own.rules == whole.rules


def test_a_transformer_is_in_front_and_explanations_go_to_the_explainer():
    spec = {"predictor": {"model": {}}, "transformer": {"timeout": 7}, "explainer": {}}
    status = {
        "components": {
            "predictor": SPLIT,
            "transformer": component(("iris-transformer-00001", 100, "")),
            "explainer": component(("iris-explainer-00001", 100, "")),
        }
    }
    whole, predictor, transformer, explainer = routes(isvc(spec, status), CONFIG)
    explain, rest = whole.rules
    assert explain.path == r"/v1/models/[\w.-]+:explain$"
    assert explain.backends[0].service == "iris-explainer-00001"
    assert rest.path == ""
    assert rest.backends[0].service == "iris-transformer-00001"
    assert whole.timeout_seconds == 7
    assert predictor.rules[0].backends[0].service == "iris-predictor-00002"
    assert transformer.hosts[0] == "iris-transformer-team.localhost"
    assert explainer.rules[0].path == ""


def test_a_first_request_waits_for_the_first_revision():
    status = {"components": {"predictor": {"latestCreatedRevision": "iris-predictor-00001"}}}
    whole, _ = routes(isvc(status=status), CONFIG)
    assert whole.refusal == ""
    (backend,) = whole.rules[0].backends
    assert (backend.service, backend.weight) == ("iris-predictor-00001", 100)


def test_what_a_status_says_of_before_is_told_nobody():
    failed = {
        "conditions": [{"type": "PredictorReady", "status": "False", "message": "no such bucket"}],
        "components": {"predictor": {"latestCreatedRevision": "iris-predictor-00001"}},
        "observedGeneration": 1,
    }
    assert routes(isvc(status=failed, generation=1), CONFIG)[0].refusal == "no such bucket"
    # Its spec was changed, which its controller has not seen yet.
    assert routes(isvc(status=failed, generation=2), CONFIG) == ()
    stopped = {"conditions": [{"type": "Stopped", "status": "True"}], "observedGeneration": 1}
    told = {"serving.kserve.io/stop": "true"}
    assert "it is stopped" in routes(isvc(status=stopped, generation=1, annotations=told), CONFIG)[0].refusal
    assert routes(isvc(status=stopped, generation=1), CONFIG) == ()
    serving = {"components": {"predictor": SPLIT}, "observedGeneration": 1}
    assert len(routes(isvc(status=serving, generation=2), CONFIG)) == 2
    standard = {"deploymentMode": "Standard", "url": "http://iris-team.localhost", "observedGeneration": 1}
    assert len(routes(isvc(status=standard, generation=2), CONFIG)) == 2


def test_refusals():
    stopped = isvc(annotations={"serving.kserve.io/stop": "TRUE"}, status={"components": {}})
    assert "it is stopped" in routes(stopped, CONFIG)[0].refusal
    failed = {
        "components": {"predictor": {"latestCreatedRevision": "iris-predictor-00001"}},
        "conditions": [{"type": "PredictorReady", "status": "False", "message": "no such bucket"}],
    }
    assert routes(isvc(status=failed), CONFIG)[0].refusal == "no such bucket"
    # What an older revision serves goes on, whatever has become of the newest.
    serving = {**failed, "components": {"predictor": SPLIT}}
    assert routes(isvc(status=serving), CONFIG)[0].refusal == ""


def test_nobody_is_served_before_it_is_looked_at_or_while_it_goes():
    assert routes(isvc(status={"deploymentMode": ""}), CONFIG) == ()
    assert routes(isvc(deletionTimestamp="2026-01-01T00:00:00Z"), CONFIG) == ()


def test_cluster_local_is_not_public():
    local = isvc(labels={"networking.kserve.io/visibility": "cluster-local"})
    assert not any(route.is_public for route in routes(local, CONFIG))
    assert all(route.is_public for route in routes(isvc(), CONFIG))


def test_standard_mode_and_variants():
    status = {
        "deploymentMode": "Standard",
        "canaryStatuses": [
            {"name": "v2", "ready": True, "trafficPercent": 20},
            {"name": "v3", "ready": False, "trafficPercent": 30},
        ],
    }
    spec = {"predictor": {"model": {}, "containerConcurrency": 3}}
    whole, _ = routes(isvc(spec, status), CONFIG)
    assert [(each.service, each.weight) for each in whole.rules[0].backends] == [
        ("iris-predictor", 80),
        ("iris-v2-predictor", 20),
    ]
    first = whole.rules[0].backends[0]
    assert (first.port, first.target, first.container_concurrency) == (80, None, 3)
    # Of a Service without an address too: the port is looked up in it.
    headless = configured(
        {"service": '{"serviceClusterIPNone": true}'}, domain="x", port=80, deployment_mode="Standard"
    )
    assert routes(isvc(spec, status), headless)[0].rules[0].backends[0].port == 80


def test_names_by_the_configuration():
    ingress = {
        "ingressDomain": "example.com",
        "domainTemplate": "{{ .Name }}.{{.Namespace}}.{{ .IngressDomain }}",
        "additionalIngressDomains": ["more.org", "more.org"],
        "pathTemplate": "/models/{{ .Namespace }}/{{ .Name }}/",
        "urlScheme": "https",
    }
    config = configured({"ingress": json.dumps(ingress)}, domain="x", port=443, deployment_mode="Knative")
    whole, own = routes(isvc(), config)
    assert whole.hosts[:2] == ("iris.team.example.com", "iris.team.more.org")
    assert whole.prefixes == ("/serving/team/iris", "/models/team/iris")
    assert own.hosts[0] == "iris-predictor.team.example.com"
    assert external_url(isvc(), config.domain) == "https://example.com/models/team/iris/"


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ("{{ printf .Name }}.x", "is not understood"),
        ("{{ .Name }}_{{ .Namespace }}", "invalid domain name"),
        ("{{ .Annotations.none }}", "is not among the object"),
    ],
)
def test_a_template_that_gives_no_name_is_told_of(template, why):
    with pytest.raises(AddressError, match=why):
        external_url(isvc(), Domain(template=template))
    # Other names stay.
    config = configured(
        {"ingress": json.dumps({"domainTemplate": template})}, domain="x", port=80, deployment_mode="Knative"
    )
    assert routes(isvc(), config)[0].hosts == ("iris.team", "iris.team.svc", "iris.team.svc.cluster.local")


@pytest.mark.parametrize(
    "data", [{"ingress": "{"}, {"ingress": "[]"}, {"deploy": '{"defaultDeploymentMode": 3}'}]
)
def test_a_section_that_cannot_be_read_is_as_if_it_said_nothing(data):
    assert configured(data, domain="localhost", port=8080, deployment_mode="Knative") == CONFIG
