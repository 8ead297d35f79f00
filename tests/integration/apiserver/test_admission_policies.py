"""ValidatingAdmissionPolicies are run: CEL over the write, with parameters, as their bindings say."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from sampan.testing.apiserver import embedded, loopback

REGISTRATION = "/apis/admissionregistration.k8s.io/v1"
CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
RULES = [
    {
        "apiGroups": [""],
        "apiVersions": ["v1"],
        "resources": ["configmaps"],
        "operations": ["CREATE", "UPDATE", "DELETE"],
    }
]


def run(folder: Path, journey: Callable[[httpx.AsyncClient], Awaitable[None]]) -> None:
    async def main() -> None:
        async with (
            embedded(folder) as server,
            loopback(server.asgi) as url,
            httpx.AsyncClient(base_url=url, timeout=60) as http,
        ):
            await journey(http)

    asyncio.run(main())


async def policy(http: httpx.AsyncClient, *validations: Any, **spec: Any) -> None:
    body = {
        "metadata": {"name": "p"},
        "spec": {"matchConstraints": {"resourceRules": RULES}, "validations": list(validations), **spec},
    }
    answer = await http.post(f"{REGISTRATION}/validatingadmissionpolicies", json=body)
    assert answer.status_code == 201, answer.text


async def bind(http: httpx.AsyncClient, *actions: str, name: str = "b", **spec: Any) -> None:
    body = {
        "metadata": {"name": name},
        "spec": {"policyName": "p", "validationActions": list(actions) or ["Deny"], **spec},
    }
    answer = await http.post(f"{REGISTRATION}/validatingadmissionpolicybindings", json=body)
    assert answer.status_code == 201, answer.text


def config_map(name: str = "a", **data: str) -> dict[str, Any]:
    return {"metadata": {"name": name}, "data": data}


def test_a_bound_policy_denies_in_kubernetes_words(tmp_path: Path) -> None:
    async def journey(http: httpx.AsyncClient) -> None:
        await policy(http, {"expression": "object.data.size() < 2"})
        assert (await http.post(CONFIG_MAPS, json=config_map("free", a="1", b="2"))).status_code == 201
        await bind(http)
        answer = await http.post(CONFIG_MAPS, json=config_map(a="1", b="2"))
        text = (
            "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: "
            "failed expression: object.data.size() < 2"
        )
        assert (answer.status_code, answer.json()["reason"]) == (422, "Invalid")
        assert answer.json()["message"] == f'configmaps "a" is forbidden: {text}'
        assert answer.json()["details"]["causes"][0]["message"] == text
        assert (await http.post(CONFIG_MAPS, json=config_map(a="1"))).status_code == 201
        # A policy is a matter of its bindings.
        await http.delete(f"{REGISTRATION}/validatingadmissionpolicybindings/b")
        assert (await http.post(CONFIG_MAPS, json=config_map("b", a="1", b="2"))).status_code == 201

    run(tmp_path, journey)


def test_messages_reasons_and_variables(tmp_path: Path) -> None:
    async def journey(http: httpx.AsyncClient) -> None:
        await policy(
            http,
            {
                "expression": "variables.count <= variables.most",
                "messageExpression": "'at most ' + string(variables.most) + ' in ' + namespaceObject.metadata.name",
                "message": "never seen",
                "reason": "Forbidden",
            },
            variables=[
                {"name": "count", "expression": "has(object.data) ? size(object.data) : 0"},
                {"name": "most", "expression": "variables.count > 100 ? 0 : 1"},
                {"name": "broken", "expression": "object.nowhere.at.all"},
            ],
        )
        await bind(http)
        answer = await http.post(CONFIG_MAPS, json=config_map(a="1", b="2"))
        assert (answer.status_code, answer.json()["reason"]) == (403, "Forbidden")
        assert answer.json()["message"].endswith("denied request: at most 1 in default")

    run(tmp_path, journey)


def test_old_objects_requests_and_deletions(tmp_path: Path) -> None:
    async def journey(http: httpx.AsyncClient) -> None:
        await policy(
            http,
            {
                "expression": "request.operation != 'UPDATE' || object.data.a == oldObject.data.a",
                "message": "a stays",
            },
            {
                "expression": "request.operation != 'DELETE' || (object == null && oldObject.data.a != 'kept')",
                "message": "is kept",
            },
        )
        await bind(http)
        await http.post(CONFIG_MAPS, json=config_map(a="kept"))
        answer = await http.put(f"{CONFIG_MAPS}/a", json=config_map(a="other"))
        assert answer.json()["message"].endswith("a stays")
        assert (await http.put(f"{CONFIG_MAPS}/a", json=config_map(a="kept", b="x"))).status_code == 200
        gone = await http.delete(f"{CONFIG_MAPS}/a")
        assert (gone.status_code, gone.json()["message"].endswith("is kept")) == (422, True)
        assert (await http.delete(CONFIG_MAPS)).status_code == 422

    run(tmp_path, journey)


def test_warn_and_audit_let_pass(tmp_path: Path) -> None:
    async def journey(http: httpx.AsyncClient) -> None:
        await policy(http, {"expression": "false", "message": "no"})
        await bind(http, "Warn", "Audit")
        answer = await http.post(CONFIG_MAPS, json=config_map())
        assert answer.status_code == 201
        assert answer.headers.get_list("warning") == [
            "299 - \"Validation failed for ValidatingAdmissionPolicy 'p' with binding 'b': no\""
        ]

    run(tmp_path, journey)


def test_errors_follow_the_failure_policy(tmp_path: Path) -> None:
    async def journey(http: httpx.AsyncClient) -> None:
        await policy(http, {"expression": "object.data.missing == 'x'"})
        await bind(http)
        answer = await http.post(CONFIG_MAPS, json=config_map())
        assert (
            "expression 'object.data.missing == 'x'' resulted in error: no such key: missing"
            in (answer.json()["message"])
        )
        where = f"{REGISTRATION}/validatingadmissionpolicies/p"
        merge = {"content-type": "application/merge-patch+json"}
        await http.patch(where, json={"spec": {"failurePolicy": "Ignore"}}, headers=merge)
        assert (await http.post(CONFIG_MAPS, json=config_map())).status_code == 201

    run(tmp_path, journey)


def test_conditions_and_bindings_narrow_a_policy(tmp_path: Path) -> None:
    async def journey(http: httpx.AsyncClient) -> None:
        await http.post("/api/v1/namespaces", json={"metadata": {"name": "n", "labels": {"strict": "1"}}})
        not_big = {"name": "small", "expression": "size(object.data) < 3"}
        await policy(http, {"expression": "false"}, matchConditions=[not_big])
        await bind(http, matchResources={"namespaceSelector": {"matchLabels": {"strict": "1"}}})
        strict = "/api/v1/namespaces/n/configmaps"
        assert (await http.post(CONFIG_MAPS, json=config_map(a="1"))).status_code == 201
        assert (await http.post(strict, json=config_map(a="1"))).status_code == 422
        assert (await http.post(strict, json=config_map(a="1", b="2", c="3"))).status_code == 201

    run(tmp_path, journey)


@pytest.mark.parametrize("namespaced", [True, False])
def test_parameters(tmp_path: Path, *, namespaced: bool) -> None:
    async def journey(http: httpx.AsyncClient) -> None:
        if namespaced:
            kind, where = {"apiVersion": "v1", "kind": "Secret"}, "/api/v1/namespaces/default/secrets"
        else:
            kind = {"apiVersion": "v1", "kind": "Namespace"}
            where = "/api/v1/namespaces"
        validation = {
            "expression": "params == null || object.data.a == params.metadata.annotations.wanted",
            "messageExpression": "'wanted ' + params.metadata.annotations.wanted",
        }
        await policy(http, validation, paramKind=kind)
        await bind(http, name="one", paramRef={"name": "x", "parameterNotFoundAction": "Allow"})
        assert (await http.post(CONFIG_MAPS, json=config_map("free", a="1"))).status_code == 201
        for name, wanted in (("x", "1"), ("y", "2")):
            metadata = {"name": name, "labels": {"set": "s"}, "annotations": {"wanted": wanted}}
            assert (await http.post(where, json={"metadata": metadata})).status_code == 201
        answer = await http.post(CONFIG_MAPS, json=config_map(a="2"))
        assert answer.json()["message"].endswith("with binding 'one' denied request: wanted 1")
        assert (await http.post(CONFIG_MAPS, json=config_map(a="1"))).status_code == 201
        reference = {"selector": {"matchLabels": {"set": "s"}}, "parameterNotFoundAction": "Deny"}
        await bind(http, name="all", paramRef=reference)
        answer = await http.post(CONFIG_MAPS, json=config_map("c", a="1"))
        assert answer.json()["message"].endswith("with binding 'all' denied request: wanted 2")
        for name in ("x", "y"):
            await http.patch(
                f"{where}/{name}",
                json={"metadata": {"labels": None}},
                headers={"content-type": "application/merge-patch+json"},
            )
        answer = await http.post(CONFIG_MAPS, json=config_map("c", a="1"))
        assert "no params found for policy binding with `Deny` parameterNotFoundAction" in answer.text

    run(tmp_path, journey)


def test_a_costly_policy_is_stopped(tmp_path: Path) -> None:
    async def journey(http: httpx.AsyncClient) -> None:
        loop = "object.data.all(a, object.data.all(b, object.data.all(c, object.data.all(d, a + b + c + d != ''))))"
        await policy(http, {"expression": loop})
        await bind(http)
        answer = await http.post(CONFIG_MAPS, json=config_map(**{f"k{n}": "v" for n in range(100)}))
        assert (answer.status_code, "cost budget" in answer.json()["message"]) == (422, True)

    run(tmp_path, journey)


@pytest.mark.parametrize(
    ("field", "spec"),
    [
        ("spec.validations[0].expression", {"validations": [{"expression": "object.data ="}]}),
        ("spec.validations[0].expression", {"validations": [{"expression": "obj.data == null"}]}),
        ("spec.variables[0].expression", {"variables": [{"name": "v", "expression": "nobody"}]}),
        (
            "spec.matchConditions[0].expression",
            {"matchConditions": [{"name": "m", "expression": "variables.a"}]},
        ),
    ],
)
def test_what_is_no_expression_is_refused_when_it_is_written(
    tmp_path: Path, field: str, spec: dict[str, Any]
) -> None:
    async def journey(http: httpx.AsyncClient) -> None:
        whole = {
            "matchConstraints": {"resourceRules": RULES},
            "validations": [{"expression": "true"}],
            **spec,
        }
        answer = await http.post(
            f"{REGISTRATION}/validatingadmissionpolicies", json={"metadata": {"name": "p"}, "spec": whole}
        )
        assert answer.status_code == 422
        causes = answer.json()["details"]["causes"]
        assert [each["field"] for each in causes] == [field]
        assert "compilation failed" in causes[0]["message"]

    run(tmp_path, journey)


def test_the_authorizer_can_be_asked(tmp_path: Path) -> None:
    async def journey(http: httpx.AsyncClient) -> None:
        asks = "authorizer.group('').resource('secrets').namespace('default').check('get').allowed()"
        mine = "authorizer.requestResource.check('escalate').allowed()"
        other = "authorizer.serviceAccount('default', 'nobody').path('/secret').check('get').allowed()"
        await policy(http, {"expression": f"{asks} && {mine} && !{other}"})
        await bind(http)
        answer = await http.post(CONFIG_MAPS, json=config_map())
        assert answer.status_code == 201, answer.text

    run(tmp_path, journey)


def test_a_policy_sees_the_scale_of_what_is_scaled(tmp_path: Path) -> None:
    async def journey(http: httpx.AsyncClient) -> None:
        template = {
            "metadata": {"labels": {"a": "b"}},
            "spec": {"containers": [{"name": "c", "image": "i"}]},
        }
        spec = {"replicas": 1, "selector": {"matchLabels": {"a": "b"}}, "template": template}
        await http.post(DEPLOYMENTS, json={"metadata": {"name": "d"}, "spec": spec})
        rules = [{**RULES[0], "apiGroups": ["apps"], "resources": ["deployments", "deployments/scale"]}]
        await policy(
            http, {"expression": "object.spec.replicas <= 5"}, matchConstraints={"resourceRules": rules}
        )
        await bind(http)
        merge = {"content-type": "application/merge-patch+json"}
        for where in (f"{DEPLOYMENTS}/d", f"{DEPLOYMENTS}/d/scale"):
            answer = await http.patch(where, json={"spec": {"replicas": 9}}, headers=merge)
            assert answer.status_code == 422, (where, answer.text)
        answer = await http.patch(f"{DEPLOYMENTS}/d/scale", json={"spec": {"replicas": 3}}, headers=merge)
        assert answer.status_code == 200

    run(tmp_path, journey)
