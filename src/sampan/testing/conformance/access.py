"""Service accounts, their tokens, and what they may do."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from sampan.client.protocol import Object
from sampan.kube import meta, rbac
from sampan.kube.errors import ApiError, ForbiddenError, InvalidError, NotFoundError
from sampan.kube.kinds import PODS, SERVICE_ACCOUNTS
from sampan.kube.rbac import SUBJECT_ACCESS_REVIEWS, TOKEN_REVIEWS
from sampan.testing.conformance.world import Connected, World, check, refused


async def may(world: World, account: str, verb: str, resource: str, **attributes: Any) -> bool:
    asked = {"verb": verb, "resource": resource, "namespace": world.namespace, **attributes}
    user = f"system:serviceaccount:{world.namespace}:{account}"
    spec = {"user": user, "groups": ["system:serviceaccounts"], "resourceAttributes": asked}
    answer = await world.client.create(SUBJECT_ACCESS_REVIEWS, {"spec": spec})
    return bool(answer["status"]["allowed"])


async def account(world: World, name: str) -> Object:
    return await world.client.create(
        SERVICE_ACCOUNTS, {"metadata": {"name": name, "namespace": world.namespace}}
    )


async def grant(world: World, name: str, *rules: Object) -> None:
    """To the service account of that name, by a Role and a RoleBinding of that name."""
    metadata = {"name": name, "namespace": world.namespace}
    await world.client.create(rbac.ROLES, {"metadata": dict(metadata), "rules": list(rules)})
    binding = {
        "metadata": dict(metadata),
        "roleRef": {"apiGroup": rbac.GROUP, "kind": "Role", "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": world.namespace}],
    }
    await world.client.create(rbac.ROLE_BINDINGS, binding)


async def settled(condition: Callable[[], Awaitable[bool]]) -> None:
    """A real API server learns of roles and bindings a moment after they are written."""
    for _ in range(1200):
        if await condition():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("it never came to be")


class AccessChecks(Connected):
    @check
    async def test_a_token_is_its_accounts(self, world: World) -> None:
        made = await account(world, "robot")
        answer = await world.client.create_token("robot", world.namespace, {"spec": {}})
        token = answer["status"]["token"]
        assert answer["status"]["expirationTimestamp"]
        review = await world.client.create(TOKEN_REVIEWS, {"spec": {"token": token}})
        assert review["status"]["authenticated"] is True
        user = review["status"]["user"]
        assert user["username"] == f"system:serviceaccount:{world.namespace}:robot"
        assert user["uid"] == meta.uid(made)
        groups = {"system:serviceaccounts", f"system:serviceaccounts:{world.namespace}"}
        assert groups | {"system:authenticated"} == set(user["groups"])

    @check
    async def test_a_token_ends_with_its_account(self, world: World) -> None:
        await account(world, "robot")
        answer = await world.client.create_token("robot", world.namespace, {"spec": {}})
        await world.client.delete(SERVICE_ACCOUNTS, "robot", world.namespace)
        await account(world, "robot")
        review = await world.client.create(TOKEN_REVIEWS, {"spec": {"token": answer["status"]["token"]}})
        assert not review["status"].get("authenticated")
        assert review["status"]["error"]

    @check
    async def test_a_token_is_for_its_audience(self, world: World) -> None:
        await account(world, "robot")
        request = {"spec": {"audiences": ["vault"], "expirationSeconds": 600}}
        token = (await world.client.create_token("robot", world.namespace, request))["status"]["token"]
        review = await world.client.create(TOKEN_REVIEWS, {"spec": {"token": token}})
        assert not review["status"].get("authenticated")
        asked = {"token": token, "audiences": ["vault", "other"]}
        review = await world.client.create(TOKEN_REVIEWS, {"spec": asked})
        assert review["status"]["audiences"] == ["vault"]

    @check
    async def test_token_requests_are_validated(self, world: World) -> None:
        await account(world, "robot")

        def asked(name: str, **spec: Any) -> Any:
            return world.client.create_token(name, world.namespace, {"spec": spec})

        await refused(NotFoundError, asked("nobody"))
        error = await refused(InvalidError, asked("robot", expirationSeconds=599))
        assert "may not specify a duration less than 10 minutes" in error.message
        pod = await world.create_pod("bound")
        reference = {"kind": "Pod", "apiVersion": "v1", "name": "bound", "uid": meta.uid(pod)}
        unlike = await refused(ApiError, asked("robot", boundObjectRef=reference))
        assert "different serviceaccount name" in unlike.message
        other = {**reference, "uid": "00000000-0000-0000-0000-000000000000"}
        await refused(ApiError, asked("robot", boundObjectRef=other))

    @check
    async def test_a_role_allows_what_it_says_and_nothing_else(self, world: World) -> None:
        await account(world, "robot")
        assert not await may(world, "robot", "get", "pods")
        await grant(
            world,
            "robot",
            {"apiGroups": [""], "resources": ["pods", "pods/log"], "verbs": ["get"]},
            {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["one"], "verbs": ["*"]},
            {"apiGroups": ["apps"], "resources": ["*/scale"], "verbs": ["update"]},
        )
        await settled(lambda: may(world, "robot", "get", "pods"))
        assert await may(world, "robot", "get", "pods", subresource="log")
        assert await may(world, "robot", "delete", "configmaps", name="one")
        assert await may(world, "robot", "update", "deployments", group="apps", subresource="scale")
        for verb, resource, attributes in (
            ("list", "pods", {}),
            ("get", "pods", {"subresource": "exec"}),
            ("get", "pods", {"namespace": "default"}),
            ("get", "pods", {"group": "metrics.k8s.io"}),
            ("get", "configmaps", {"name": "two"}),
            ("list", "configmaps", {}),
            ("update", "deployments", {"group": "apps"}),
            ("get", "secrets", {"name": "one"}),
        ):
            assert not await may(world, "robot", verb, resource, **attributes), (verb, resource)

    @check
    async def test_a_binding_ends_with_its_role(self, world: World) -> None:
        await account(world, "robot")
        await grant(world, "robot", {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]})
        await settled(lambda: may(world, "robot", "get", "pods"))
        await world.client.delete(rbac.ROLES, "robot", world.namespace)

        async def denied() -> bool:
            return not await may(world, "robot", "get", "pods")

        await settled(denied)

    @check
    async def test_a_binding_keeps_its_role(self, world: World) -> None:
        await grant(world, "robot", {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]})
        change = {"roleRef": {"apiGroup": rbac.GROUP, "kind": "Role", "name": "other"}}
        error = await refused(
            InvalidError, world.client.patch(rbac.ROLE_BINDINGS, "robot", change, world.namespace)
        )
        assert "cannot change roleRef" in error.message

    @check
    async def test_a_pod_of_an_unknown_account_is_refused(self, world: World) -> None:
        pod = world.pod("stranger")
        pod["spec"]["serviceAccountName"] = "nobody"
        error = await refused(ForbiddenError, world.client.create(PODS, pod))
        assert 'serviceaccount "nobody" not found' in error.message

    @check
    async def test_pods_are_given_a_token(self, world: World) -> None:
        await account(world, "robot")
        pod = world.pod("robot")
        pod["spec"]["serviceAccountName"] = "robot"
        made = await world.client.create(PODS, pod)
        volume = next(each for each in made["spec"]["volumes"] if each["name"].startswith("kube-api-access-"))
        sources = volume["projected"]["sources"]
        assert sources[0]["serviceAccountToken"] == {"expirationSeconds": 3607, "path": "token"}
        for container in made["spec"]["containers"]:
            assert container["volumeMounts"][-1] == {
                "name": volume["name"],
                "readOnly": True,
                "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount",
            }
        pod = world.pod("plain")
        pod["spec"] |= {"serviceAccountName": "robot", "automountServiceAccountToken": False}
        made = await world.client.create(PODS, pod)
        assert not made["spec"].get("volumes")

    @check
    async def test_aggregated_roles_are_the_sum_of_others(self, world: World) -> None:
        view = await world.client.get(rbac.CLUSTER_ROLES, "view")
        assert any("pods" in rule["resources"] for rule in view["rules"])
        assert all("secrets" not in rule["resources"] for rule in view["rules"])
        edit = await world.client.get(rbac.CLUSTER_ROLES, "edit")
        assert any("secrets" in rule["resources"] for rule in edit["rules"])
