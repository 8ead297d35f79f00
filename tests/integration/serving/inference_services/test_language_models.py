"""LLMInferenceServices against the embedded API server: what is made, what their status says, what goes again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from sampan.components.serving.api.kinds import LLM_INFERENCE_SERVICE_CONFIGS, LLM_INFERENCE_SERVICES
from sampan.components.serving.api.labels import STOP
from sampan.components.serving.api.language_presets import presets
from sampan.components.serving.controller.language_models.configs import LanguageModelConfigReconciler
from sampan.components.serving.controller.language_models.reconciler import LanguageModelReconciler
from sampan.kube import meta
from sampan.kube.kinds import DEPLOYMENTS, PODS, SERVICES
from sampan.kube.meta import Object
from sampan.reconcile.manager import Manager

from .conftest import Serving, condition

Scenario = Callable[[Serving], Awaitable[None]]
Runner = Callable[[Scenario], None]


async def make(serving: Serving, name: str = "words", **spec: Any) -> Object:
    whole = {"model": {"uri": "file:///models/words"}, "router": {"route": {}}, **spec}
    return await serving.client.create(
        LLM_INFERENCE_SERVICES,
        {
            "apiVersion": LLM_INFERENCE_SERVICES.api_version,
            "kind": LLM_INFERENCE_SERVICES.kind,
            "metadata": {"name": name, "namespace": "team"},
            "spec": whole,
        },
    )


async def configure(serving: Serving, name: str, spec: Object, namespace: str = "team") -> None:
    body = {
        "apiVersion": LLM_INFERENCE_SERVICE_CONFIGS.api_version,
        "kind": LLM_INFERENCE_SERVICE_CONFIGS.kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }
    await serving.client.create(LLM_INFERENCE_SERVICE_CONFIGS, body)


async def change(serving: Serving, patch: Object, name: str = "words") -> None:
    await serving.client.patch(LLM_INFERENCE_SERVICES, name, patch, "team")


async def says(serving: Serving, type_: str, status: str, part: str = "", name: str = "words") -> Object:
    """The service, as soon as that condition says so of the newest spec."""
    found: Object = {}

    async def look() -> Object | None:
        nonlocal found
        found = await serving.get(LLM_INFERENCE_SERVICES, name) or {}
        told = condition(found, type_)
        is_newest = meta.status(found).get("observedGeneration") == meta.generation(found)
        words = f"{told.get('reason', '')}: {told.get('message', '')}"
        return found if is_newest and told.get("status") == status and part in words else None

    try:
        answer: Object = await serving.until(look)
    except TimeoutError:
        raise AssertionError(f"{name} never became {type_}={status} {part}: {meta.status(found)}") from None
    return answer


@pytest.fixture
def models(run: Callable[[Scenario], None]) -> Runner:
    def runner(scenario: Scenario) -> None:
        async def with_controllers(serving: Serving) -> None:
            around = serving.around()
            for each in presets(is_embedded=True):
                await serving.client.create(LLM_INFERENCE_SERVICE_CONFIGS, each)
            controllers = (LanguageModelReconciler(around), LanguageModelConfigReconciler(around))
            manager = Manager([each.controller() for each in controllers])
            await manager.start()
            try:
                await scenario(serving)
            finally:
                await manager.stop()

        run(with_controllers)

    return runner


def test_a_service_is_made_reached_stopped_and_gone(models: Runner) -> None:
    async def scenario(serving: Serving) -> None:
        await make(serving, replicas=2)
        found = await says(serving, "Ready", "True")
        status = meta.status(found)
        assert status["url"] == "http://localhost:8080/team/words"
        names = {"publishers/team/models/words", "words"}
        told = [{each["name"] for each in one["models"]} for one in status["addresses"]]
        assert told == [names] * 3 + [{"publishers/team/models/words"}]
        urls = [each["url"] for each in status["addresses"]]
        assert urls[1:] == [
            "http://localhost:8080/publishers/team/models/words",
            "http://words-team.localhost:8080",
            "http://localhost:8080/publishers",
        ]
        assert [each["name"] for each in status["addresses"][2:]] == [
            "gateway-external",
            "gateway-external-model-routing",
        ]
        origins = {(each["origin"]["kind"], each["origin"]["name"]) for each in status["addresses"]}
        assert origins == {("Gateway", "kserve-ingress-gateway")}
        assert status["workloads"]["primary"] == {
            "apiGroup": "apps",
            "kind": "Deployment",
            "name": "words-kserve",
            "readyReplicas": 2,
        }
        assert [each["name"] for each in status["appliedConfigs"]] == [
            "kserve-config-llm-router-route",
            "kserve-config-llm-template",
        ]
        assert {each["type"]: each["status"] for each in status["conditions"]} == dict.fromkeys(
            (
                *("GatewaysReady", "HTTPRoutesReady", "MainWorkloadReady", "PresetsCombined"),
                *("Ready", "RouterReady", "WorkloadsReady"),
            ),
            "True",
        )
        pod = (await serving.all(PODS))[0]
        main = pod["spec"]["containers"][0]
        assert main["command"][:3] == ["vllm", "serve", "/mnt/models"]
        served = main["command"].index("--served-model-name")
        assert main["command"][served + 1 : served + 3] == ["words", "publishers/team/models/words"]
        assert pod["spec"]["initContainers"][0]["args"] == ["file:///models/words", "/mnt/models"]
        assert main["volumeMounts"][0]["mountPath"] == "/mnt/models"
        assert meta.labels(pod)["llm-d.ai/role"] == "both"
        await change(serving, {"metadata": {"annotations": {STOP: "true"}}})
        found = await says(serving, "Ready", "False", "Stopped")
        assert "url" not in meta.status(found)
        await serving.gone(DEPLOYMENTS, "words-kserve")
        await change(serving, {"metadata": {"annotations": {STOP: None}}})
        await says(serving, "Ready", "True")
        await serving.client.delete(LLM_INFERENCE_SERVICES, "words", "team")
        await serving.gone(DEPLOYMENTS, "words-kserve")
        await serving.gone(SERVICES, "words-kserve-workload-svc")

    models(scenario)


def test_configurations_come_together_in_their_order(models: Runner) -> None:
    async def scenario(serving: Serving) -> None:
        own = {
            "containers": [{"name": "main", "env": [{"name": "A", "value": "theirs"}], "image": "theirs:1"}]
        }
        await configure(serving, "first", {"replicas": 3, "template": own})
        later = {"containers": [{"name": "main", "image": "later:1", "args": ["--x={{ .Spec.Model.Name }}"]}]}
        await configure(serving, "second", {"template": later}, "kserve")
        mine = {"containers": [{"name": "main", "env": [{"name": "A", "value": "mine"}]}]}
        refs = [{"name": "first"}, {"name": "second"}]
        await make(
            serving, baseRefs=refs, template=mine, model={"uri": "pvc://claim/sub", "name": "org/words"}
        )
        found = await says(serving, "Ready", "True")
        assert [(each["name"], each["source"]) for each in meta.status(found)["appliedConfigs"]][2:] == [
            ("first", "UserRef"),
            ("second", "UserRef"),
        ]
        deployment = await serving.one(DEPLOYMENTS, "words-kserve")
        assert meta.spec(deployment)["replicas"] == 3
        pod = meta.spec(deployment)["template"]["spec"]
        main = pod["containers"][0]
        assert (main["image"], main["args"]) == ("later:1", ["--x=org/words"])
        assert main["env"] == [{"name": "A", "value": "mine"}]
        assert main["command"][0] == "vllm"
        assert main["volumeMounts"][0]["subPath"] == "sub"
        assert "initContainers" not in pod
        # What changes there changes here; what is used stays.
        patch = {"spec": {"replicas": 1}}
        await serving.client.patch(LLM_INFERENCE_SERVICE_CONFIGS, "first", patch, "team")

        async def is_one() -> bool:
            found = await serving.one(DEPLOYMENTS, "words-kserve")
            return bool(meta.spec(found)["replicas"] == 1)

        await serving.until(is_one)
        await serving.client.delete(LLM_INFERENCE_SERVICE_CONFIGS, "first", "team")
        assert "referenced by 1" in (await serving.events("DeletionBlocked", "first"))[0]
        await change(serving, {"spec": {"baseRefs": [{"name": "second"}]}})
        await serving.gone(LLM_INFERENCE_SERVICE_CONFIGS, "first")

    models(scenario)


def test_a_configuration_that_is_not_there_is_waited_for(models: Runner) -> None:
    async def scenario(serving: Serving) -> None:
        await make(serving, baseRefs=[{"name": "later"}])
        found = await says(serving, "PresetsCombined", "False", "ConfigNotFound")
        assert 'LLMInferenceServiceConfig "later" not found in namespaces [team kserve]' in str(found)
        assert condition(found, "Ready")["status"] == "False"
        await configure(
            serving, "later", {"template": {"containers": [{"name": "main", "image": "x:{{ .No"}]}}
        )
        await says(serving, "PresetsCombined", "False", "CombineBaseError")
        good = {"spec": {"template": {"containers": [{"name": "main", "image": "x:1"}]}}}
        await serving.client.patch(LLM_INFERENCE_SERVICE_CONFIGS, "later", good, "team")
        await says(serving, "Ready", "True")

    models(scenario)


def test_adapters_prefill_and_what_users_say_of_the_initializer(models: Runner) -> None:
    async def scenario(serving: Serving) -> None:
        adapters = [{"name": "b/c", "uri": "pvc://claim/b"}, {"name": "a", "uri": "hf://org/a"}]
        init = {"name": "storage-initializer", "args": ["no"], "env": [{"name": "T", "value": "1"}]}
        main = {"name": "main", "env": [{"name": "VLLM_ADDITIONAL_ARGS", "value": "--max-model-len 64"}]}
        await make(
            serving,
            model={"uri": "hf://org/words", "lora": {"adapters": adapters, "maxRank": 8}},
            template={"containers": [main], "initContainers": [init]},
            prefill={"replicas": 1},
        )
        found = await says(serving, "PrefillWorkloadReady", "True")
        await says(serving, "Ready", "True")
        assert meta.status(found)["workloads"]["prefill"]["name"] == "words-kserve-prefill"
        deployment = await serving.one(DEPLOYMENTS, "words-kserve")
        pod = meta.spec(deployment)["template"]["spec"]
        args = pod["containers"][0]["args"]
        assert args[:3] == ["--enable-lora", "--max-lora-rank=8", "--lora-modules"]
        assert args[3:5] == [
            '{"name":"a","path":"/mnt/lora/a"}',
            '{"name":"publishers/team/models/a","path":"/mnt/lora/a"}',
        ]
        assert args[-2:] == ["--max-model-len", "64"]
        fetched = pod["initContainers"][0]
        assert fetched["args"] == ["hf://org/words", "/mnt/models", "hf://org/a", "/mnt/lora/a"]
        assert {"name": "T", "value": "1"} in fetched["env"]
        mounts = {each["mountPath"]: each for each in pod["containers"][0]["volumeMounts"]}
        assert mounts["/mnt/lora/b-c"]["subPath"] == "b"
        roles = {meta.labels(each)["llm-d.ai/role"] for each in await serving.all(PODS)}
        assert roles == {"decode", "prefill"}
        # Without prefill the pods have another role, which is part of a selector.
        await change(serving, {"spec": {"prefill": None}})
        await serving.gone(DEPLOYMENTS, "words-kserve-prefill")
        await says(serving, "Ready", "True")
        roles = {
            meta.labels(each)["llm-d.ai/role"]
            for each in await serving.all(DEPLOYMENTS)
            if not meta.is_deleting(each)
        }
        assert roles == {"both"}

    models(scenario)


def test_what_pods_say_is_told_at_once(models: Runner) -> None:
    told = {
        "crashes": "ValueError: not a model",
        "fetch-fails": "no such bucket",
        "no-room": "Insufficient memory",
    }

    async def scenario(serving: Serving) -> None:
        for does in told:
            serving.does[does] = does
            await make(serving, does)
        for does, part in told.items():
            found = await says(serving, "MainWorkloadReady", "False", part, does)
            assert part in condition(found, "Ready")["message"]
            await serving.act_again(does, "ready")
            await says(serving, "Ready", "True", name=does)

    models(scenario)


def test_what_cannot_be_says_why(models: Runner) -> None:
    nodes = {"worker": {"containers": [{"name": "main"}]}, "parallelism": {"data": 2, "dataLocal": 1}}
    adapter = {"uri": "hf://a/b", "lora": {"adapters": [{"name": "l", "uri": "oci://x"}]}}
    pool = {"pool": {"ref": {"name": "p"}}}
    cases: list[tuple[Object, str, str]] = [
        (nodes, "WorkerWorkloadReady", "MultiNodeNotServed"),
        (
            {"router": {"gateway": {"refs": [{"name": "g"}]}}},
            "GatewaysReady",
            "Gateway team/g does not exist",
        ),
        ({"router": {"route": {"http": {"refs": [{"name": "r"}]}}}}, "HTTPRoutesReady", "HTTPRoute team/r"),
        ({"router": {"scheduler": pool}}, "InferencePoolReady", "InferencePool team/p"),
        ({"model": {"uri": "nowhere"}}, "MainWorkloadReady", "names no scheme"),
        ({"model": adapter}, "PresetsCombined", "oci:// is not supported for LoRA adapters"),
        ({"replicas": 0}, "MainWorkloadReady", "NoReplicas"),
    ]

    async def scenario(serving: Serving) -> None:
        for place, (spec, _, _) in enumerate(cases):
            await make(serving, f"s{place}", **spec)
        for place, (_, type_, part) in enumerate(cases):
            found = await says(serving, type_, "False", part, f"s{place}")
            assert condition(found, "Ready")["status"] == "False"

    models(scenario)


def test_the_gateway_by_kserves_name_is_the_platforms(models: Runner) -> None:
    async def scenario(serving: Serving) -> None:
        refs = [{"name": "kserve-ingress-gateway", "namespace": "kserve"}]
        await make(serving, router={"route": {}, "gateway": {"refs": refs}, "scheduler": {}})
        found = await says(serving, "Ready", "True")
        assert condition(found, "SchedulerWorkloadReady")["status"] == "True"
        assert condition(found, "InferencePoolReady")["status"] == "True"

    models(scenario)


def test_a_group_shares_requests(models: Runner) -> None:
    async def scenario(serving: Serving) -> None:
        for name, weight in (("one", 9), ("two", 1)):
            route = {"route": {"group": "canary", "weight": weight}}
            await make(serving, name, model={"uri": "hf://a/b", "name": "shared"}, router=route)

        async def told() -> Object | None:
            found = await serving.get(LLM_INFERENCE_SERVICES, "one") or {}
            members = meta.status(found).get("router", {}).get("group", {}).get("members", [])
            return found if len(members) == 2 else None

        found = await serving.until(told)
        members = meta.status(found)["router"]["group"]["members"]
        assert [(each["name"], each["weight"]) for each in members] == [("one", 9), ("two", 1)]
        assert condition(found, "GroupReady")["status"] == "True"
        await change(serving, {"spec": {"model": {"name": "other"}}}, "two")
        await says(serving, "GroupReady", "False", "ModelNameAmbiguous", "one")

    models(scenario)


def test_a_configuration_of_a_well_known_name_is_used_by_all_beside_it(models: Runner) -> None:
    async def scenario(serving: Serving) -> None:
        known = "kserve-config-llm-decode-template"
        await configure(serving, known, {"replicas": 1})

        async def told(reason: str) -> None:
            async def look() -> bool | None:
                found = await serving.get(LLM_INFERENCE_SERVICE_CONFIGS, known) or {}
                return condition(found, "ConfigInUse").get("reason") == reason or None

            await serving.until(look)

        await told("NotInUse")
        await make(serving)
        await told("InUse")
        await serving.client.delete(LLM_INFERENCE_SERVICE_CONFIGS, known, "team")
        await told("DeletionBlocked")
        await serving.client.delete(LLM_INFERENCE_SERVICES, "words", "team")
        await serving.gone(LLM_INFERENCE_SERVICE_CONFIGS, known)

    models(scenario)
