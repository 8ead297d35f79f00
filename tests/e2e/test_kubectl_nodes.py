"""kubectl, unmodified: cordon, drain, taint and uncordon tell the truth; PodGroups are kinds like others."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sampan.testing.clients import kubectl
from sampan.testing.server import ServerProcess

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
Kubectl = Callable[..., str]
WAITING = "trap 'exit 0' TERM; while :; do sleep 0.1; done"
BUDGET = """
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web}
spec: {minAvailable: 1, selector: {matchLabels: {app: web}}}
"""
GROUP = """
apiVersion: scheduling.x-k8s.io/v1alpha1
kind: PodGroup
metadata: {name: train}
spec: {minMember: 2, scheduleTimeoutSeconds: 60}
"""


@pytest.fixture(params=["1.37.1"])
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Kubectl]:
    """Runs a command: its output, and its errors."""
    program = kubectl(request.param)
    with ServerProcess(tmp_path):

        def command(*line: str, body: str = "") -> str:
            ended = subprocess.run(
                [program, *line],
                input=body,
                env={
                    "HOME": str(tmp_path),
                    "KUBECONFIG": str(tmp_path / "kubeconfig"),
                    "PATH": os.environ["PATH"],
                },
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
            return ended.stdout + ended.stderr

        yield command


def until(look: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.2)


def web(name: str) -> str:
    container = {"name": "main", "image": "busybox", "command": ["sh", "-c", WAITING]}
    metadata = {"name": name, "labels": {"app": "web"}}
    return json.dumps(
        {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": [container]}}
    )


def test_a_drain_respects_the_budget_and_a_cordon_keeps_pods_away(run: Kubectl) -> None:
    node = run("get", "nodes", "-o", "name").strip()
    run("apply", "-f", "-", body=web("one"))
    run("apply", "-f", "-", body=BUDGET)
    assert "condition met" in run("wait", "pod/one", "--for=condition=Ready", "--timeout=60s")
    until(lambda: run("get", "pdb", "web", "-o", "jsonpath={.status.currentHealthy}") == "1")
    assert f"{node} cordoned" in run("cordon", node.removeprefix("node/"))
    assert "SchedulingDisabled" in run("get", "nodes")
    told = run("drain", node.removeprefix("node/"), "--force", "--ignore-daemonsets", "--timeout=7s")
    assert "Cannot evict pod as it would violate the pod's disruption budget." in told
    assert "Running" in run("get", "pod", "one")
    until(lambda: "node.kubernetes.io/unschedulable:NoSchedule" in run("describe", node))
    run("apply", "-f", "-", body=web("two"))
    until(lambda: "1 node(s) were unschedulable" in run("describe", "pod", "two"))
    run("delete", "pdb", "web")
    assert "drained" in run(
        "drain", node.removeprefix("node/"), "--force", "--ignore-daemonsets", "--timeout=60s"
    )
    assert "NotFound" in run("get", "pod", "one")
    assert "uncordoned" in run("uncordon", node.removeprefix("node/"))
    assert "condition met" in run("wait", "pod/two", "--for=condition=Ready", "--timeout=60s")
    assert "tainted" in run("taint", "nodes", node.removeprefix("node/"), "broken=yes:NoExecute")
    until(lambda: "NotFound" in run("get", "pod", "two"))
    assert "untainted" in run("taint", "nodes", node.removeprefix("node/"), "broken-")


def test_groups_of_pods(run: Kubectl) -> None:
    assert "podgroup.scheduling.x-k8s.io/train created" in run("apply", "-f", "-", body=GROUP)
    assert "MINMEMBER" in run("get", "podgroups.scheduling.x-k8s.io")
    assert "minMember" in run("explain", "podgroups.spec", "--api-version=scheduling.x-k8s.io/v1alpha1")
    until(lambda: "Pending" in run("get", "podgroups.scheduling.x-k8s.io", "train"))
    bad = GROUP.replace("minMember: 2", "minMember: 0")
    assert "should be greater than or equal to 1" in run("apply", "-f", "-", body=bad)
    assert "volcano.sh/v1beta1" in run("api-resources", "--api-group=scheduling.volcano.sh")
