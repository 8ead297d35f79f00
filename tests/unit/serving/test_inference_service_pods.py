"""Components of InferenceServices as pods, Services and scalers."""

from __future__ import annotations

import pytest

from sampan.components.serving.engine.inference_services import pods, revisions, scaling, standard
from sampan.components.serving.engine.inference_services import spec as reading
from sampan.components.serving.engine.inference_services.pods import Disallowed, Runtime, SpecError

EVERYTHING = Disallowed()


def isvc(**spec):
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {
            "name": "iris",
            "namespace": "team",
            "uid": "u",
            "labels": {"team": "a", "networking.knative.dev/visibility": "cluster-local"},
            "annotations": {"mine": "1", "kubectl.kubernetes.io/last-applied-configuration": "{}"},
        },
        "spec": spec,
    }


def template(obj, kind="predictor", runtime=None, disallowed=EVERYTHING):
    return pods.template(obj, reading.component(obj, kind), runtime, disallowed, "iris-predictor")


CUSTOM = {"containers": [{"name": "kserve-container", "image": "x"}]}


def test_labels_and_annotations_are_handed_on_the_last_word_counts():
    obj = isvc(predictor={**CUSTOM, "labels": {"team": "b"}, "annotations": {"own": "2"}})
    runtime = Runtime(CUSTOM, {"team": "r", "of": "runtime"}, {"mine": "0", "prometheus": "y"})
    metadata = template(obj, runtime=runtime)["metadata"]
    assert metadata["labels"] == {
        "team": "b",
        "of": "runtime",
        "serving.kserve.io/inferenceservice": "iris",
        "component": "predictor",
    }
    assert metadata["annotations"] == {"mine": "1", "own": "2", "prometheus": "y"}
    hidden = template(obj, disallowed=Disallowed(frozenset(("mine",)), frozenset(("team",))))["metadata"]
    assert "mine" not in hidden["annotations"]
    assert "team" not in hidden["labels"]


def test_fields_of_the_component_are_none_of_the_pods():
    obj = isvc(
        predictor={
            **CUSTOM,
            "minReplicas": 0,
            "containerConcurrency": 3,
            "logger": {"mode": "all"},
            "serviceAccountName": "reader",
            "nodeSelector": {"a": "b"},
        }
    )
    spec = template(obj)["spec"]
    assert set(spec) == {"containers", "serviceAccountName", "nodeSelector"}
    assert {"name": "INFERENCE_SERVICE_NAME", "value": "iris"} in spec["containers"][0]["env"]


def test_a_transformer_is_told_of_the_predictor():
    obj = isvc(predictor=CUSTOM, transformer={**CUSTOM, "containerConcurrency": 2})
    args = template(obj, "transformer")["spec"]["containers"][0]["args"]
    assert args == [
        *("--model_name", "iris", "--predictor_host", "iris-predictor.team"),
        *("--http_port", "8080", "--workers", "2"),
    ]
    own = {"containers": [{"name": "kserve-container", "args": ["--model_name=x", "--http_port", "9"]}]}
    args = template(isvc(predictor=CUSTOM, transformer=own), "transformer")["spec"]["containers"][0]["args"]
    assert args == ["--model_name=x", "--http_port", "9", "--predictor_host", "iris-predictor.team"]


def test_an_art_explainer():
    art = {"type": "SquareAttack", "storageUri": "gs://a/b", "config": {"nb_classes": "10", "a": "1"}}
    container = template(isvc(predictor=CUSTOM, explainer={"art": art}), "explainer")["spec"]["containers"][0]
    assert container["image"] == "kserve/art-explainer:latest"
    assert container["args"][:8] == [
        *("--adversary_type", "SquareAttack", "--storage_uri", "/mnt/models"),
        *("--a", "1", "--nb_classes", "10"),
    ]


def test_an_alibi_explainer():
    alibi = {
        "type": "AnchorText",
        "storageUri": "gs://a/b",
        "config": {"use_unk": "false", "batch_size": "4"},
        "resources": {"requests": {"cpu": "1"}},
    }
    made = template(isvc(predictor=CUSTOM, explainer={"alibi": alibi}), "explainer")
    container = made["spec"]["containers"][0]
    assert container["image"] == "kserve/alibi-explainer:v0.10.1"
    assert container["resources"] == alibi["resources"]
    assert container["args"] == [
        *("--storage_uri", "/mnt/models", "AnchorText", "--batch_size", "4", "--use_unk", "false"),
        *("--model_name", "iris", "--predictor_host", "iris-predictor.team", "--http_port", "8080"),
    ]


@pytest.mark.parametrize(
    ("said", "image"),
    [
        ({}, "registry.example/aix:7"),
        ({"runtimeVersion": "v1"}, "registry.example/aix:v1"),
        ({"image": "own/aix:2", "runtimeVersion": "v1"}, "own/aix:2"),
    ],
)
def test_the_configmap_says_which_image_explains(said, image):
    obj = isvc(predictor=CUSTOM, explainer={"aix": {"type": "LimeImages", **said}})
    images = {"aix": ("registry.example/aix", "7")}
    component = reading.component(obj, "explainer")
    made = pods.template(obj, component, None, EVERYTHING, "iris-predictor", images)
    assert made["spec"]["containers"][0]["image"] == image
    assert made["spec"]["containers"][0]["args"][:2] == ["--explainer_type", "LimeImages"]


