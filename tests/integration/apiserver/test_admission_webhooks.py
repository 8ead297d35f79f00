"""Webhook configurations are called, as kube-apiserver calls them: over TLS, in order, about what their rules say."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from sampan.testing.apiserver import embedded, loopback
from sampan.testing.webhooks import Webhooks, allow, deny, patch, webhooks

REGISTRATION = "/apis/admissionregistration.k8s.io/v1"
CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
MERGE = {"content-type": "application/merge-patch+json"}
APPLY = {"content-type": "application/apply-patch+yaml"}


@pytest.fixture
def hooks(tmp_path: Path) -> Iterator[Webhooks]:
    with webhooks(tmp_path / "hooks", "hook.default.svc") as found:
        yield found


@asynccontextmanager
async def cluster(folder: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with (
        embedded(folder) as server,
        loopback(server.asgi) as url,
        httpx.AsyncClient(base_url=url, timeout=60) as http,
    ):
        yield http


def rule(
    resources: str = "configmaps", operations: str = "*", group: str = "", version: str = "v1", **more: Any
) -> dict[str, Any]:
    return {
        "apiGroups": [group],
        "apiVersions": [version],
        "resources": [resources],
        "operations": operations.split(","),
        **more,
    }


def hook(name: str, config: dict[str, Any], *rules: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "name": f"{name}.example.com",
        "clientConfig": config,
        "rules": list(rules) or [rule()],
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "timeoutSeconds": 5,
        **more,
    }


async def configure(http: httpx.AsyncClient, kind: str, name: str, *found: dict[str, Any]) -> None:
    answer = await http.post(
        f"{REGISTRATION}/{kind.lower()}webhookconfigurations",
        json={"metadata": {"name": name}, "webhooks": list(found)},
    )
    assert answer.status_code == 201, answer.text


def config_map(name: str = "a", **data: str) -> dict[str, Any]:
    return {"metadata": {"name": name}, "data": data}


def add_label(key: str, value: str) -> dict[str, Any]:
    return {"op": "add", "path": "/metadata/labels", "value": {key: value}}


def test_a_mutating_webhook_changes_what_is_stored(tmp_path: Path, hooks: Webhooks) -> None:
    hooks.answers["/m"] = lambda review: patch(review, add_label("by", "hook"))

    async def run() -> None:
        async with cluster(tmp_path) as http:
            await configure(http, "Mutating", "m", hook("m", hooks.client_config("/m")))
            created = (await http.post(CONFIG_MAPS, json=config_map(k="v"))).json()
            stored = (await http.get(f"{CONFIG_MAPS}/a")).json()
            assert created["metadata"]["labels"] == {"by": "hook"}
            assert stored == created

    asyncio.run(run())
    (request,) = hooks.asked("/m")
    assert request["operation"] == "CREATE"
    assert request["kind"] == {"group": "", "version": "v1", "kind": "ConfigMap"}
    assert request["resource"] == {"group": "", "version": "v1", "resource": "configmaps"}
    assert (request["name"], request["namespace"], request["dryRun"]) == ("a", "default", False)
    assert request["object"]["data"] == {"k": "v"}
    assert "uid" not in request["object"]["metadata"]
    assert request["oldObject"] is None
    assert request["options"]["kind"] == "CreateOptions"
    assert request["userInfo"]["username"]


def test_a_validating_webhook_sees_the_object_as_it_will_be_stored(tmp_path: Path, hooks: Webhooks) -> None:
    hooks.answers["/v"] = allow

    async def run() -> dict[str, Any]:
        async with cluster(tmp_path) as http:
            await configure(http, "Validating", "v", hook("v", hooks.client_config("/v")))
            body = {"metadata": {"generateName": "a-"}, "data": {"k": "1"}}
            created: dict[str, Any] = (await http.post(CONFIG_MAPS, json=body)).json()
            name = created["metadata"]["name"]
            await http.patch(f"{CONFIG_MAPS}/{name}", json={"data": {"k": "2"}}, headers=MERGE)
            await http.delete(f"{CONFIG_MAPS}/{name}")
            return created

    created = asyncio.run(run())
    first, second, third = hooks.asked("/v")
    assert first["object"]["metadata"]["uid"] == created["metadata"]["uid"]
    assert first["object"]["metadata"]["name"] == created["metadata"]["name"] == first["name"]
    assert (second["operation"], second["oldObject"]["data"], second["object"]["data"]) == (
        "UPDATE",
        {"k": "1"},
        {"k": "2"},
    )
    assert (third["operation"], third["object"], third["oldObject"]["data"]) == ("DELETE", None, {"k": "2"})


def test_a_generated_name_is_not_shown_to_mutating_webhooks(tmp_path: Path, hooks: Webhooks) -> None:
    hooks.answers["/m"] = lambda review: patch(review, add_label("by", "hook"))

    async def run() -> dict[str, Any]:
        async with cluster(tmp_path) as http:
            await configure(http, "Mutating", "m", hook("m", hooks.client_config("/m")))
            created: dict[str, Any] = (
                await http.post(CONFIG_MAPS, json={"metadata": {"generateName": "a-"}})
            ).json()
            return created

    created = asyncio.run(run())
    (request,) = hooks.asked("/m")
    assert "name" not in request
    assert "name" not in request["object"]["metadata"]
    assert created["metadata"]["name"].startswith("a-")
    assert created["metadata"]["labels"] == {"by": "hook"}


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        ({"message": "no", "code": 403, "reason": "Forbidden"}, 403, ": no"),
        ({"message": "teapot", "code": 418}, 418, ": teapot"),
        ({"reason": "Because"}, 400, ": Because"),
        ({"message": "fine", "code": 200}, 400, ": fine"),
        ({}, 400, " without explanation"),
    ],
)
def test_a_refusal_has_the_webhooks_code_and_words(
    tmp_path: Path, hooks: Webhooks, status: dict[str, Any], code: int, message: str
) -> None:
    hooks.answers["/v"] = lambda review: deny(review, **status)

    async def run() -> httpx.Response:
        async with cluster(tmp_path) as http:
            await configure(http, "Validating", "v", hook("v", hooks.client_config("/v")))
            answer = await http.post(CONFIG_MAPS, json=config_map())
            assert (await http.get(f"{CONFIG_MAPS}/a")).status_code == 404
            return answer

    answer = asyncio.run(run())
    assert answer.status_code == code
    body = answer.json()
    assert (body["kind"], body["status"], body["code"]) == ("Status", "Failure", code)
    assert body["message"] == f'admission webhook "v.example.com" denied the request{message}'
    assert body.get("reason", "") == status.get("reason", "")


def test_warnings_become_headers(tmp_path: Path, hooks: Webhooks) -> None:
    hooks.answers["/v"] = lambda review: allow(review, warnings=["old habits"], auditAnnotations={"a": "b"})

    async def run() -> None:
        async with cluster(tmp_path) as http:
            await configure(http, "Validating", "v", hook("v", hooks.client_config("/v")))
            answer = await http.post(CONFIG_MAPS, json=config_map())
            assert answer.headers.get_list("warning") == ['299 - "old habits"']
            gone = await http.delete(f"{CONFIG_MAPS}/a")
            assert gone.headers.get_list("warning") == ['299 - "old habits"']

    asyncio.run(run())


def test_one_that_cannot_be_reached_fails_as_its_policy_says(tmp_path: Path, hooks: Webhooks) -> None:
    dead = {**hooks.client_config("/x"), "url": "https://127.0.0.1:1/x"}

    async def run() -> None:
        async with cluster(tmp_path) as http:
            await configure(http, "Validating", "a", hook("ignored", dead, failurePolicy="Ignore"))
            assert (await http.post(CONFIG_MAPS, json=config_map())).status_code == 201
            await configure(http, "Mutating", "b", hook("needed", dead))
            answer = await http.post(CONFIG_MAPS, json=config_map("b"))
            assert answer.status_code == 500
            assert answer.json()["message"] == (
                'Internal error occurred: failed calling webhook "needed.example.com": failed to call webhook: '
                'Post "https://127.0.0.1:1/x?timeout=5s": dial tcp 127.0.0.1:1: connect: connection refused'
            )
            assert answer.json()["reason"] == "InternalError"
            # What configures webhooks is exempt: the mistake can be mended.
            where = f"{REGISTRATION}/mutatingwebhookconfigurations/b"
            assert (await http.delete(where)).status_code == 200
            assert (await http.post(CONFIG_MAPS, json=config_map("b"))).status_code == 201

    asyncio.run(run())


def test_an_authority_that_is_not_named_is_not_trusted(tmp_path: Path, hooks: Webhooks) -> None:
    hooks.answers["/v"] = allow
    config = {"url": hooks.client_config("/v")["url"]}

    async def run() -> None:
        async with cluster(tmp_path) as http:
            await configure(http, "Validating", "v", hook("v", config))
            answer = await http.post(CONFIG_MAPS, json=config_map())
            assert answer.status_code == 500
            assert "x509: certificate signed by unknown authority" in answer.json()["message"]

    asyncio.run(run())
    assert not hooks.seen


def test_a_hanging_webhook_holds_up_nobody_else(tmp_path: Path, hooks: Webhooks) -> None:
    release = threading.Event()

    def hang(review: dict[str, Any]) -> dict[str, Any]:
        release.wait(20)
        return allow(review)

    hooks.answers["/v"] = hang

    async def run() -> None:
        async with cluster(tmp_path) as http:
            slow = hook(
                "v",
                hooks.client_config("/v"),
                timeoutSeconds=1,
                objectSelector={"matchLabels": {"slow": "yes"}},
            )
            await configure(http, "Validating", "v", slow)
            held = {"metadata": {"name": "slow", "labels": {"slow": "yes"}}}
            waiting = asyncio.create_task(http.post(CONFIG_MAPS, json=held))
            while not hooks.seen:
                await asyncio.sleep(0.01)
            assert (await http.post(CONFIG_MAPS, json=config_map("quick"))).status_code == 201
            assert not waiting.done()
            answer = await waiting
            assert answer.status_code == 500
            assert answer.json()["message"].endswith("context deadline exceeded")

    try:
        asyncio.run(run())
    finally:
        release.set()


def test_a_webhook_may_itself_use_the_api(tmp_path: Path, hooks: Webhooks) -> None:
    where: list[str] = []

    def call_back(review: dict[str, Any]) -> dict[str, Any]:
        with httpx.Client(base_url=where[0], timeout=60) as http:
            created = http.post("/api/v1/namespaces/default/secrets", json={"metadata": {"name": "s"}})
            assert created.status_code == 201
        return allow(review)

    hooks.answers["/v"] = call_back

    async def run() -> None:
        async with cluster(tmp_path) as http:
            where.append(str(http.base_url))
            await configure(http, "Validating", "v", hook("v", hooks.client_config("/v")))
            assert (await http.post(CONFIG_MAPS, json=config_map())).status_code == 201
            assert (await http.get("/api/v1/namespaces/default/secrets/s")).status_code == 200

    asyncio.run(run())


def test_what_is_written_meanwhile_is_shown_to_the_webhook_too(tmp_path: Path, hooks: Webhooks) -> None:
    where: list[str] = []

    def interfere(review: dict[str, Any]) -> dict[str, Any]:
        if len(hooks.asked("/v")) == 1:
            hooks.seen.append(("/other", {}))
            with httpx.Client(base_url=where[0], timeout=60) as http:
                body = [{"op": "add", "path": "/data/other", "value": "1"}]
                http.patch(
                    f"{CONFIG_MAPS}/a", json=body, headers={"content-type": "application/json-patch+json"}
                )
        return allow(review)

    async def run() -> None:
        async with cluster(tmp_path) as http:
            where.append(str(http.base_url))
            await http.post(CONFIG_MAPS, json=config_map(k="1"))
            not_json = {"name": "mine", "expression": "request.options.fieldManager == 'mine'"}
            await configure(
                http, "Validating", "v", hook("v", hooks.client_config("/v"), matchConditions=[not_json])
            )
            hooks.answers["/v"] = interfere
            answer = await http.patch(
                f"{CONFIG_MAPS}/a?fieldManager=mine", json={"data": {"k": "2"}}, headers=MERGE
            )
            assert answer.status_code == 200, answer.text
            assert answer.json()["data"] == {"k": "2", "other": "1"}

    asyncio.run(run())
    assert [each["object"]["data"] for each in hooks.asked("/v")] == [{"k": "2"}, {"k": "2", "other": "1"}]


def test_they_are_called_in_the_order_of_their_names_and_again_where_needed(
    tmp_path: Path, hooks: Webhooks
) -> None:
    def append(letter: str) -> Any:
        def answer(review: dict[str, Any]) -> dict[str, Any]:
            had = (review["request"]["object"].get("data") or {}).get("order", "")
            if letter in had:
                return allow(review)
            return patch(review, {"op": "add", "path": "/data/order", "value": had + letter})

        return answer

    for letter in "abc":
        hooks.answers[f"/{letter}"] = append(letter)

    async def run() -> None:
        async with cluster(tmp_path) as http:
            for name, policy in (("c", "Never"), ("a", "IfNeeded"), ("b", "Never")):
                config = hooks.client_config(f"/{name}")
                await configure(http, "Mutating", name, hook(name, config, reinvocationPolicy=policy))
            created = (await http.post(CONFIG_MAPS, json=config_map(order=""))).json()
            assert created["data"]["order"] == "abc"

    asyncio.run(run())
    assert [path for path, _ in hooks.seen] == ["/a", "/b", "/c", "/a"]


def test_what_a_webhook_makes_of_an_object_is_validated(tmp_path: Path, hooks: Webhooks) -> None:
    hooks.answers["/m"] = lambda review: patch(review, add_label("not a label", "x"))

    async def run() -> None:
        async with cluster(tmp_path) as http:
            await configure(http, "Mutating", "m", hook("m", hooks.client_config("/m")))
            answer = await http.post(CONFIG_MAPS, json=config_map())
            assert (answer.status_code, answer.json()["reason"]) == (422, "Invalid")
            hooks.answers["/m"] = lambda review: patch(
                review, {"op": "replace", "path": "/metadata/namespace", "value": "other"}
            )
            assert (await http.post(CONFIG_MAPS, json=config_map())).status_code == 400
            hooks.answers["/m"] = lambda review: patch(review, {"op": "remove", "path": "/nowhere"})
            assert (await http.post(CONFIG_MAPS, json=config_map())).status_code == 500

    asyncio.run(run())


def test_a_dry_run_asks_only_those_without_side_effects(tmp_path: Path, hooks: Webhooks) -> None:
    hooks.answers["/v"] = allow

    async def run() -> None:
        async with cluster(tmp_path) as http:
            await configure(http, "Validating", "v", hook("v", hooks.client_config("/v")))
            answer = await http.post(f"{CONFIG_MAPS}?dryRun=All", json=config_map())
            assert answer.status_code == 201
            assert (await http.get(f"{CONFIG_MAPS}/a")).status_code == 404

    asyncio.run(run())
    (request,) = hooks.asked("/v")
    assert request["dryRun"] is True
    assert request["options"]["dryRun"] == ["All"]


def test_selectors_and_conditions_choose(tmp_path: Path, hooks: Webhooks) -> None:
    hooks.answers["/v"] = lambda review: deny(review, message="no")

    async def run() -> None:
        async with cluster(tmp_path) as http:
            for name, labels in (("plain", {}), ("strict", {"strict": "yes"})):
                await http.post("/api/v1/namespaces", json={"metadata": {"name": name, "labels": labels}})
            await configure(
                http,
                "Validating",
                "v",
                hook(
                    "v",
                    hooks.client_config("/v"),
                    namespaceSelector={"matchLabels": {"strict": "yes"}},
                    objectSelector={"matchExpressions": [{"key": "skip", "operator": "DoesNotExist"}]},
                    matchConditions=[
                        {"name": "big", "expression": "has(object.data) && size(object.data) > 1"}
                    ],
                ),
            )
            big, small = config_map(a="1", b="2"), config_map("small", a="1")
            skipped = {**big, "metadata": {"name": "skipped", "labels": {"skip": "x"}}}
            for namespace, body, code in (
                ("plain", big, 201),
                ("strict", small, 201),
                ("strict", skipped, 201),
                ("strict", big, 400),
            ):
                answer = await http.post(f"/api/v1/namespaces/{namespace}/configmaps", json=body)
                assert answer.status_code == code, (namespace, body, answer.text)

    asyncio.run(run())


def test_sub_resources_have_rules_of_their_own(tmp_path: Path, hooks: Webhooks) -> None:
    hooks.answers["/scale"] = lambda review: patch(
        review, {"op": "replace", "path": "/spec/replicas", "value": 2}
    )
    hooks.answers["/status"] = allow

    async def run() -> None:
        async with cluster(tmp_path) as http:
            template = {
                "metadata": {"labels": {"a": "b"}},
                "spec": {"containers": [{"name": "c", "image": "i"}]},
            }
            spec = {"replicas": 1, "selector": {"matchLabels": {"a": "b"}}, "template": template}
            await http.post(DEPLOYMENTS, json={"metadata": {"name": "d"}, "spec": spec})
            await configure(
                http,
                "Mutating",
                "m",
                hook("s", hooks.client_config("/scale"), rule("deployments/scale", group="apps")),
                hook("t", hooks.client_config("/status"), rule("*/status", group="*", version="*")),
            )
            scaled = await http.patch(f"{DEPLOYMENTS}/d/scale", json={"spec": {"replicas": 5}}, headers=MERGE)
            assert scaled.status_code == 200, scaled.text
            assert scaled.json()["spec"]["replicas"] == 2
            assert (await http.get(f"{DEPLOYMENTS}/d")).json()["spec"]["replicas"] == 2
            await http.patch(f"{DEPLOYMENTS}/d/status", json={"status": {"replicas": 3}}, headers=MERGE)

    asyncio.run(run())
    (scale,) = hooks.asked("/scale")
    assert scale["kind"] == {"group": "autoscaling", "version": "v1", "kind": "Scale"}
    assert (scale["subResource"], scale["operation"]) == ("scale", "UPDATE")
    assert scale["object"]["kind"] == scale["oldObject"]["kind"] == "Scale"
    (status,) = hooks.asked("/status")
    assert status["object"]["status"]["replicas"] == 3


def test_v1beta1_reviews_are_spoken_too(tmp_path: Path, hooks: Webhooks) -> None:
    def answer(review: dict[str, Any]) -> dict[str, Any]:
        assert review["apiVersion"] == "admission.k8s.io/v1beta1"
        found = patch(review, add_label("by", "old"))
        del found["response"]["uid"], found["response"]["patchType"], found["apiVersion"], found["kind"]
        return found

    hooks.answers["/m"] = answer

    async def run() -> None:
        async with cluster(tmp_path) as http:
            config = hooks.client_config("/m")
            await configure(
                http, "Mutating", "m", hook("m", config, admissionReviewVersions=["v1beta1", "v1"])
            )
            created = (await http.post(CONFIG_MAPS, json=config_map())).json()
            assert created["metadata"]["labels"] == {"by": "old"}

    asyncio.run(run())


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (lambda _: {}, "received invalid webhook response: webhook response was absent"),
        (lambda _: (200, b"<html>"), "failed to call webhook"),
        (
            lambda _: (500, b"boom"),
            'an error on the server ("boom") has prevented the request from succeeding',
        ),
        (lambda _: (404, b""), "the server could not find the requested resource"),
        (
            lambda review: {**allow(review), "apiVersion": "admission.k8s.io/v2"},
            "expected webhook response of admission.k8s.io/v1, Kind=AdmissionReview",
        ),
        (lambda review: allow(review, uid="other"), "expected response.uid="),
        (lambda review: allow(review, patch="e30="), "validating webhook may not return response.patch"),
        (lambda _: (200, b"x" * 9_000_000), "larger than"),
        (lambda _: (302, b""), "302"),
    ],
)
def test_answers_that_are_none(tmp_path: Path, hooks: Webhooks, answer: Any, why: str) -> None:
    hooks.answers["/v"] = answer

    async def run() -> None:
        async with cluster(tmp_path) as http:
            await configure(http, "Validating", "v", hook("v", hooks.client_config("/v"), timeoutSeconds=20))
            found = await http.post(CONFIG_MAPS, json=config_map())
            assert found.status_code == 500
            message = found.json()["message"]
            assert message.startswith('Internal error occurred: failed calling webhook "v.example.com": ')
            assert why in message or why == "failed to call webhook", message

    asyncio.run(run())


def test_server_side_apply_and_no_changes_pass_through_webhooks(tmp_path: Path, hooks: Webhooks) -> None:
    hooks.answers["/m"] = lambda review: patch(review, add_label("by", "hook"))
    hooks.answers["/v"] = allow

    async def run() -> None:
        async with cluster(tmp_path) as http:
            await configure(http, "Mutating", "m", hook("m", hooks.client_config("/m")))
            await configure(http, "Validating", "v", hook("v", hooks.client_config("/v")))
            body = {"apiVersion": "v1", "kind": "ConfigMap", **config_map(k="1")}
            where = f"{CONFIG_MAPS}/a?fieldManager=me"
            first = await http.patch(where, json=body, headers=APPLY)
            assert (first.status_code, first.json()["metadata"]["labels"]) == (201, {"by": "hook"})
            second = await http.patch(where, json=body, headers=APPLY)
            assert second.status_code == 200
            assert second.json()["metadata"]["resourceVersion"] == first.json()["metadata"]["resourceVersion"]

    asyncio.run(run())
    assert [each["operation"] for each in hooks.asked("/v")] == ["CREATE", "UPDATE"]


def test_a_service_leads_to_the_webhook(tmp_path: Path, hooks: Webhooks) -> None:
    hooks.answers["/v"] = lambda review: deny(review, message="found you")

    async def run() -> None:
        async with cluster(tmp_path) as http:
            config: dict[str, Any] = {
                "caBundle": hooks.client_config("")["caBundle"],
                "service": {"namespace": "default", "name": "hook", "path": "/v"},
            }
            await configure(http, "Validating", "v", hook("v", config))
            answer = await http.post(CONFIG_MAPS, json=config_map())
            assert answer.json()["message"].endswith(
                'Post "https://hook.default.svc:443/v?timeout=5s": service "hook" not found'
            )
            await http.post(
                "/api/v1/namespaces/default/services",
                json={"metadata": {"name": "hook"}, "spec": {"ports": [{"port": 443, "targetPort": 8443}]}},
            )
            answer = await http.post(CONFIG_MAPS, json=config_map())
            assert answer.json()["message"].endswith('no endpoints available for service "hook"')
            slices = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
            made = await http.post(
                slices,
                json={
                    "metadata": {"name": "hook-1", "labels": {"kubernetes.io/service-name": "hook"}},
                    "addressType": "IPv4",
                    "endpoints": [{"addresses": ["127.0.0.1"], "conditions": {"ready": True}}],
                    "ports": [{"port": hooks.port}],
                },
            )
            assert made.status_code == 201, made.text
            answer = await http.post(CONFIG_MAPS, json=config_map())
            assert answer.json()["message"].endswith("denied the request: found you")

    asyncio.run(run())


def test_link_local_addresses_are_not_called(tmp_path: Path, hooks: Webhooks) -> None:
    async def run() -> None:
        async with cluster(tmp_path) as http:
            config = {"url": "https://169.254.169.254/latest/meta-data"}
            await configure(http, "Validating", "v", hook("v", config))
            answer = await http.post(CONFIG_MAPS, json=config_map())
            assert "link-local addresses are not called" in answer.json()["message"]

    asyncio.run(run())


def test_a_rule_for_another_version_of_a_kind_gets_that_version(tmp_path: Path, hooks: Webhooks) -> None:
    hooks.answers["/equivalent"] = lambda review: patch(
        review, {"op": "replace", "path": "/spec/maxReplicas", "value": 7}
    )
    hooks.answers["/exact"] = allow
    scalers = "/apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers"

    async def run() -> None:
        async with cluster(tmp_path) as http:
            rules = rule("horizontalpodautoscalers", group="autoscaling", version="v2")
            await configure(
                http,
                "Mutating",
                "m",
                hook("e", hooks.client_config("/equivalent"), rules),
                hook("x", hooks.client_config("/exact"), rules, matchPolicy="Exact"),
            )
            target = {"kind": "Deployment", "name": "d", "apiVersion": "apps/v1"}
            spec = {"scaleTargetRef": target, "maxReplicas": 3, "targetCPUUtilizationPercentage": 50}
            created = await http.post(scalers, json={"metadata": {"name": "a"}, "spec": spec})
            assert created.status_code == 201, created.text
            assert created.json()["apiVersion"] == "autoscaling/v1"
            assert created.json()["spec"]["maxReplicas"] == 7
            assert created.json()["spec"]["targetCPUUtilizationPercentage"] == 50

    asyncio.run(run())
    (request,) = hooks.asked("/equivalent")
    assert request["kind"]["version"] == request["resource"]["version"] == "v2"
    assert request["requestKind"]["version"] == request["requestResource"]["version"] == "v1"
    assert request["object"]["apiVersion"] == "autoscaling/v2"
    assert request["object"]["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"] == 50
    assert not hooks.asked("/exact")


def test_exec_bindings_and_evictions_are_asked_about(tmp_path: Path, hooks: Webhooks) -> None:
    hooks.answers["/v"] = lambda review: deny(review, message="no")
    pods = "/api/v1/namespaces/default/pods"

    async def run() -> None:
        async with cluster(tmp_path) as http:
            pod = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
            assert (await http.post(pods, json=pod)).status_code == 201
            await configure(
                http,
                "Validating",
                "v",
                hook("v", hooks.client_config("/v"), rule("pods/*", "CONNECT,CREATE")),
            )
            binding = {"target": {"kind": "Node", "name": "n"}}
            for path, body in (
                ("exec?command=ls&command=-l&stdout=true", None),
                ("binding", binding),
                ("eviction", {"metadata": {"name": "p"}}),
            ):
                answer = await http.post(f"{pods}/p/{path}", json=body)
                assert answer.status_code == 400, (path, answer.text)
                assert answer.json()["message"].endswith("denied the request: no")

    asyncio.run(run())
    exec_, binding, eviction = hooks.asked("/v")
    assert (exec_["operation"], exec_["subResource"]) == ("CONNECT", "exec")
    assert exec_["object"] == {
        "kind": "PodExecOptions",
        "apiVersion": "v1",
        "stdout": True,
        "command": ["ls", "-l"],
    }
    assert (binding["kind"]["kind"], binding["object"]["target"]["name"]) == ("Binding", "n")
    assert eviction["kind"] == {"group": "policy", "version": "v1", "kind": "Eviction"}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"clientConfig": {"url": "http://127.0.0.1/"}}, "webhooks[0].clientConfig.url"),
        ({"clientConfig": {"url": "https://a:b@127.0.0.1/"}}, "webhooks[0].clientConfig.url"),
        ({"clientConfig": {"url": "https://127.0.0.1/?a=b"}}, "webhooks[0].clientConfig.url"),
        (
            {"matchConditions": [{"name": "a", "expression": "object +"}]},
            "webhooks[0].matchConditions[0].expression",
        ),
        (
            {"matchConditions": [{"name": "a", "expression": "nobody"}]},
            "webhooks[0].matchConditions[0].expression",
        ),
        ({"rules": [rule(operations="PATCH")]}, "webhooks[0].rules[0].operations[0]"),
        ({"rules": [rule(operations="*,CREATE")]}, "webhooks[0].rules[0].operations"),
        ({"rules": [rule(scope="Galaxy")]}, "webhooks[0].rules[0].scope"),
    ],
)
def test_a_configuration_that_cannot_work_is_refused(
    tmp_path: Path, change: dict[str, Any], field: str
) -> None:
    async def run() -> None:
        async with cluster(tmp_path) as http:
            answer = await http.post(
                f"{REGISTRATION}/validatingwebhookconfigurations",
                json={
                    "metadata": {"name": "v"},
                    "webhooks": [{**hook("v", {"url": "https://127.0.0.1/"}), **change}],
                },
            )
            assert answer.status_code == 422
            assert [each["field"] for each in answer.json()["details"]["causes"]] == [field]

    asyncio.run(run())
