"""What is wrong, in words."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from sampan.ui.objects import amounts, health

NODE = {"kind": "Node", "status": {"allocatable": {"cpu": "2", "memory": "24684084Ki"}}}


def _pod(status: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {"kind": "Pod", "metadata": {"name": "p"}, "spec": spec, "status": status}


def _unscheduled(message: str) -> dict[str, Any]:
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
    return {"phase": "Pending", "conditions": [condition]}


def _asking(**resources: str) -> list[dict[str, Any]]:
    return [{"name": "main", "resources": {"requests": resources}}]


def test_a_pod_that_is_too_large_for_any_node() -> None:
    pod = _pod(
        _unscheduled("0/1 nodes are available: 1 Insufficient memory."), containers=_asking(memory="64Gi")
    )
    found = health.of(pod, [NODE])
    assert found is not None
    assert found.why == "Cannot be scheduled: needs 64 GiB of memory, the largest node has 23.5 GiB."
    assert found.tone == "bad"
    assert "never" in found.hint


def test_a_pod_that_waits_for_others() -> None:
    pod = _pod(_unscheduled("0/1 nodes are available: 1 Insufficient cpu."), containers=_asking(cpu="1500m"))
    found = health.of(pod, [NODE])
    assert found is not None
    assert found.why == "Cannot be scheduled: needs 1.5 cores, which others use now."
    assert found.tone == "warn"


def test_a_pod_kept_away_by_taints_is_told_what_to_do() -> None:
    found = health.of(_pod(_unscheduled("0/1 nodes are available: 1 node(s) had untolerated taint {a: b}.")))
    assert found is not None
    assert "tolerate" in found.hint


@pytest.mark.parametrize(
    ("state", "last", "why", "hint"),
    [
        (
            {"waiting": {"reason": "CrashLoopBackOff"}},
            {"terminated": {"exitCode": 3, "message": "no column price"}},
            "It said: no column price",
            "log",
        ),
        (
            {"terminated": {"reason": "OOMKilled", "exitCode": 137}},
            {},
            "more memory than its limit",
            "limits.memory",
        ),
        ({"waiting": {"reason": "ErrImagePull", "message": "not found"}}, {}, "image a:1", "tag"),
        (
            {"waiting": {"reason": "CreateContainerConfigError", "message": 'configmap "x"'}},
            {},
            'configmap "x"',
            "key",
        ),
        ({"terminated": {"reason": "Error", "exitCode": 127}}, {}, "exit code 127", "not found"),
    ],
)
def test_a_container_that_does_not_run(state: Any, last: Any, why: str, hint: str) -> None:
    status = {"name": "main", "image": "a:1", "restartCount": 4, "state": state, "lastState": last}
    found = health.of(_pod({"phase": "Pending", "containerStatuses": [status]}))
    assert found is not None
    assert found.tone == "bad"
    assert why in found.why
    assert hint in found.hint


def test_a_container_that_is_being_made_is_no_trouble() -> None:
    status = {"name": "main", "state": {"waiting": {"reason": "ContainerCreating"}}}
    found = health.of(_pod({"phase": "Pending", "containerStatuses": [status]}))
    assert found is not None
    assert not found.is_trouble


def test_what_a_pod_asks_for() -> None:
    spec = {
        "containers": [*_asking(cpu="1", memory="1Gi"), *_asking(cpu="500m")],
        "initContainers": [
            {"resources": {"requests": {"cpu": "4"}}},
            {"restartPolicy": "Always", "resources": {"requests": {"memory": "1Gi"}}},
        ],
    }
    assert health.requests(spec) == {"cpu": Decimal(4), "memory": Decimal(2 * 1024**3)}


@pytest.mark.parametrize(
    ("obj", "tone", "word"),
    [
        (
            {"kind": "Deployment", "spec": {"replicas": 2}, "status": {"readyReplicas": 2}},
            "ok",
            "2 of 2 ready",
        ),
        ({"kind": "Deployment", "spec": {"replicas": 2}, "status": {}}, "warn", "0 of 2 ready"),
        ({"kind": "StatefulSet", "spec": {"replicas": 0}}, "idle", "Scaled to none"),
        ({"kind": "Job", "status": {"conditions": [{"type": "Failed", "status": "True"}]}}, "bad", "Failed"),
        ({"kind": "CronJob", "spec": {"suspend": True}}, "idle", "Suspended"),
        ({"kind": "PersistentVolumeClaim", "status": {"phase": "Pending"}}, "warn", "Pending"),
        (
            {"kind": "Node", "status": {"conditions": [{"type": "Ready", "status": "Unknown"}]}},
            "bad",
            "Not ready",
        ),
        ({"kind": "Workflow", "status": {"phase": "Failed", "message": "no"}}, "bad", "Failed"),
        (
            {"kind": "Foo", "status": {"conditions": [{"type": "Ready", "status": "False"}]}},
            "warn",
            "Not ready",
        ),
        ({"kind": "Pod", "metadata": {"deletionTimestamp": "2026"}}, "busy", "Terminating"),
    ],
)
def test_other_kinds(obj: Any, tone: str, word: str) -> None:
    found = health.of(obj)
    assert found is not None
    assert (found.tone, found.word) == (tone, word)


def test_of_what_says_nothing_nothing_is_said() -> None:
    assert health.of({"kind": "ConfigMap", "data": {}}) is None
    assert health.of({"kind": "Foo", "status": {"conditions": ["odd"]}}) is None


@pytest.mark.parametrize(
    ("resource", "amount", "text"),
    [
        ("memory", "24684084Ki", "23.5 GiB"),
        ("limits.memory", "64Gi", "64 GiB"),
        ("cpu", "250m", "0.25 cores"),
        ("requests.cpu", "1", "1 core"),
        ("pods", "5k", "5,000"),
        ("memory", "0", "0 bytes"),
    ],
)
def test_amounts(resource: str, amount: str, text: str) -> None:
    assert amounts.shown(resource, amounts.parsed(amount)) == text
