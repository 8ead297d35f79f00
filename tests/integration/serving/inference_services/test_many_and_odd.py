"""Many services at once, and such as nobody should write: each costs itself, and no other."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sampan.components.serving.api.kinds import INFERENCE_SERVICES, SERVING_RUNTIMES
from sampan.components.serving.controller.inference_services.templates import RefusedError, Templates
from sampan.components.serving.engine.inference_services import spec as reading
from sampan.components.serving.engine.inference_services.configured import configured
from sampan.components.serving.engine.routing.inference_services import routes
from sampan.kube import meta
from sampan.kube.errors import AlreadyExistsError, ApiError
from sampan.kube.kinds import DEPLOYMENTS, EVENTS, SECRETS, SERVICE_ACCOUNTS, SERVICES
from sampan.testing.quiet import until_quiet

from .conftest import condition, sklearn, traffic


class Counting:
    """A client that counts what is written by it."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.writes: list[str] = []

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._client, name)
        if name not in ("create", "patch", "replace", "delete"):
            return real

        async def write(resource: Any, *args: Any, **more: Any) -> Any:
            if resource != EVENTS:
                self.writes.append(f"{name} {resource.plural}")
            return await real(resource, *args, **more)

        return write


@pytest.mark.parametrize("many", [15, pytest.param(200, marks=pytest.mark.slow)])
def test_many_come_up_and_then_nothing_is_written(run, many):
    async def scenario(serving):
        await serving.stop()
        serving.patience = 100.0
        counting = Counting(serving.client)
        await serving.start(counting)
        names = [f"s{number}" for number in range(many)]
        await asyncio.gather(*(serving.make(name, predictor=sklearn("gs://a/b")) for name in names))
        for name in names:
            await serving.becomes(name)
        # Two Services with slices for the entrances, one Service and one Deployment, its label, Knative's Service and
        # its status, and the status.
        assert len(counting.writes) <= many * 13
        await until_quiet(serving.client)
        counting.writes.clear()
        await asyncio.sleep(0.5)
        assert counting.writes == []
        # A restart finds everything as it is.
        await serving.stop()
        await serving.start(counting)
        await asyncio.sleep(1.0)
        assert counting.writes == []

    run(scenario)


def test_a_service_that_is_somebody_elses_is_told_of(run):
    async def scenario(serving):
        spec = {"ports": [{"port": 80}], "selector": {"a": "b"}}
        await serving.client.create(
            SERVICES, {"metadata": {"name": "iris", "namespace": "team"}, "spec": spec}
        )
        await serving.make()
        isvc = await serving.becomes(status="False", type_="IngressReady")
        assert "There is an existing Service 'iris'" in condition(isvc, "IngressReady")["message"]
        assert (await serving.one(SERVICES, "iris"))["spec"]["selector"] == {"a": "b"}
        other = await serving.make("other")
        assert other
        await serving.becomes("other")

    run(scenario)


def test_no_runtime_is_told_of_and_one_that_comes_is_taken(run):
    async def scenario(serving):
        model = {"modelFormat": {"name": "onnx"}, "storageUri": "gs://a/b"}
        await serving.make(predictor={"model": model})
        isvc = await serving.becomes(status="False")
        assert condition(isvc, "PredictorReady")["reason"] == "NoSupportingRuntime"
        said = meta.status(isvc)["modelStatus"]
        assert said["transitionStatus"] == "InvalidSpec"
        assert said["lastFailureInfo"]["reason"] == "NoSupportingRuntime"
        assert await serving.events("InternalError")
        runtime = {
            "apiVersion": "serving.kserve.io/v1alpha1",
            "kind": "ServingRuntime",
            "metadata": {"name": "mine", "namespace": "team"},
            "spec": {
                "supportedModelFormats": [{"name": "onnx", "autoSelect": True}],
                "containers": [{"name": "kserve-container", "image": "onnx"}],
            },
        }
        await serving.client.create(SERVING_RUNTIMES, runtime)
        isvc = await serving.becomes()
        assert meta.status(isvc)["servingRuntimeName"] == "mine"
        # Its pods change with it.
        change = {"spec": {"containers": [{"name": "kserve-container", "image": "onnx:2"}]}}
        await serving.client.patch(SERVING_RUNTIMES, "mine", change, "team")
        isvc = await serving.says(
            lambda status: status["components"]["predictor"]["latestReadyRevision"].endswith("2")
        )
        assert traffic(isvc) == [("2", 100, True, "")]

    run(scenario)


def test_credentials_that_come_and_change_are_seen_at_once(run):
    async def scenario(serving):
        await serving.make(predictor=sklearn("s3://models/1"))
        await serving.becomes()

        async def initializer(told):
            async def look():
                deployment = await serving.get(DEPLOYMENTS, "iris-predictor-00001-deployment")
                template = meta.spec(deployment)["template"]["spec"]
                return told in str(template["initContainers"])

            await serving.until(look)

        keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
        where = {"serving.kserve.io/s3-endpoint": "first.example"}
        secret = {"metadata": {"name": "keys", "namespace": "team", "annotations": where}, "stringData": keys}
        await serving.client.create(SECRETS, secret)
        account = {"metadata": {"name": "default", "namespace": "team"}, "secrets": [{"name": "keys"}]}
        try:
            await serving.client.create(SERVICE_ACCOUNTS, account)
        except AlreadyExistsError:
            await serving.client.patch(SERVICE_ACCOUNTS, "default", account, "team")
        await initializer("first.example")
        where["serving.kserve.io/s3-endpoint"] = "second.example"
        await serving.client.patch(SECRETS, "keys", {"metadata": {"annotations": where}}, "team")
        await initializer("second.example")

    run(scenario)