@pytest.mark.parametrize(
    ("args", "port"),
    [
        (["--predictor_host=localhost:8085"], 8085),
        (["--predictor_host", "localhost:8085", "--http_port=8080"], 8085),
        (["--predictor_host=localhost"], 8080),
        ([], 8080),
    ],
)
def test_a_predictor_beside_its_transformer_is_ready_when_it_is(args, port):
    beside = {"name": "transformer-container", "args": args, "ports": [{"containerPort": 8080}]}
    containers = [{"name": "kserve-container"}, beside]
    made = pods.with_default_probes({"spec": {"containers": containers}}, period_seconds=1)
    ports = [each["readinessProbe"]["tcpSocket"]["port"] for each in made["spec"]["containers"]]
    assert ports == [port, 8080]


def test_probes_without_a_port_ask_the_container_s():
    asked = {"readinessProbe": {"httpGet": {"path": "/a"}}, "livenessProbe": {"tcpSocket": {}}}
    container = {"name": "x", "ports": [{"containerPort": 9000}], **asked, "startupProbe": {"exec": {}}}
    made = pods.with_default_probes({"spec": {"containers": [container]}}, period_seconds=1)
    (found,) = made["spec"]["containers"]
    assert found["readinessProbe"] == {"httpGet": {"path": "/a", "port": 9000}}
    assert found["livenessProbe"] == {"tcpSocket": {"port": 9000}}
    assert found["startupProbe"] == {"exec": {}}
    named = {"name": "kserve-container", "livenessProbe": {"httpGet": {"port": "http"}}}
    (found,) = pods.with_default_probes({"spec": {"containers": [named]}}, period_seconds=1)["spec"][
        "containers"
    ]
    assert found["livenessProbe"] == named["livenessProbe"]


@pytest.mark.parametrize("predictor", [{}, {"containers": []}, {"containers": ["x"]}])
def test_nothing_to_run_is_refused(predictor):
    with pytest.raises(SpecError, match="no container"):
        template(isvc(predictor=predictor))


def test_models_that_come_by_themselves_bring_the_puller():
    held = template(isvc(predictor={"sklearn": {}}), runtime=Runtime(CUSTOM))["metadata"]["annotations"]
    assert held["internal.serving.kserve.io/agent"] == "true"
    assert held["internal.serving.kserve.io/configVolumeName"] == "modelconfig-iris-0"
    hf = template(isvc(predictor={"huggingface": {}}), runtime=Runtime(CUSTOM))["metadata"]["annotations"]
    assert "internal.serving.kserve.io/agent" not in hf


def ports(containers, **component):
    of = reading.component(isvc(predictor={**CUSTOM, **component}), "predictor")
    return pods.ports(of, pods.main_container({"containers": containers}), "iris-predictor")


def test_ports():
    plain = {"name": "kserve-container"}
    assert ports([plain]) == [{"name": "iris-predictor", "port": 80, "targetPort": 8080, "protocol": "TCP"}]
    grpc = {**plain, "ports": [{"containerPort": 9000, "name": "h2c"}]}
    assert ports([grpc])[0] == {
        "name": "h2c",
        "port": 80,
        "targetPort": 9000,
        "protocol": "TCP",
        "appProtocol": "kubernetes.io/h2c",
    }
    both = {**plain, "ports": [{"containerPort": 8080}, {"containerPort": 9000, "name": "grpc"}]}
    assert [(each["port"], each["targetPort"]) for each in ports([both])] == [(80, 8080), (9000, 9000)]
    assert all(each.get("name") for each in ports([both]))
    assert ports([both], logger={})[0]["targetPort"] == 9081
    side = {"name": "transformer-container", "ports": [{"containerPort": 7000}]}
    assert ports([both, side])[0]["targetPort"] == 7000


def test_a_port_without_a_name_has_that_of_its_service():
    # A Service's port may have a label's length, where a container's has 15 characters.
    of = reading.component(isvc(predictor=CUSTOM), "predictor")
    (port,) = pods.ports(of, {}, "a-very-long-name-predictor")
    assert port["name"] == "a-very-long-name-predictor"


@pytest.mark.parametrize(
    ("told", "port"),
    [
        ([], 8080),
        ([{"containerPort": 8888}], 8888),
        ([{"containerPort": 9000, "name": "h2c"}, {"containerPort": 8888, "name": "rest"}], 8888),
        ([{"containerPort": 9000, "name": "grpc"}], 8080),
    ],
)
def test_a_service_without_an_address_is_asked_at_the_pods_port(told, port):
    assert pods.http_port(ports([{"name": "kserve-container", "ports": told}])) == port


def of(**spec):
    return reading.component(isvc(predictor={**CUSTOM, **spec}), "predictor")


def annotated(component, held, zero_at_first=False):
    return scaling.knative_annotations(component, held, zero_at_first=zero_at_first)


