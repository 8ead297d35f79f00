"""Mode Knative: a service comes up, is changed, gets a canary, is promoted and taken back."""

from __future__ import annotations

from sampan.components.serving.api.kinds import INFERENCE_SERVICES, KNATIVE_SERVICES
from sampan.kube import meta
from sampan.kube.kinds import DEPLOYMENTS, ENDPOINT_SLICES, SERVICES

from .conftest import condition, sklearn, traffic


def test_a_model_becomes_ready(run):
    async def scenario(serving):
        await serving.make()
        isvc = await serving.becomes()
        status = meta.status(isvc)
        assert status["url"] == "http://iris-team.localhost:8080"
        assert status["address"] == {"url": "http://iris.team.svc.cluster.local"}
        assert status["deploymentMode"] == "Knative"
        assert status["clusterServingRuntimeName"] == "kserve-sklearnserver"
        predictor = status["components"]["predictor"]
        assert predictor == {
            "latestCreatedRevision": "iris-predictor-00001",
            "latestReadyRevision": "iris-predictor-00001",
            "latestRolledoutRevision": "iris-predictor-00001",
            "traffic": [{"latestRevision": True, "percent": 100, "revisionName": "iris-predictor-00001"}],
            "url": "http://iris-predictor-team.localhost:8080",
            "address": {"url": "http://iris-predictor.team.svc.cluster.local"},
        }
        model = status["modelStatus"]
        assert model["transitionStatus"] == "UpToDate"
        assert model["states"] == {"activeModelState": "Loaded", "targetModelState": "Loaded"}
        assert model["copies"] == {"failedCopies": 0, "totalCopies": 1}
        told = {each["type"]: each["status"] for each in status["conditions"]}
        assert told == {
            "IngressReady": "True",
            "LatestDeploymentReady": "True",
            "PredictorConfigurationReady": "True",
            "PredictorReady": "True",
            "PredictorRouteReady": "True",
            "Ready": "True",
            "RoutesReady": "True",
            "Stopped": "False",
        }
        assert await serving.names(DEPLOYMENTS) == ["iris-predictor-00001-deployment"]
        assert await serving.names(SERVICES) == ["iris", "iris-predictor", "iris-predictor-00001"]
        slice_ = await serving.one(ENDPOINT_SLICES, "iris-predictor")
        assert slice_["endpoints"][0]["addresses"] == ["127.0.0.1"]
        assert slice_["ports"][0]["port"] == 8080
        (deployment,) = await serving.all(DEPLOYMENTS)
        container = deployment["spec"]["template"]["spec"]["containers"][0]
        assert container["args"][0] == "--model_name=iris"
        assert {"name": "INFERENCE_SERVICE_NAME", "value": "iris"} in container["env"]
        assert deployment["spec"]["template"]["spec"]["initContainers"][0]["name"] == "storage-initializer"
        assert await serving.events("InferenceServiceReady") == ["InferenceService [iris] is Ready"]

    run(scenario)


def test_a_canary_is_promoted_and_taken_back(run):
    async def scenario(serving):
        await serving.make()
        await serving.becomes()
        await serving.edit(predictor=sklearn("file:///models/2", canaryTrafficPercent=10))
        isvc = await serving.becomes()
        assert traffic(isvc) == [("2", 10, True, ""), ("1", 90, False, "prev")]
        prev = meta.status(isvc)["components"]["predictor"]["traffic"][1]
        assert prev["url"] == "http://prev-iris-predictor-team.localhost:8080"
        await serving.edit(predictor={"canaryTrafficPercent": None})
        isvc = await serving.becomes()
        assert traffic(isvc) == [("2", 100, True, "")]
        predictor = meta.status(isvc)["components"]["predictor"]
        assert predictor["previousRolledoutRevision"].endswith("00001")
        assert predictor["latestRolledoutRevision"].endswith("00002")
        await serving.edit(predictor={"canaryTrafficPercent": 0})
        isvc = await serving.becomes()
        assert traffic(isvc) == [("2", 0, True, ""), ("1", 100, False, "prev")]
        # No template has changed: there is no third revision.
        assert len(await serving.names(DEPLOYMENTS)) == 2

    run(scenario)


def test_a_revision_that_fails_gets_no_traffic(run):
    async def scenario(serving):
        await serving.make()
        await serving.becomes()
        serving.does["00002"] = "crashes"
        await serving.edit(predictor=sklearn("file:///models/2"))
        isvc = await serving.becomes(status="False")
        assert traffic(isvc) == [("1", 100, True, "")]
        ready = condition(isvc, "PredictorReady")
        assert ready["reason"] == "RevisionFailed"
        assert "ValueError: not a model" in ready["message"]
        model = meta.status(isvc)["modelStatus"]
        assert model["transitionStatus"] == "BlockedByFailedLoad"
        assert model["states"] == {"activeModelState": "Loaded", "targetModelState": "FailedToLoad"}
        failure = model["lastFailureInfo"]
        assert failure["reason"] == "ModelLoadFailed"
        assert failure["exitCode"] == 3
        assert failure["modelRevisionName"] == "iris-predictor-00002"
        assert failure["location"].startswith("iris-predictor-00002-deployment-")
        assert "PredictorReady" in (await serving.events("InferenceServiceNotReady"))[0]
        await serving.edit(predictor=sklearn("file:///models/3"))
        isvc = await serving.becomes()
        assert traffic(isvc) == [("3", 100, True, "")]

    run(scenario)


