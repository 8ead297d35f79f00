"""Mode Standard: plain Kubernetes objects, variants beside the predictor, and what scales it."""

from __future__ import annotations

from sampan.app.definitions import install
from sampan.components.serving.api.kinds import INFERENCE_SERVICES, SCALED_OBJECTS
from sampan.kube import meta
from sampan.kube.kinds import DEPLOYMENTS, HORIZONTAL_POD_AUTOSCALERS, SERVICES

from .conftest import condition, sklearn

STANDARD = {"annotations": {"serving.kserve.io/deploymentMode": "RawDeployment"}}
NO_SCALER = {
    "annotations": {
        "serving.kserve.io/deploymentMode": "Standard",
        "serving.kserve.io/autoscalerClass": "none",
    }
}

KEDA = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": SCALED_OBJECTS.key},
    "spec": {
        "group": SCALED_OBJECTS.group,
        "names": {"kind": SCALED_OBJECTS.kind, "plural": SCALED_OBJECTS.plural},
        "scope": "Namespaced",
        "versions": [
            {
                "name": SCALED_OBJECTS.version,
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
                },
            }
        ],
    },
}


def test_a_deployment_a_service_and_an_autoscaler(run):
    async def scenario(serving):
        spec = sklearn("file:///models/1", minReplicas=2, maxReplicas=4, scaleMetric="cpu", scaleTarget=60)
        await serving.make(metadata=STANDARD, predictor=spec)
        isvc = await serving.becomes()
        status = meta.status(isvc)
        assert status["deploymentMode"] == "Standard"
        assert status["url"] == "http://iris-team.localhost:8080"
        assert status["address"] == {"url": "http://iris-predictor.team.svc.cluster.local"}
        assert status["components"] == {"predictor": {"url": "http://iris-predictor-team.localhost:8080"}}
        assert {each["type"] for each in status["conditions"]} == {
            "IngressReady",
            "PredictorReady",
            "Ready",
            "Stopped",
        }
        (deployment,) = await serving.all(DEPLOYMENTS)
        assert deployment["spec"]["selector"] == {"matchLabels": {"app": "isvc.iris-predictor"}}
        assert deployment["spec"]["replicas"] == 2
        pod = deployment["spec"]["template"]
        assert pod["metadata"]["labels"]["serving.kserve.io/inferenceservice"] == "iris"
        assert pod["metadata"]["labels"]["component"] == "predictor"
        (service,) = await serving.all(SERVICES)
        assert [(each["port"], each["targetPort"]) for each in service["spec"]["ports"]] == [(80, 8080)]
        (scaler,) = await serving.all(HORIZONTAL_POD_AUTOSCALERS)
        assert scaler["spec"]["minReplicas"] == 2
        assert scaler["spec"]["maxReplicas"] == 4
        assert scaler["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"] == 60
        assert scaler["spec"]["behavior"]["scaleUp"]["stabilizationWindowSeconds"] == 0

    run(scenario)


def test_without_a_scaler_replicas_are_the_specs(run):
    async def scenario(serving):
        await serving.make(metadata=NO_SCALER, predictor=sklearn("file:///models/1", minReplicas=3))
        await serving.becomes()
        assert await serving.names(HORIZONTAL_POD_AUTOSCALERS) == []
        await serving.scale("iris-predictor", 1)

        async def back():
            return (await serving.one(DEPLOYMENTS, "iris-predictor"))["spec"]["replicas"] == 3

        await serving.until(back)
        await serving.edit(predictor={"minReplicas": 2})

        async def fewer():
            return (await serving.one(DEPLOYMENTS, "iris-predictor"))["spec"]["replicas"] == 2

        await serving.until(fewer)

    run(scenario)


def test_a_rolling_update_that_fails_is_told_of_and_the_old_goes_on(run):
    async def scenario(serving):
        await serving.make(metadata=STANDARD)
        await serving.becomes()
        (pod,) = await serving.names_of_pods()
        serving.does["iris-predictor"] = "crashes"
        await serving.edit(predictor=sklearn("file:///models/2"))
        isvc = await serving.says(
            lambda status: status["modelStatus"]["transitionStatus"] == "BlockedByFailedLoad"
        )
        assert condition(isvc, "Ready")["status"] == "True"
        model = meta.status(isvc)["modelStatus"]
        assert model["states"] == {"activeModelState": "Loaded", "targetModelState": "FailedToLoad"}
        assert "not a model" in model["lastFailureInfo"]["message"]
        assert pod in await serving.names_of_pods()

    run(scenario)


