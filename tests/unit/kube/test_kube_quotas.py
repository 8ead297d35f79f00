"""What objects count for in quotas."""

from __future__ import annotations

from decimal import Decimal

import pytest

from sampan.kube.kinds import CONFIG_MAPS, JOBS, PERSISTENT_VOLUME_CLAIMS, PODS, SERVICES
from sampan.kube.quotas import counts, in_scope, pod_resources, unset, usage, written


def container(name="c", cpu=None, memory=None, limit=None, **fields):
    requests = {key: value for key, value in (("cpu", cpu), ("memory", memory)) if value}
    return {
        "name": name,
        "resources": {"requests": requests, "limits": {"cpu": limit} if limit else {}},
        **fields,
    }


def pod(*containers, init=(), phase="Pending", **spec):
    return {
        "spec": {"containers": list(containers), "initContainers": list(init), **spec},
        "status": {"phase": phase},
    }


def numbers(amounts):
    return {name: written(name, amount) for name, amount in sorted(amounts.items())}


def test_pods():
    found = usage(PODS, pod(container(cpu="250m", memory="64Mi"), container(cpu="1", limit="2")))
    assert numbers(found) == {
        "count/pods": "1",
        "cpu": "1250m",
        "limits.cpu": "2",
        "memory": "64Mi",
        "pods": "1",
        "requests.cpu": "1250m",
        "requests.memory": "64Mi",
    }
    assert usage(PODS, pod(container(cpu="1"), phase="Failed")) == {"count/pods": Decimal(1)}


def test_init_containers_and_sidecars():
    side = container("side", cpu="1", restartPolicy="Always")
    first, last = container("first", cpu="4"), container("last", cpu="2")
    assert pod_resources(pod(container(cpu="2"), init=[first]), "requests") == {"cpu": Decimal(4)}
    # A sidecar goes on beside the containers, and beside what is initialized after it.
    assert pod_resources(pod(container(cpu="2"), init=[side, last]), "requests") == {"cpu": Decimal(3)}
    assert pod_resources(pod(container(cpu="1"), init=[side, first]), "requests") == {"cpu": Decimal(5)}
    overhead = pod(container(cpu="1"), overhead={"cpu": "100m"})
    assert pod_resources(overhead, "requests") == {"cpu": Decimal("1.1")}


def test_extended_resources():
    gpu = {"name": "c", "resources": {"requests": {"nvidia.com/gpu": "2"}}}
    found = usage(PODS, pod(gpu))
    assert found["requests.nvidia.com/gpu"] == 2
    assert "nvidia.com/gpu" not in found
    assert counts(["requests.nvidia.com/gpu"], PODS)


def test_claims_and_services():
    claim = {"spec": {"storageClassName": "fast", "resources": {"requests": {"storage": "2Gi"}}}}
    assert numbers(usage(PERSISTENT_VOLUME_CLAIMS, claim)) == {
        "count/persistentvolumeclaims": "1",
        "fast.storageclass.storage.k8s.io/persistentvolumeclaims": "1",
        "fast.storageclass.storage.k8s.io/requests.storage": "2Gi",
        "persistentvolumeclaims": "1",
        "requests.storage": "2Gi",
    }
    service = {"spec": {"type": "NodePort", "ports": [{}, {}]}}
    assert usage(SERVICES, service)["services.nodeports"] == 2
    assert usage(JOBS, {}) == {"count/jobs.batch": Decimal(1)}


@pytest.mark.parametrize(
    ("hard", "resource", "expected"),
    [
        (["pods"], PODS, True),
        (["pods"], CONFIG_MAPS, False),
        (["requests.storage"], PODS, False),
        (["requests.storage"], PERSISTENT_VOLUME_CLAIMS, True),
        (["limits.memory"], PODS, True),
        (["count/jobs.batch"], JOBS, True),
        (["count/jobs"], JOBS, False),
        (["configmaps"], CONFIG_MAPS, True),
        (["services.nodeports"], SERVICES, True),
    ],
)
def test_what_a_quota_is_about(hard, resource, expected):
    assert counts(hard, resource) is expected


def test_scopes():
    def scoped(*scopes, **selector):
        expressions = {"matchExpressions": [selector]} if selector else {}
        return {"spec": {"scopes": list(scopes), "scopeSelector": expressions}}

    timed, bare = pod(container(cpu="1"), activeDeadlineSeconds=9), pod({"name": "c"})
    assert [in_scope(scoped("Terminating"), PODS, each) for each in (timed, bare)] == [True, False]
    assert [in_scope(scoped("NotTerminating"), PODS, each) for each in (timed, bare)] == [False, True]
    assert [in_scope(scoped("BestEffort"), PODS, each) for each in (timed, bare)] == [False, True]
    assert not in_scope(scoped("BestEffort"), CONFIG_MAPS, {})
    important = pod(priorityClassName="high")
    for operator, values, expected in (
        ("In", ["high"], True), ("In", ["low"], False), ("NotIn", ["high"], False), ("Exists", [], True),
        ("DoesNotExist", [], False),
    ):  # fmt: skip
        quota = scoped(scopeName="PriorityClass", operator=operator, values=values)
        assert in_scope(quota, PODS, important) is expected
    assert not in_scope(scoped("Unheard"), PODS, bare)


def test_what_containers_must_say():
    hard = ["requests.cpu", "limits.memory", "pods"]
    assert (
        unset(hard, pod(container("a", cpu="1"), {"name": "b"}))
        == "limits.memory for: a,b; requests.cpu for: b"
    )
    assert unset(["pods", "requests.nvidia.com/gpu"], pod({"name": "b"})) == ""
