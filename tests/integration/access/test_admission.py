"""Quotas, limit ranges, priorities, default classes and hooks, as writes meet them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sampan.client.protocol import WriteOptions
from sampan.kube.admission import MutatingHook
from sampan.kube.errors import ApiError, ForbiddenError, InvalidError
from sampan.kube.kinds import (
    CONFIG_MAPS,
    LIMIT_RANGES,
    PERSISTENT_VOLUME_CLAIMS,
    PODS,
    PRIORITY_CLASSES,
    RESOURCE_QUOTAS,
    SERVICE_ACCOUNTS,
    STORAGE_CLASSES,
)


def pod(name: str, resources: Any = None, **spec: Any) -> Any:
    container = {"name": "main", "image": "busybox", **({"resources": resources} if resources else {})}
    return {"metadata": {"name": name, "namespace": "default"}, "spec": {"containers": [container], **spec}}


async def quota(world: Any, name: str, hard: Any, **spec: Any) -> None:
    """And waits until it is counted."""
    metadata = {"name": name, "namespace": "default"}
    await world.client.create(RESOURCE_QUOTAS, {"metadata": metadata, "spec": {"hard": hard, **spec}})

    async def counted() -> bool:
        found = await world.client.get(RESOURCE_QUOTAS, name, "default")
        return bool(found["status"].get("used", {}).keys() == hard.keys())

    await world.until(counted)


async def used(world: Any, name: str) -> Any:
    return (await world.client.get(RESOURCE_QUOTAS, name, "default"))["status"]["used"]


def test_a_quota_counts_what_was_there_and_what_comes(access):
    async def scenario(world):
        await world.client.create(PODS, pod("before", {"requests": {"cpu": "300m"}}))
        await quota(world, "q", {"pods": "3", "requests.cpu": "1", "requests.memory": "1Gi"})
        assert await used(world, "q") == {"pods": "1", "requests.cpu": "300m", "requests.memory": "0"}
        some = {"requests": {"cpu": "600m", "memory": "512Mi"}}
        await world.client.create(PODS, pod("a", some))
        assert await used(world, "q") == {"pods": "2", "requests.cpu": "900m", "requests.memory": "512Mi"}
        with pytest.raises(ForbiddenError) as refused:
            await world.client.create(PODS, pod("b", some))
        assert refused.value.message == (
            'pods "b" is forbidden: exceeded quota: q, requested: requests.cpu=600m, used: requests.cpu=900m, '
            "limited: requests.cpu=1"
        )
        with pytest.raises(ForbiddenError) as refused:
            await world.client.create(PODS, pod("c"))
        assert refused.value.message == (
            'pods "c" is forbidden: failed quota: q: must specify requests.cpu for: main; requests.memory for: main'
        )
        # A try is not counted, and what ends or goes is not any more.
        small = {"requests": {"cpu": "1m", "memory": "1Mi"}}
        await world.client.create(PODS, pod("d", small), WriteOptions(dry_run=True))
        assert (await used(world, "q"))["pods"] == "2"
        status = {"status": {"phase": "Succeeded"}}
        await world.client.patch(PODS, "before", status, "default", subresource="status")
        assert await used(world, "q") == {"pods": "1", "requests.cpu": "600m", "requests.memory": "512Mi"}
        await world.client.delete(PODS, "a", "default")
        await world.client.delete(PODS, "before", "default")
        assert await used(world, "q") == {"pods": "0", "requests.cpu": "0", "requests.memory": "0"}

    access(scenario, controlled=True)


def test_a_quota_is_never_passed(access):
    async def scenario(world):
        await quota(world, "q", {"pods": "5", "count/pods": "5"})

        async def create(at: int) -> bool:
            try:
                await world.client.create(PODS, pod(f"p{at}"))
            except ForbiddenError:
                return False
            return True

        made = await asyncio.gather(*(create(at) for at in range(30)))
        assert sum(made) == 5
        assert len((await world.client.list(PODS, "default")).items) == 5
        assert await used(world, "q") == {"pods": "5", "count/pods": "5"}

    access(scenario, controlled=True)


def test_counted_kinds_and_claims(access):
    async def scenario(world):
        hard = {
            "configmaps": "2",
            "count/configmaps": "9",
            "requests.storage": "10Gi",
            "persistentvolumeclaims": "2",
        }
        await quota(world, "q", hard)
        before = int((await used(world, "q"))["configmaps"])
        for name in ["a", "b"][before:]:
            await world.client.create(CONFIG_MAPS, {"metadata": {"name": name, "namespace": "default"}})
        with pytest.raises(
            ForbiddenError, match="exceeded quota: q, requested: configmaps=1, used: configmaps=2"
        ):
            await world.client.create(CONFIG_MAPS, {"metadata": {"name": "c", "namespace": "default"}})

        def claim(name: str, size: str) -> Any:
            spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}}
            return {"metadata": {"name": name, "namespace": "default"}, "spec": spec}

        await world.client.create(PERSISTENT_VOLUME_CLAIMS, claim("one", "6Gi"))
        with pytest.raises(ForbiddenError, match=r"requests\.storage=6Gi"):
            await world.client.create(PERSISTENT_VOLUME_CLAIMS, claim("two", "6Gi"))
        grown = {"spec": {"resources": {"requests": {"storage": "11Gi"}}}}
        with pytest.raises(ApiError):
            await world.client.patch(PERSISTENT_VOLUME_CLAIMS, "one", grown, "default")
        assert (await used(world, "q"))["requests.storage"] == "6Gi"

    access(scenario, controlled=True)


def test_scopes(access):
    async def scenario(world):
        await quota(world, "best", {"pods": "1"}, scopes=["BestEffort"])
        await quota(world, "timed", {"pods": "1"}, scopes=["Terminating"])
        some = {"requests": {"cpu": "1m"}}
        await world.client.create(PODS, pod("a"))
        await world.client.create(PODS, pod("b", some))
        await world.client.create(PODS, pod("c", some, activeDeadlineSeconds=5))
        assert [(await used(world, name))["pods"] for name in ("best", "timed")] == ["1", "1"]
        with pytest.raises(ForbiddenError, match="exceeded quota: best"):
            await world.client.create(PODS, pod("d"))
        with pytest.raises(ForbiddenError, match="exceeded quota: timed"):
            await world.client.create(PODS, pod("d", some, activeDeadlineSeconds=5))

    access(scenario, controlled=True)


def test_limit_ranges(access):
    async def scenario(world):
        limits = [
            {
                "type": "Container",
                "default": {"cpu": "500m"},
                "defaultRequest": {"cpu": "100m"},
                "max": {"cpu": "1"},
                "min": {"cpu": "50m"},
                "maxLimitRequestRatio": {"cpu": "5"},
            },
            {"type": "PersistentVolumeClaim", "max": {"storage": "5Gi"}},
        ]
        metadata = {"name": "limits", "namespace": "default"}
        await world.client.create(LIMIT_RANGES, {"metadata": metadata, "spec": {"limits": limits}})
        made = await world.client.create(PODS, pod("a"))
        assert made["spec"]["containers"][0]["resources"] == {
            "requests": {"cpu": "100m"},
            "limits": {"cpu": "500m"},
        }
        assert made["metadata"]["annotations"]["kubernetes.io/limit-ranger"] == (
            "LimitRanger plugin set: cpu request for container main; cpu limit for container main"
        )
        # Its own limit is its request too, before any default.
        made = await world.client.create(PODS, pod("b", {"limits": {"cpu": "200m"}}))
        assert made["spec"]["containers"][0]["resources"]["requests"] == {"cpu": "200m"}
        for resources, text in (
            ({"limits": {"cpu": "2"}}, "maximum cpu usage per Container is 1, but limit is 2"),
            ({"requests": {"cpu": "10m"}}, "minimum cpu usage per Container is 50m, but request is 10m"),
            (
                {"requests": {"cpu": "100m"}, "limits": {"cpu": "900m"}},
                "cpu max limit to request ratio per Container is 5, but provided ratio is 9.000000",
            ),
        ):
            with pytest.raises(ForbiddenError) as refused:
                await world.client.create(PODS, pod("c", resources))
            assert text in refused.value.message
        spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "6Gi"}}}
        claim = {"metadata": {"name": "big", "namespace": "default"}, "spec": spec}
        with pytest.raises(ForbiddenError, match="maximum storage usage per PersistentVolumeClaim is 5Gi"):
            await world.client.create(PERSISTENT_VOLUME_CLAIMS, claim)

    access(scenario)


def test_priorities(access):
    async def scenario(world):
        made = await world.client.create(PODS, pod("a"))
        assert made["spec"]["priority"] == 0
        high = {"metadata": {"name": "high"}, "value": 1000, "preemptionPolicy": "Never"}
        await world.client.create(PRIORITY_CLASSES, high)
        made = await world.client.create(PODS, pod("b", priorityClassName="high"))
        assert (made["spec"]["priority"], made["spec"]["preemptionPolicy"]) == (1000, "Never")
        made = await world.client.create(PODS, pod("c", priorityClassName="system-node-critical"))
        assert made["spec"]["priority"] == 2_000_001_000
        with pytest.raises(ForbiddenError, match="no PriorityClass with name none was found"):
            await world.client.create(PODS, pod("d", priorityClassName="none"))
        with pytest.raises(ForbiddenError, match="must not be provided in pod spec"):
            await world.client.create(PODS, pod("d", priority=7))
        default = {"metadata": {"name": "usual"}, "value": 5, "globalDefault": True}
        await world.client.create(PRIORITY_CLASSES, default)
        made = await world.client.create(PODS, pod("e"))
        assert (made["spec"]["priority"], made["spec"]["priorityClassName"]) == (5, "usual")
        with pytest.raises(ForbiddenError, match="usual is already marked as default"):
            await world.client.create(PRIORITY_CLASSES, {**default, "metadata": {"name": "other"}})
        with pytest.raises(
            InvalidError, match="maximum allowed value of a user defined priority is 1000000000"
        ):
            await world.client.create(PRIORITY_CLASSES, {"metadata": {"name": "top"}, "value": 1_000_000_001})

    access(scenario)


def test_default_storage_class(access):
    async def scenario(world):
        spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
        annotations = {"storageclass.kubernetes.io/is-default-class": "true"}
        for name, given in (("plain", {}), ("usual", annotations)):
            metadata = {"name": name, "annotations": given}
            await world.client.create(STORAGE_CLASSES, {"metadata": metadata, "provisioner": "a/b"})
        for name, own, expected in (("a", {}, "usual"), ("b", {"storageClassName": ""}, "")):
            claim = {"metadata": {"name": name, "namespace": "default"}, "spec": {**spec, **own}}
            made = await world.client.create(PERSISTENT_VOLUME_CLAIMS, claim)
            assert made["spec"]["storageClassName"] == expected

    access(scenario)


def test_service_accounts_of_pods(access):
    async def scenario(world):
        metadata = {"name": "robot", "namespace": "default"}
        account = {"metadata": metadata, "imagePullSecrets": [{"name": "registry"}]}
        await world.client.create(SERVICE_ACCOUNTS, {**account, "automountServiceAccountToken": False})
        made = await world.client.create(PODS, pod("a", serviceAccountName="robot"))
        assert made["spec"]["imagePullSecrets"] == [{"name": "registry"}]
        assert "volumes" not in made["spec"]
        made = await world.client.create(
            PODS, pod("b", serviceAccountName="robot", automountServiceAccountToken=True)
        )
        assert len(made["spec"]["volumes"]) == 1
        own = {"name": "main", "image": "a", "volumeMounts": [{"name": "mine", "mountPath": MOUNT}]}
        made = await world.client.create(
            PODS, pod("c") | {"spec": {"containers": [own], "volumes": [{"name": "mine", "emptyDir": {}}]}}
        )
        assert [each["name"] for each in made["spec"]["volumes"]] == ["mine"]

    access(scenario)


def test_a_pod_bears_a_lost_node_for_five_minutes(access):
    async def scenario(world):
        lost = [f"node.kubernetes.io/{each}" for each in ("not-ready", "unreachable")]
        made = await world.client.create(PODS, pod("a"))
        assert [(each["key"], each["tolerationSeconds"]) for each in made["spec"]["tolerations"]] == [
            (key, 300) for key in lost
        ]
        own = {"key": lost[0], "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 5}
        made = await world.client.create(PODS, pod("b", tolerations=[own]))
        assert made["spec"]["tolerations"][0] == own
        assert [each["key"] for each in made["spec"]["tolerations"]] == lost
        everything = [{"operator": "Exists"}]
        made = await world.client.create(PODS, pod("c", tolerations=everything))
        assert made["spec"]["tolerations"] == everything

    access(scenario)


MOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"


def test_hooks_of_components_are_validated(access):
    async def scenario(world):
        seen = []

        def inject(request, obj, old, reader):
            seen.append((request.operation, request.name, request.user, old is None))
            if reader.get(CONFIG_MAPS, "on", request.namespace) is None:
                return obj
            obj["spec"]["containers"].append((obj["metadata"]["labels"]["add"] != "bad" and SIDECAR) or {})
            return obj

        world.server.admission.add([MutatingHook("inject", (PODS,), inject)])
        made = await world.client.create(PODS, pod("a"))
        assert len(made["spec"]["containers"]) == 1
        assert seen[-1] == ("CREATE", "a", "system:sampan", True)
        await world.client.create(CONFIG_MAPS, {"metadata": {"name": "on", "namespace": "default"}})
        template = pod("b")
        template["metadata"]["labels"] = {"add": "good"}
        made = await world.client.create(PODS, template)
        # What was added has defaults and the token's mount, as if the client had sent it.
        sidecar = made["spec"]["containers"][1]
        assert sidecar["terminationMessagePath"]
        assert sidecar["volumeMounts"][0]["mountPath"] == MOUNT
        template["metadata"] |= {"name": "c", "labels": {"add": "bad"}}
        with pytest.raises(InvalidError, match="name: Required value"):
            await world.client.create(PODS, template)

        def swap(request, obj, old, reader):
            return {**obj, "metadata": {**obj["metadata"], "namespace": "kube-system"}}

        world.server.admission.add([MutatingHook("swap", (CONFIG_MAPS,), swap)])
        with pytest.raises(ApiError, match="another object than it was given"):
            await world.client.create(CONFIG_MAPS, {"metadata": {"name": "x", "namespace": "default"}})

    access(scenario)


SIDECAR = {"name": "sidecar", "image": "busybox"}