def test_what_sleeps_is_ready(run):
    async def scenario(serving):
        await serving.make(predictor=sklearn("file:///models/1", minReplicas=0))
        await serving.becomes()
        await serving.scale("iris-predictor-00001-deployment", 0)
        isvc = await serving.says(lambda status: status["modelStatus"]["copies"]["totalCopies"] == 0)
        assert condition(isvc, "Ready")["status"] == "True"
        assert meta.status(isvc)["modelStatus"]["states"]["activeModelState"] == "Loaded"
        # Whatever is written of it, its replicas stay its autoscaler's.
        await serving.stop()
        await serving.start()
        await serving.edit(metadata={"annotations": {"serving.kserve.io/stop": "false"}})
        await serving.becomes()
        first = await serving.one(DEPLOYMENTS, "iris-predictor-00001-deployment")
        assert first["spec"]["replicas"] == 0

    run(scenario)


def test_stopped_and_started(run):
    async def scenario(serving):
        await serving.make()
        await serving.becomes()
        await serving.edit(metadata={"annotations": {"serving.kserve.io/stop": "true"}})
        isvc = await serving.becomes(type_="Stopped")
        assert condition(isvc, "Ready")["reason"] == "Stopped"
        assert "components" not in meta.status(isvc)
        assert "url" not in meta.status(isvc)
        await serving.gone(DEPLOYMENTS, "iris-predictor-00001-deployment")
        assert await serving.names(SERVICES) == []
        await serving.edit(metadata={"annotations": {"serving.kserve.io/stop": "false"}})
        await serving.becomes()

    run(scenario)


def test_what_belongs_to_it_goes_with_it(run):
    async def scenario(serving):
        await serving.make()
        await serving.becomes()
        await serving.client.delete(INFERENCE_SERVICES, "iris", "team")
        await serving.gone(DEPLOYMENTS, "iris-predictor-00001-deployment")
        await serving.gone(SERVICES, "iris")
        await serving.make()
        await serving.becomes()

    run(scenario)


def test_a_target_that_knative_refuses_is_told(run):
    async def scenario(serving):
        await serving.make(metadata={"annotations": {"autoscaling.knative.dev/target": "many"}})
        isvc = await serving.becomes(type_="PredictorReady", status="False")
        told = condition(isvc, "PredictorReady")["message"]
        assert "invalid value: many: autoscaling.knative.dev/target" in told
        await serving.edit(metadata={"annotations": {"autoscaling.knative.dev/target": "5"}})
        await serving.becomes()

    run(scenario)


def test_pods_reach_one_that_speaks_grpc_at_the_port_for_it(run):
    async def scenario(serving):
        await serving.stop()
        await serving.start(grpc_port=9999)
        container = {
            "name": "kserve-container",
            "image": "x",
            "ports": [{"containerPort": 8081, "name": "h2c"}],
        }
        await serving.make(predictor={"containers": [container]})
        await serving.becomes()
        for name in ("iris", "iris-predictor"):
            slice_ = await serving.one(ENDPOINT_SLICES, name)
            assert [(each["name"], each["port"]) for each in slice_["ports"]] == [("h2c", 9999)]
        await serving.make("other")
        await serving.becomes("other")
        assert (await serving.one(ENDPOINT_SLICES, "other-predictor"))["ports"][0]["port"] == 8080

    run(scenario)


def test_clients_of_knative_see_the_component(run):
    """As upstream's e2e reads it: kserve/kserve 0.20 test/e2e/predictor/test_autoscaling.py."""

    async def scenario(serving):
        await serving.make(metadata={"annotations": {"autoscaling.knative.dev/target": "2"}})
        await serving.becomes()
        found = await serving.client.get(KNATIVE_SERVICES, "iris-predictor", "team")
        assert found["spec"]["template"]["metadata"]["annotations"]["autoscaling.knative.dev/target"] == "2"
        assert found["status"]["latestReadyRevisionName"] == "iris-predictor-00001"
        assert [each["percent"] for each in found["status"]["traffic"]] == [100]
        assert {each["type"]: each["status"] for each in found["status"]["conditions"]}["Ready"] == "True"
        await serving.edit(metadata={"annotations": {"serving.kserve.io/stop": "true"}})
        await serving.gone(KNATIVE_SERVICES, "iris-predictor")

    run(scenario)


def test_metrics_are_added_up_beside_the_model(run):
    async def scenario(serving):
        annotations = {"serving.kserve.io/enable-metric-aggregation": "true"}
        await serving.make(metadata={"annotations": annotations})
        await serving.becomes()
        (deployment,) = await serving.all(DEPLOYMENTS)
        names = [each["name"] for each in deployment["spec"]["template"]["spec"]["containers"]]
        assert names == ["kserve-container", "queue-proxy"]
        service = await serving.one(SERVICES, "iris-predictor-00001")
        assert service["spec"]["ports"][0]["targetPort"] == 8080

    run(scenario)