def test_annotations_for_the_autoscaler():
    assert annotated(of(), {}) == {
        "autoscaling.knative.dev/class": "kpa.autoscaling.knative.dev",
        "autoscaling.knative.dev/min-scale": "1",
    }
    told = of(minReplicas=0, maxReplicas=3, scaleTarget=2, scaleMetric="concurrency")
    assert annotated(told, {"autoscaling.knative.dev/class": "x"}) == {
        "autoscaling.knative.dev/class": "x",
        "autoscaling.knative.dev/min-scale": "0",
        "autoscaling.knative.dev/max-scale": "3",
        "autoscaling.knative.dev/target": "2",
        "autoscaling.knative.dev/metric": "concurrency",
    }


@pytest.mark.parametrize(("initial", "kept"), [("3", True), ("many", False), ("-1", False), ("0", False)])
def test_an_initial_scale_that_cannot_be_is_left_out(initial, kept):
    held = {"autoscaling.knative.dev/initial-scale": initial}
    assert ("autoscaling.knative.dev/initial-scale" in annotated(of(), held)) is kept
    assert ("autoscaling.knative.dev/initial-scale" in annotated(of(), held, True)) is (
        kept or initial == "0"
    )


@pytest.mark.parametrize(
    ("spec", "held", "problem"),
    [
        ({}, {"target": "many"}, "invalid value: many: autoscaling.knative.dev/target"),
        ({"minReplicas": 3, "maxReplicas": 2}, {}, "max-scale=2 is less than min-scale=3"),
        ({"scaleMetric": "cpu"}, {}, "invalid value: cpu: autoscaling.knative.dev/metric"),
    ],
)
def test_what_knative_refuses_is_refused(spec, held, problem):
    with pytest.raises(ValueError, match=problem):
        annotated(of(**spec), {f"autoscaling.knative.dev/{key}": value for key, value in held.items()})


def test_autoscalers_that_there_are_not():
    with pytest.raises(ValueError, match="'mine' is none of hpa"):
        scaling.autoscaler_class({"serving.kserve.io/autoscalerClass": "mine"})


@pytest.mark.parametrize(
    ("annotations", "first"),
    [
        ({}, 1),
        ({"autoscaling.knative.dev/initial-scale": "0"}, 0),
        ({"autoscaling.knative.dev/min-scale": "3"}, 3),
        ({"autoscaling.knative.dev/initial-scale": "many"}, 1),
    ],
)
def test_with_how_many_pods_it_begins(annotations, first):
    assert scaling.first_replicas(annotations) == first


def test_a_horizontal_pod_autoscaler():
    spec = scaling.autoscaler(of(), {"name": "iris-predictor"})["spec"]
    assert (spec["minReplicas"], spec["maxReplicas"]) == (1, 1)
    assert spec["metrics"][0]["resource"]["target"] == {"type": "Utilization", "averageUtilization": 80}
    value = {"type": "AverageValue", "averageValue": "1Gi"}
    several = {
        "metrics": [
            {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization"}}},
            {"type": "Resource", "resource": {"name": "memory", "target": value}},
            {"type": "External", "external": {}},
        ],
        "behavior": {"scaleDown": {}},
    }
    spec = scaling.autoscaler(of(minReplicas=2, maxReplicas=5, autoScaling=several), {"name": "x"})["spec"]
    assert [each["resource"]["target"] for each in spec["metrics"]] == [
        {"type": "Utilization", "averageUtilization": 80},
        value,
    ]
    assert spec["behavior"] == {"scaleDown": {}}


def test_what_makes_a_revision():
    def digest(**more):
        obj = isvc(predictor={"model": {"storageUri": "gs://a"}, **more})
        component = reading.predictor(obj)
        plain = template(obj, runtime=Runtime(CUSTOM))
        return revisions.digest(revisions.with_scaling(plain, component, zero_at_first=False), component)

    first = digest()
    assert digest() == first
    assert digest(canaryTrafficPercent=10) == first
    assert digest(model={"storageUri": "gs://b"}) != first
    assert digest(minReplicas=2) != first
    assert digest(containerConcurrency=1) != first
    assert digest(logger={"mode": "all"}) != first


def test_variants_override_the_predictor():
    obj = isvc(
        predictor={"minReplicas": 5, "maxReplicas": 9, "model": {"storageUri": "a", "args": ["x"]}},
        canary=[
            {"predictor": {"name": "v2", "model": {"storageUri": "b"}}, "trafficPercent": 30},
            {
                "predictor": {"name": "v3", "minReplicas": 1, "model": {"storageUri": "c"}},
                "trafficPercent": 5,
            },
            {"trafficPercent": 5},
        ],
    )
    stable = reading.predictor(obj)
    second, third = standard.canaries(obj, stable)
    assert (second.name, second.canary) == ("iris-v2-predictor", "v2")
    assert second.spec["model"] == {"storageUri": "b", "args": ["x"]}
    assert second.spec["minReplicas"] == 2
    assert "maxReplicas" not in second.spec
    assert third.spec["minReplicas"] == 1
    assert standard.beside_canaries(stable, (second, third)).spec["minReplicas"] == 2