def test_why_pods_do_not_come(run):
    async def scenario(serving):
        for does, reason, words in (
            ("no-room", "RuntimeUnhealthy", "Insufficient memory"),
            ("no-image", "RuntimeUnhealthy", "image x is not known"),
            ("fetch-fails", "ModelLoadFailed", "no such bucket"),
            ("crashes", "ModelLoadFailed", "not a model"),
        ):
            serving.does[does] = does
            await serving.make(does)
            isvc = await serving.becomes(does, status="False")
            assert words in condition(isvc, "PredictorReady")["message"]
            failure = meta.status(isvc)["modelStatus"]["lastFailureInfo"]
            assert failure["reason"] == reason
            assert words in failure["message"]
            await serving.act_again(does, "ready")
            await serving.becomes(does)
        serving.does["slow"] = "waits"
        await serving.make("slow")
        isvc = await serving.becomes("slow", status="Unknown", type_="PredictorReady")
        isvc = await serving.says(
            lambda status: "installing" in str([each.get("message") for each in status["conditions"]]), "slow"
        )
        assert condition(isvc, "PredictorReady")["reason"] == "ContainerCreating"
        serving.does["fetching"] = "fetches"
        await serving.make("fetching")
        await serving.says(
            lambda status: status["modelStatus"]["states"]["targetModelState"] == "Loading", "fetching"
        )

    run(scenario)


ODD: dict[str, Any] = {
    "no-component": {},
    "two-ways": {"predictor": {"sklearn": {"storageUri": "gs://a"}, "xgboost": {"storageUri": "gs://b"}}},
    "no-scheme": {"predictor": sklearn("models/iris")},
    "odd-scheme": {"predictor": sklearn("carrier-pigeon://a")},
    "workers": {"predictor": sklearn("gs://a/b", workerSpec={})},
    "template": {"predictor": {"model": {"modelFormat": {"name": "sklearn"}, "args": ["{{ .Nope"]}}},
    "odd-image": {"predictor": {"containers": [{"name": "kserve-container", "image": "A B"}]}},
    "odd-name": {"predictor": {"containers": [{"name": "UPPER", "image": "x"}]}},
    "two-of-a-name": {
        "predictor": {"containers": [{"name": "a", "image": "x"}, {"name": "a", "image": "x"}]}
    },
    "odd-volume": {
        "predictor": {
            "containers": [{"name": "a", "image": "x", "volumeMounts": [{"name": "none", "mountPath": "/x"}]}]
        }
    },
    "negative": {"predictor": sklearn("gs://a/b", minReplicas=-3, maxReplicas=-9, containerConcurrency=-1)},
    "huge": {"predictor": sklearn("gs://a/b", canaryTrafficPercent=10**6)},
}


def test_odd_services_end_with_a_word_and_others_go_on(run):
    async def scenario(serving):
        made = []
        for name, spec in ODD.items():
            with suppress(ApiError):
                body = {"metadata": {"name": name, "namespace": "team"}, "spec": spec}
                await serving.client.create(INFERENCE_SERVICES, body)
                made.append(name)
        await serving.make()
        await serving.becomes()
        for name in made:
            isvc = await serving.says(lambda status: status["conditions"], name)
            ready = condition(isvc, "PredictorReady")
            assert ready["status"] != "False" or ready["message"], name

    run(scenario)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text("a{.}-/:", max_size=8),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(
                ["model", "containers", "name", "image", "storageUri", "modelFormat", "args", "env", "canary"]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=10,
)
SPECS = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(("predictor", "transformer", "explainer", "canary"), VALUES),
    },
)


def test_no_spec_stops_what_is_made_of_it():
    """Whatever a definition of somebody else's lets through: it is refused with a word."""

    class Around:
        data: ClassVar[dict[str, str]] = {}

        def configured(self):
            return configured({}, domain="localhost", port=80, deployment_mode="Knative")

        def runtimes(self, _namespace):
            return ()

        of_cluster = list

    class Same:
        def config(self, _data):
            return None

        async def add(self, _component, template, _namespace, _config):
            return template

    templates = Templates.__new__(Templates)
    templates._around, templates.storage, templates._agents = Around(), Same(), Same()

    # One loop for all: making one takes longer than most specs do.
    loop = asyncio.Runner()

    @settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
    @given(SPECS)
    def holds(spec):
        isvc = {
            "apiVersion": "serving.kserve.io/v1beta1",
            "kind": "InferenceService",
            "metadata": {"name": "x", "namespace": "y", "uid": "z"},
            "spec": spec,
            "status": {"deploymentMode": "Standard"},
        }
        for component in reading.components(isvc):
            with suppress(RefusedError):
                loop.run(templates.of(isvc, component, has_revisions=True))
        routes(isvc, Around().configured().domain)

    with loop:
        holds()


def test_deployments_of_nobody_are_left_alone(run):
    async def scenario(serving):
        labels = {"serving.kserve.io/inferenceservice": "iris", "component": "predictor"}
        pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "a", "image": "x"}]}}
        body = {
            "metadata": {"name": "mine", "namespace": "team", "labels": labels},
            "spec": {"selector": {"matchLabels": labels}, "template": pod, "replicas": 0},
        }
        await serving.client.create(DEPLOYMENTS, body)
        await serving.make()
        await serving.becomes()
        assert "mine" in await serving.names(DEPLOYMENTS)

    run(scenario)