def test_variants_have_their_share_while_they_are_ready(run):
    async def scenario(serving):
        canary = {
            "predictor": {"name": "v2", "model": {"storageUri": "file:///models/2"}},
            "trafficPercent": 20,
        }
        serving.does["v2"] = "crashes"
        await serving.make(metadata=STANDARD, predictor=sklearn("file:///models/1"), canary=[canary])
        isvc = await serving.becomes(type_="CanaryPredictorReady", status="False")
        (told,) = meta.status(isvc)["canaryStatuses"]
        assert (told["name"], told["ready"], told["trafficPercent"]) == ("v2", False, 20)
        assert await serving.names(DEPLOYMENTS) == ["iris-predictor", "iris-v2-predictor"]
        await serving.act_again("v2", "ready")
        await serving.becomes(type_="CanaryPredictorReady")
        # Promoted without a restart: the variant's name becomes the predictor's own.
        before = meta.uid(await serving.one(DEPLOYMENTS, "iris-v2-predictor"))
        promoted = [
            {"op": "replace", "path": "/spec/predictor/model/storageUri", "value": "file:///models/2"},
            {"op": "add", "path": "/spec/predictor/name", "value": "v2"},
            {"op": "remove", "path": "/spec/canary"},
        ]
        await serving.edit_by(promoted)
        await serving.gone(DEPLOYMENTS, "iris-predictor")
        isvc = await serving.becomes()
        assert meta.uid(await serving.one(DEPLOYMENTS, "iris-v2-predictor")) == before
        assert "canaryStatuses" not in meta.status(isvc)
        assert meta.status(isvc)["address"]["url"] == "http://iris-v2-predictor.team.svc.cluster.local"

    run(scenario)


def test_the_mode_stays(run):
    async def scenario(serving):
        await serving.make(metadata=STANDARD)
        await serving.becomes()
        await serving.edit(metadata={"annotations": {"serving.kserve.io/deploymentMode": "Knative"}})
        isvc = await serving.becomes()
        assert meta.status(isvc)["deploymentMode"] == "Standard"
        assert await serving.names(DEPLOYMENTS) == ["iris-predictor"]
        await serving.client.delete(INFERENCE_SERVICES, "iris", "team")
        await serving.gone(HORIZONTAL_POD_AUTOSCALERS, "iris-predictor")

    run(scenario)


def test_what_cannot_scale_it_is_told(run):
    async def scenario(serving):
        keda = {**STANDARD["annotations"], "serving.kserve.io/autoscalerClass": "keda"}
        await serving.make(metadata={"annotations": keda})
        isvc = await serving.becomes(type_="PredictorReady", status="False")
        assert "the cluster serves no ScaledObject" in condition(isvc, "PredictorReady")["message"]
        await serving.edit(metadata={"annotations": {"serving.kserve.io/autoscalerClass": "external"}})
        await serving.becomes()

    run(scenario)


def test_keda_is_told_where_it_is(run):
    async def scenario(serving):
        await install(serving.client, [KEDA])
        keda = {**STANDARD["annotations"], "serving.kserve.io/autoscalerClass": "keda"}
        metric = {
            "type": "Resource",
            "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}},
        }
        spec = sklearn("file:///models/1", maxReplicas=3, autoScaling={"metrics": [metric]})
        await serving.make(metadata={"annotations": keda}, predictor=spec)
        await serving.becomes()
        made = await serving.one(SCALED_OBJECTS, "iris-predictor")
        assert meta.spec(made)["triggers"][0]["metadata"] == {"value": "50"}
        assert meta.spec(made)["maxReplicaCount"] == 3
        assert await serving.names(HORIZONTAL_POD_AUTOSCALERS) == []
        # KEDA's number stays, and its object goes with the wish.
        await serving.edit(metadata={"annotations": {"serving.kserve.io/autoscalerClass": "hpa"}})
        await serving.gone(SCALED_OBJECTS, "iris-predictor")
        assert await serving.names(HORIZONTAL_POD_AUTOSCALERS) == ["iris-predictor"]

    run(scenario)
