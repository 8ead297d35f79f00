"""Authentication and RBAC over HTTP: rows 2, 3 and 12 of the security table."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from sampan.kube import rbac
from sampan.kube.kinds import CONFIG_MAPS, NAMESPACES, PODS, SECRETS, SERVICE_ACCOUNTS

NAMESPACED = "/api/v1/namespaces/default"
PUBLIC = {"/version", "/healthz", "/livez", "/readyz"}


def pod(name: str, **spec: Any) -> Any:
    containers = [{"name": "main", "image": "busybox"}]
    return {"metadata": {"name": name, "namespace": "default"}, "spec": {"containers": containers, **spec}}


def test_every_route_is_closed_to_a_stranger(access):
    """Every kind, every verb, every sub-resource, with a namespace and without, by a token without any right."""

    async def scenario(world):
        stranger = await world.account("stranger")
        opened = []
        for resource in world.server.registry:
            scopes = (None, "default") if resource.namespaced else (None,)
            asked = [
                (method, resource.path(scope)) for scope in scopes for method in ("GET", "POST", "DELETE")
            ]
            asked += [("GET", f"{resource.path(scope)}?watch=true") for scope in scopes]
            for scope in ("default",) if resource.namespaced else (None,):
                for method in ("GET", "PUT", "PATCH", "DELETE", "POST", "HEAD", "OPTIONS"):
                    paths = [resource.path(scope, "x")]
                    paths += [resource.path(scope, "x", each) for each in resource.subresources]
                    asked += [(method, path) for path in paths]
            for method, path in asked:
                status, _ = await world.ask(method, path, {}, token=stranger)
                if status != 403:
                    opened.append((method, path, status))
        asking = ("selfsubjectaccessreviews", "selfsubjectrulesreviews", "selfsubjectreviews")
        assert {
            path for method, path, _ in opened if not (method == "POST" and path.split("/")[4] in asking)
        } == set()
        for path in (
            "/",
            "/metrics",
            "/logs",
            "/apis/v2beta1/runs",
            "/pipeline/apis/v2beta1/runs",
            "/whatever",
        ):
            status, body = await world.ask("GET", path, token=stranger)
            assert (status, body["message"].startswith("forbidden: User")) == (403, True)
        for path in PUBLIC | {"/api", "/apis", "/apis/batch", "/apis/batch/v1", "/api/v1", "/openapi/v3"}:
            assert (await world.ask("GET", path, token=stranger))[0] == 200, path

    access(scenario)


def test_messages_are_kubernetes_own(access):
    async def scenario(world):
        robot = await world.account("robot")
        for method, path, what, verb, resource in (
            ("GET", f"{NAMESPACED}/pods", "pods", "list", "pods"),
            ("GET", f"{NAMESPACED}/pods/a", 'pods "a"', "get", "pods"),
            ("GET", f"{NAMESPACED}/pods/a/log", 'pods "a"', "get", "pods/log"),
            ("PUT", f"{NAMESPACED}/pods/a/status", 'pods "a"', "update", "pods/status"),
            ("DELETE", "/apis/batch/v1/namespaces/default/jobs", "jobs.batch", "deletecollection", "jobs"),
            ("GET", "/api/v1/nodes?watch=1", "nodes", "watch", "nodes"),
        ):
            group = "batch" if "batch" in path else ""
            where = "at the cluster scope" if resource == "nodes" else 'in the namespace "default"'
            expected = (
                f'{what} is forbidden: User "system:serviceaccount:default:robot" cannot {verb} resource '
                f'"{resource}" in API group "{group}" {where}'
            )
            status, body = await world.ask(method, path, token=robot)
            assert (status, body["reason"], body["message"]) == (403, "Forbidden", expected)
        status, body = await world.ask("GET", f"{NAMESPACED}/pods/a", token=robot)
        assert body["details"] == {"name": "a", "kind": "pods"}

    access(scenario)


@pytest.mark.parametrize(
    ("rule", "allowed", "denied"),
    [
        (
            {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list"]},
            [("GET", "configmaps"), ("GET", "configmaps/one")],
            [("GET", "configmaps?watch=1"), ("DELETE", "configmaps/one"), ("GET", "secrets/one")],
        ),
        (
            {"apiGroups": ["*"], "resources": ["*"], "verbs": ["get"]},
            [("GET", "configmaps/one"), ("GET", "secrets/one"), ("GET", "pods/p/status")],
            [("GET", "configmaps"), ("PUT", "configmaps/one")],
        ),
        (
            {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["one"], "verbs": ["*"]},
            [("GET", "configmaps/one"), ("GET", "configmaps?fieldSelector=metadata.name%3Done")],
            [("GET", "configmaps"), ("GET", "configmaps/two"), ("DELETE", "configmaps")],
        ),
        (
            {"apiGroups": [""], "resources": ["*/status"], "verbs": ["get"]},
            [("GET", "pods/p/status")],
            [("GET", "pods/p"), ("GET", "pods/p/log")],
        ),
        (
            {"apiGroups": ["apps"], "resources": ["configmaps"], "verbs": ["*"]},
            [],
            [("GET", "configmaps/one")],
        ),
    ],
)  # fmt: skip
def test_rules_over_http(access, rule, allowed, denied):
    async def scenario(world):
        await world.client.create(NAMESPACES, {"metadata": {"name": "other"}})
        for namespace in ("default", "other"):
            for name in ("one", "two"):
                metadata = {"name": name, "namespace": namespace}
                await world.client.create(CONFIG_MAPS, {"metadata": dict(metadata)})
                await world.client.create(SECRETS, {"metadata": dict(metadata)})
        await world.client.create(PODS, pod("p"))
        robot = await world.account("robot")
        await world.grant("robot", rule)
        for method, path in allowed:
            assert (await world.ask(method, f"{NAMESPACED}/{path}", token=robot))[0] == 200, path
            assert (await world.ask(method, f"/api/v1/namespaces/other/{path}", token=robot))[0] == 403, path
        for method, path in denied:
            assert (await world.ask(method, f"{NAMESPACED}/{path}", {}, token=robot))[0] == 403, path

    access(scenario)


def test_rights_hold_from_the_write_to_its_opposite(access):
    async def scenario(world):
        robot = await world.account("robot")
        path = f"{NAMESPACED}/pods"
        rule = {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}
        for _ in range(3):
            assert (await world.ask("GET", path, token=robot))[0] == 403
            await world.grant("robot", rule)
            assert (await world.ask("GET", path, token=robot))[0] == 200
            binding = (await world.client.list(rbac.ROLE_BINDINGS, "default")).items[0]["metadata"]["name"]
            await world.client.delete(rbac.ROLES, binding, "default")
            status, body = await world.ask("GET", path, token=robot)
            assert status == 403
            assert body["message"].endswith(f': RBAC: role.rbac.authorization.k8s.io "{binding}" not found')
            await world.client.delete(rbac.ROLE_BINDINGS, binding, "default")

    access(scenario)


def test_the_built_in_roles(access):
    async def scenario(world):
        viewer = await world.account("viewer")
        reference = {"apiGroup": rbac.GROUP, "kind": "ClusterRole", "name": "view"}
        metadata = {"name": "view", "namespace": "default"}
        await world.bind(rbac.ROLE_BINDINGS, metadata, reference, "viewer")
        assert (await world.ask("GET", f"{NAMESPACED}/pods", token=viewer))[0] == 200
        assert (await world.ask("GET", f"{NAMESPACED}/secrets", token=viewer))[0] == 403
        assert (await world.ask("GET", "/api/v1/pods", token=viewer))[0] == 403
        assert (await world.ask("POST", f"{NAMESPACED}/pods", pod("a"), token=viewer))[0] == 403
        boss = await world.account("boss")
        reference = {"apiGroup": rbac.GROUP, "kind": "ClusterRole", "name": "cluster-admin"}
        await world.bind(rbac.CLUSTER_ROLE_BINDINGS, {"name": "boss"}, reference, "boss")
        assert (await world.ask("GET", "/api/v1/secrets", token=boss))[0] == 200
        assert (await world.ask("GET", "/metrics", token=boss))[0] == 404

    access(scenario)


def test_tokens_that_are_none(access):
    async def scenario(world):
        good = await world.account("robot")
        head, claims, signature = good.split(".")
        raw = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
        raw["sub"] = "system:serviceaccount:kube-system:admin"
        forged = base64.urlsafe_b64encode(json.dumps(raw).encode()).decode().rstrip("=")
        none = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').decode().rstrip("=")
        for token in (
            "wrong",
            "a.b.c",
            f"{head}.{forged}.{signature}",
            f"{none}.{claims}.",
            f"{good}x",
            "x" * 99999,
        ):
            status, body = await world.ask("GET", "/version", token=token)
            assert (status, body["message"], body["reason"]) == (401, "Unauthorized", "Unauthorized")
        other = await world.client.create_token("robot", "default", {"spec": {"audiences": ["else"]}})
        assert (await world.ask("GET", "/version", token=other["status"]["token"]))[0] == 401
        assert (await world.ask("GET", "/version", token=good))[0] == 200
        await world.client.delete(SERVICE_ACCOUNTS, "robot", "default")
        assert (await world.ask("GET", "/version", token=good))[0] == 401

    access(scenario)


def test_a_token_ends_with_its_pod(access):
    async def scenario(world):
        await world.account("robot")
        made = await world.client.create(PODS, pod("a", serviceAccountName="robot"))
        reference = {"kind": "Pod", "apiVersion": "v1", "name": "a", "uid": made["metadata"]["uid"]}
        answer = await world.client.create_token("robot", "default", {"spec": {"boundObjectRef": reference}})
        token = answer["status"]["token"]
        status, review = await world.ask(
            "POST",
            "/apis/authentication.k8s.io/v1/selfsubjectreviews",
            {"kind": "SelfSubjectReview"},
            token=token,
        )
        assert status == 201
        extra = review["status"]["userInfo"]["extra"]
        assert extra["authentication.kubernetes.io/pod-name"] == ["a"]
        await world.client.delete(PODS, "a", "default")
        await world.client.create(PODS, pod("a", serviceAccountName="robot"))
        assert (await world.ask("GET", "/version", token=token))[0] == 401

    access(scenario)


def test_impersonation(access):
    async def scenario(world):
        whoami = ("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", {"kind": "SelfSubjectReview"})
        _, review = await world.ask(*whoami, impersonate_user="jane", impersonate_group="dev")
        assert review["status"]["userInfo"] == {"username": "jane", "groups": ["dev", "system:authenticated"]}
        _, review = await world.ask(*whoami, impersonate_user="system:serviceaccount:default:x")
        assert review["status"]["userInfo"]["groups"] == [
            "system:serviceaccounts", "system:serviceaccounts:default", "system:authenticated",
        ]  # fmt: skip
        _, review = await world.ask(
            *whoami,
            impersonate_user="jane",
            impersonate_uid="7",
            **{"impersonate_extra_acme.com%2fproject": "one"},
        )
        assert review["status"]["userInfo"]["uid"] == "7"
        assert review["status"]["userInfo"]["extra"] == {"acme.com/project": ["one"]}
        robot = await world.account("robot")
        status, body = await world.ask("GET", "/version", token=robot, impersonate_user="jane")
        assert status == 403
        assert body["message"].startswith(
            'users "jane" is forbidden: User "system:serviceaccount:default:robot"'
        )
        rule = {
            "apiGroups": [""],
            "resources": ["users"],
            "resourceNames": ["jane"],
            "verbs": ["impersonate"],
        }
        await world.grant("robot", rule, namespace="")
        assert (await world.ask("GET", "/version", token=robot, impersonate_user="jane"))[0] == 200
        for headers in ({"impersonate_group": "system:masters"}, {"impersonate_uid": "1"}):
            asked = await world.ask("GET", "/version", token=robot, impersonate_user="jane", **headers)
            assert asked[0] == 403
        assert (await world.ask("GET", "/version", impersonate_group="dev"))[0] == 400

    access(scenario)


def test_nobody_grants_what_they_have_not(access):
    async def scenario(world):
        robot = await world.account("robot")
        own = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}
        manage = {"apiGroups": [rbac.GROUP], "resources": ["roles", "rolebindings"], "verbs": ["*"]}
        manage["verbs"] = ["get", "create", "update", "patch"]
        await world.grant("robot", own, manage)
        roles = f"/apis/{rbac.GROUP}/v1/namespaces/default/roles"

        def role(name: str, *verbs: str, resource: str = "pods") -> Any:
            return {
                "metadata": {"name": name},
                "rules": [{"apiGroups": [""], "resources": [resource], "verbs": verbs}],
            }

        assert (await world.ask("POST", roles, role("less", "get"), token=robot))[0] == 201
        status, body = await world.ask("POST", roles, role("more", "get", "delete"), token=robot)
        assert status == 403
        assert body["message"] == (
            'roles.rbac.authorization.k8s.io "more" is forbidden: user "system:serviceaccount:default:robot" '
            '(groups=["system:serviceaccounts" "system:serviceaccounts:default" "system:authenticated"]) is attempting '
            'to grant RBAC permissions not currently held:\n{APIGroups:[""], Resources:["pods"], Verbs:["delete"]}'
        )
        patch = {"rules": role("x", "*", resource="secrets")["rules"]}
        change = await world.ask(
            "PATCH", f"{roles}/less", patch, token=robot, content_type="application/merge-patch+json"
        )
        assert change[0] == 403
        bindings = f"/apis/{rbac.GROUP}/v1/namespaces/default/rolebindings"
        subject = {"kind": "ServiceAccount", "name": "robot", "namespace": "default"}

        def binding(kind: str, name: str) -> Any:
            reference = {"apiGroup": rbac.GROUP, "kind": kind, "name": name}
            return {"metadata": {"generateName": "b-"}, "roleRef": reference, "subjects": [subject]}

        assert (await world.ask("POST", bindings, binding("Role", "less"), token=robot))[0] == 201
        assert (await world.ask("POST", bindings, binding("ClusterRole", "admin"), token=robot))[0] == 403
        assert (await world.ask("POST", bindings, binding("Role", "none"), token=robot))[0] == 404
        await world.grant(
            "robot",
            {
                "apiGroups": [rbac.GROUP],
                "resources": ["clusterroles"],
                "resourceNames": ["admin"],
                "verbs": ["bind"],
            },
        )
        assert (await world.ask("POST", bindings, binding("ClusterRole", "admin"), token=robot))[0] == 201

    access(scenario)


def test_programs_in_pods_need_create(access):
    async def scenario(world):
        robot = await world.account("robot")
        await world.grant("robot", {"apiGroups": [""], "resources": ["*"], "verbs": ["get"]})
        await world.client.create(PODS, pod("p"))
        assert (await world.ask("GET", f"{NAMESPACED}/pods/p", token=robot))[0] == 200
        assert (await world.ask("GET", f"{NAMESPACED}/pods/p/exec?command=id", token=robot))[0] == 403

    access(scenario)


def test_reviews(access):
    async def scenario(world):
        robot = await world.account("robot")
        await world.grant("robot", {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]})
        group = "/apis/authorization.k8s.io/v1"
        asked = {"namespace": "default", "verb": "list", "resource": "pods"}
        for attributes, expected in ((asked, True), ({**asked, "verb": "get"}, False)):
            status, review = await world.ask(
                "POST",
                f"{group}/selfsubjectaccessreviews",
                {"spec": {"resourceAttributes": attributes}},
                token=robot,
            )
            assert (status, review["status"]["allowed"]) == (201, expected)
        _, review = await world.ask(
            "POST", f"{group}/selfsubjectrulesreviews", {"spec": {"namespace": "default"}}, token=robot
        )
        assert {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]} in review["status"][
            "resourceRules"
        ]
        assert any("/version" in each["nonResourceURLs"] for each in review["status"]["nonResourceRules"])
        body = {"spec": {"user": "system:serviceaccount:default:robot", "resourceAttributes": asked}}
        local = f"{group}/namespaces/default/localsubjectaccessreviews"
        assert (await world.ask("POST", local, body, token=robot))[0] == 403
        assert (await world.ask("POST", local, body))[1]["status"]["allowed"] is True
        asked["namespace"] = "other"
        assert (await world.ask("POST", local, body))[0] == 422
        status, body = await world.ask("POST", f"{group}/subjectaccessreviews", {"spec": {"user": "a"}})
        assert status == 422
        assert (
            "exactly one of nonResourceAttributes or resourceAttributes must be specified" in body["message"]
        )
        for method in ("GET", "DELETE"):
            assert (await world.ask(method, f"{group}/subjectaccessreviews"))[0] == 405

    access(scenario)


def test_secrets_with_tokens(access):
    async def scenario(world):
        await world.account("robot")
        annotations = {"kubernetes.io/service-account.name": "robot"}
        metadata = {"name": "robot-token", "namespace": "default", "annotations": annotations}
        secret = {"metadata": metadata, "type": "kubernetes.io/service-account-token"}
        await world.client.create(SECRETS, secret)

        async def filled() -> Any:
            data = (await world.client.get(SECRETS, "robot-token", "default")).get("data") or {}
            return data if "token" in data else None

        data = {key: base64.b64decode(value).decode() for key, value in (await world.until(filled)).items()}
        assert (data["namespace"], data["ca.crt"]) == ("default", "-----CA-----")
        assert (await world.ask("GET", "/version", token=data["token"]))[0] == 200
        await world.client.delete(SERVICE_ACCOUNTS, "robot", "default")

        async def gone() -> bool:
            return not [
                each
                for each in (await world.client.list(SECRETS, "default")).items
                if each["metadata"]["name"] == "robot-token"
            ]

        await world.until(gone)
        assert (await world.ask("GET", "/version", token=data["token"]))[0] == 401

    access(scenario, controlled=True)


def test_aggregation(access):
    async def scenario(world):
        viewer = await world.account("viewer")
        reference = {"apiGroup": rbac.GROUP, "kind": "ClusterRole", "name": "view"}
        await world.bind(rbac.ROLE_BINDINGS, {"name": "view", "namespace": "default"}, reference, "viewer")
        metadata = {"name": "secret-reader", "labels": {f"{rbac.GROUP}/aggregate-to-view": "true"}}
        rule = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["list"]}
        await world.client.create(rbac.CLUSTER_ROLES, {"metadata": metadata, "rules": [rule]})

        async def answer(expected: int) -> bool:
            return (await world.ask("GET", f"{NAMESPACED}/secrets", token=viewer))[0] == expected

        await world.until(lambda: answer(200))
        # What view has edit has, and admin too.
        for name in ("edit", "admin"):
            await world.until(lambda name=name: has(world, name, rule))
        await world.client.delete(rbac.CLUSTER_ROLES, "secret-reader")
        await world.until(lambda: answer(403))

    async def has(world: Any, name: str, rule: Any) -> bool:
        return rule in (await world.client.get(rbac.CLUSTER_ROLES, name))["rules"]

    access(scenario, controlled=True)


def test_the_keys_are_public(access):
    async def scenario(world):
        robot = await world.account("robot")
        status, keys = await world.ask("GET", "/openid/v1/jwks", token=robot)
        assert status == 200
        assert all("d" not in key for key in keys["keys"])
        _, found = await world.ask("GET", "/.well-known/openid-configuration", token=robot)
        assert found["issuer"] == "https://kubernetes.default.svc.cluster.local"

    access(scenario)
