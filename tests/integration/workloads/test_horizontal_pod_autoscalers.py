"""HorizontalPodAutoscalers over Deployments, with a node that says what pods use."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from sampan.client.protocol import Object
from sampan.client.usage import ContainerUsage, DiskUsage, NodeUsage, PodUsage, Usage
from sampan.cluster.apiserver.custom.definitions import DEFINITIONS
from sampan.kube import conditions, meta
from sampan.kube.errors import InvalidError
from sampan.kube.kinds import DEPLOYMENTS, HORIZONTAL_POD_AUTOSCALERS, PODS
from sampan.lib.clock import SystemClock, rfc3339

Run = Callable[..., None]


class Node:
    """Every pod uses the same. The pods are those that a test has started."""

    def __init__(self, cpu: float = 0.0, memory: int = 0) -> None:
        self.usage = Usage(int(cpu * 1e9), memory)
        self.started: list[Object] = []
        self.looks = 0

    async def pods(self) -> list[PodUsage]:
        self.looks += 1
        return [PodUsage(pod, [ContainerUsage("main", self.usage)], 15.0) for pod in self.started]

    async def node(self) -> NodeUsage:
        raise AssertionError("nobody asks for it")

    async def disk(self) -> DiskUsage:
        raise AssertionError("nobody asks for it")


async def _deployment(cluster: Any, replicas: int, asks: bool = True, name: str = "web") -> None:
    resources = {"requests": {"cpu": "100m", "memory": "100Mi"}} if asks else {}
    labels = {"app": name}
    await cluster.create(
        DEPLOYMENTS,
        name,
        spec={
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "main", "image": "web", "resources": resources}]},
            },
        },
    )


async def _start(cluster: Any, node: Node, count: int) -> None:
    """Waits for so many pods, and starts them as if that were long ago."""

    async def there() -> bool:
        return len(await cluster.list(PODS)) == count

    await cluster.until(there)
    before = rfc3339(SystemClock().now() - timedelta(hours=1))
    node.started = []
    for pod in await cluster.list(PODS):
        ready = {"type": "Ready", "status": "True", "lastTransitionTime": before}
        status = {"phase": "Running", "startTime": before, "conditions": [ready]}
        node.started.append(
            await cluster.client.patch(PODS, meta.name(pod), {"status": status}, "team", subresource="status")
        )


async def _autoscaler(cluster: Any, *metrics: Object, least: int = 1, most: int = 5, **spec: Any) -> None:
    await cluster.create(
        HORIZONTAL_POD_AUTOSCALERS,
        "web",
        spec={
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
            "minReplicas": least,
            "maxReplicas": most,
            "metrics": list(metrics),
            **spec,
        },
    )


def _resource(name: str, **target: Any) -> Object:
    kind = "Utilization" if "averageUtilization" in target else "AverageValue"
    return {"type": "Resource", "resource": {"name": name, "target": {"type": kind, **target}}}


async def _told(cluster: Any, type_: str, reason: str) -> Object:
    """The autoscaler, once its condition has that reason."""

    async def found() -> Object | None:
        obj = await cluster.get(HORIZONTAL_POD_AUTOSCALERS, "web")
        assert obj is not None
        return obj if (conditions.find(obj, type_) or {}).get("reason") == reason else None

    obj: Object = await cluster.until(found)
    return obj


def _message(obj: Object, type_: str) -> str:
    return str((conditions.find(obj, type_) or {}).get("message"))


def test_load_brings_pods(run: Run) -> None:
    node = Node(cpu=0.2)

    async def scenario(cluster: Any) -> None:
        await _deployment(cluster, 1)
        await _start(cluster, node, 1)
        await _autoscaler(cluster, _resource("cpu", averageUtilization=80))
        found = await _told(cluster, "AbleToScale", "SucceededRescale")
        status = found["status"]
        assert (status["currentReplicas"], status["desiredReplicas"]) == (1, 3)
        assert "lastScaleTime" in status
        resource = {"name": "cpu", "current": {"averageUtilization": 200, "averageValue": "200m"}}
        assert status["currentMetrics"] == [{"type": "Resource", "resource": resource}]
        assert [each["type"] for each in status["conditions"]] == [
            "AbleToScale",
            "ScalingActive",
            "ScalingLimited",
        ]
        assert _message(found, "ScalingActive") == (
            "the HPA was able to successfully calculate a replica count from "
            "cpu resource utilization (percentage of request)"
        )
        assert conditions.find(found, "ScalingLimited")["reason"] == "DesiredWithinRange"  # type: ignore[index]
        deployment = await cluster.get(DEPLOYMENTS, "web")
        assert deployment is not None
        assert deployment["spec"]["replicas"] == 3
        events = await cluster.events("web", "SuccessfulRescale")
        assert events["SuccessfulRescale"] == (
            "New size: 3; reason: cpu resource utilization (percentage of request) above target"
        )

    run(scenario, usage=node)


def test_memory_by_value_and_the_most(run: Run) -> None:
    node = Node(memory=400 * 2**20)

    async def scenario(cluster: Any) -> None:
        await _deployment(cluster, 1)
        await _start(cluster, node, 1)
        await _autoscaler(cluster, _resource("memory", averageValue="100Mi"), most=2)
        found = await _told(cluster, "ScalingLimited", "TooManyReplicas")
        assert found["status"]["desiredReplicas"] == 2
        current = found["status"]["currentMetrics"][0]["resource"]["current"]
        assert current == {"averageValue": "419430400"}

    run(scenario, usage=node)


def test_idle_pods_stay_for_the_window_and_go_where_there_is_none(run: Run) -> None:
    node = Node()

    async def scenario(cluster: Any) -> None:
        await _deployment(cluster, 3)
        await _start(cluster, node, 3)
        await _autoscaler(cluster, _resource("cpu", averageUtilization=80))
        found = await _told(cluster, "AbleToScale", "ScaleDownStabilized")
        assert (found["status"]["currentReplicas"], found["status"]["desiredReplicas"]) == (3, 3)
        # A change of the spec is looked at at once.
        patch = {"spec": {"behavior": {"scaleDown": {"stabilizationWindowSeconds": 0}}}}
        await cluster.client.patch(HORIZONTAL_POD_AUTOSCALERS, "web", patch, "team")
        found = await _told(cluster, "AbleToScale", "SucceededRescale")
        assert found["status"]["desiredReplicas"] == 1
        assert (await cluster.events("web", "SuccessfulRescale"))["SuccessfulRescale"] == (
            "New size: 1; reason: All metrics below target"
        )

    run(scenario, usage=node)


def test_bounds_need_no_figures(run: Run) -> None:
    async def scenario(cluster: Any) -> None:
        await _deployment(cluster, 1)
        await _autoscaler(cluster, _resource("cpu", averageUtilization=80), least=2)
        found = await _told(cluster, "AbleToScale", "SucceededRescale")
        assert found["status"]["desiredReplicas"] == 2
        assert (await cluster.events("web", "SuccessfulRescale"))["SuccessfulRescale"] == (
            "New size: 2; reason: Current number of replicas below Spec.MinReplicas"
        )

    run(scenario)


def test_a_target_at_zero_is_left_alone(run: Run) -> None:
    async def scenario(cluster: Any) -> None:
        await _deployment(cluster, 0)
        await _autoscaler(cluster, _resource("cpu", averageUtilization=80))
        found = await _told(cluster, "ScalingActive", "ScalingDisabled")
        assert found["status"]["desiredReplicas"] == 0

    run(scenario)


def test_what_is_the_matter_is_said(run: Run) -> None:
    node = Node(cpu=0.2)

    async def scenario(cluster: Any) -> None:
        await _autoscaler(cluster, _resource("cpu", averageUtilization=80))
        found = await _told(cluster, "AbleToScale", "FailedGetScale")
        assert _message(found, "AbleToScale") == (
            "the HPA controller was unable to get the target's current scale: "
            'deployments.apps "web" not found'
        )
        await cluster.client.delete(HORIZONTAL_POD_AUTOSCALERS, "web", "team")
        await _deployment(cluster, 1, asks=False)
        await _start(cluster, node, 1)
        await _autoscaler(cluster, _resource("cpu", averageUtilization=80))
        found = await _told(cluster, "ScalingActive", "FailedGetResourceMetric")
        assert _message(found, "ScalingActive").startswith(
            "the HPA was unable to compute the replica count: failed to get cpu utilization: "
            "missing request for cpu in container main of Pod web-"
        )
        await cluster.events("web", "FailedComputeMetricsReplicas")
        await cluster.client.delete(HORIZONTAL_POD_AUTOSCALERS, "web", "team")
        target = {"type": "AverageValue", "averageValue": "10"}
        await _autoscaler(cluster, {"type": "Pods", "pods": {"metric": {"name": "rps"}, "target": target}})
        found = await _told(cluster, "ScalingActive", "FailedGetPodsMetric")
        assert "no custom metrics API (custom.metrics.k8s.io) registered" in _message(found, "ScalingActive")

    run(scenario, usage=node)


def test_one_metric_that_fails_does_not_stop_the_other(run: Run) -> None:
    node = Node(cpu=0.2)

    async def scenario(cluster: Any) -> None:
        await _deployment(cluster, 1)
        await _start(cluster, node, 1)
        target = {"type": "Value", "value": "10"}
        external = {"type": "External", "external": {"metric": {"name": "queue"}, "target": target}}
        await _autoscaler(cluster, external, _resource("cpu", averageUtilization=80))
        found = await _told(cluster, "AbleToScale", "SucceededRescale")
        assert found["status"]["desiredReplicas"] == 3
        assert [each["type"] for each in found["status"]["currentMetrics"]] == ["", "Resource"]

    run(scenario, usage=node)


def test_two_for_the_same_pods_are_one_too_many(run: Run) -> None:
    node = Node(cpu=0.05)

    async def scenario(cluster: Any) -> None:
        await _deployment(cluster, 1)
        await _start(cluster, node, 1)
        await _autoscaler(cluster, _resource("cpu", averageUtilization=80))
        await _told(cluster, "ScalingActive", "ValidMetricFound")
        spec = (await cluster.client.get(HORIZONTAL_POD_AUTOSCALERS, "web", "team"))["spec"]
        await cluster.create(HORIZONTAL_POD_AUTOSCALERS, "rival", spec=spec)

        async def said() -> bool:
            rival = await cluster.get(HORIZONTAL_POD_AUTOSCALERS, "rival") or {}
            text = _message(rival, "ScalingActive")
            return text == "pods by selector app=web are controlled by multiple HPAs: [team/rival team/web]"

        await cluster.until(said)

    run(scenario, usage=node)


def test_nobody_looks_without_an_autoscaler(run: Run) -> None:
    node = Node(cpu=0.2)

    async def scenario(cluster: Any) -> None:
        await _deployment(cluster, 1)
        await _start(cluster, node, 1)
        assert node.looks == 0

    run(scenario, usage=node)


@pytest.mark.parametrize(
    ("metric", "problem"),
    [
        ({"type": "Resource"}, "spec.metrics[0].resource"),
        ({"type": "Load", "resource": {}}, "spec.metrics[0].type"),
        (_resource("", averageUtilization=5), "spec.metrics[0].resource.name"),
        (_resource("cpu", averageUtilization=0), "spec.metrics[0].resource.target.averageUtilization"),
        (_resource("cpu", averageValue="0"), "spec.metrics[0].resource.target.averageValue"),
        (
            _resource("cpu", averageUtilization=5, averageValue="1"),
            "spec.metrics[0].resource.target.averageValue",
        ),
        ({"type": "Resource", "resource": {"name": "cpu", "target": {}}}, "target.type"),
        (
            {
                "type": "ContainerResource",
                "containerResource": {
                    "name": "cpu",
                    "container": "",
                    "target": {"type": "Utilization", "averageUtilization": 5},
                },
            },
            "spec.metrics[0].containerResource.container",
        ),
        (
            {"type": "Pods", "pods": {"metric": {"name": "x"}, "target": {"type": "Value", "value": "1"}}},
            "spec.metrics[0].pods.target.averageValue",
        ),
    ],
)
def test_what_is_refused(run: Run, metric: Object, problem: str) -> None:
    async def scenario(cluster: Any) -> None:
        with pytest.raises(InvalidError) as refused:
            await _autoscaler(cluster, metric)
        assert problem in refused.value.message

    run(scenario)


@pytest.mark.parametrize(
    ("rules", "problem"),
    [
        ({"stabilizationWindowSeconds": 3601}, "must be less than or equal to 3600"),
        ({"policies": [{"type": "Pods", "value": 0, "periodSeconds": 5}]}, "must be greater than zero"),
        ({"policies": [{"type": "Pods", "value": 1, "periodSeconds": 1801}]}, "less than or equal to 1800"),
        (
            {"policies": [{"type": "Some", "value": 1, "periodSeconds": 5}]},
            'supported values: "Percent", "Pods"',
        ),
        ({"selectPolicy": "Most"}, "selectPolicy"),
    ],
)
def test_what_is_refused_of_behavior(run: Run, rules: Object, problem: str) -> None:
    async def scenario(cluster: Any) -> None:
        with pytest.raises(InvalidError) as refused:
            await _autoscaler(cluster, _resource("cpu", averageUtilization=5), behavior={"scaleDown": rules})
        assert problem in refused.value.message

    run(scenario)


@pytest.mark.parametrize(
    ("version", "kind", "why"),
    [
        ("v1", "ConfigMap", "not found"),
        ("v1", "Node", "not found"),
        ("example.com/v1", "Robot", 'no matches for kind "Robot" in group "example.com"'),
        ("a/b/c", "Deployment", "no matches for kind"),
        ("apps/v0", "Deployment", 'deployments.apps "web" not found'),
    ],
)
def test_a_target_that_cannot_be_scaled(run: Run, version: str, kind: str, why: str) -> None:
    async def scenario(cluster: Any) -> None:
        target = {"apiVersion": version, "kind": kind, "name": "web"}
        await _autoscaler(cluster, _resource("cpu", averageUtilization=80), scaleTargetRef=target)
        found = await _told(cluster, "AbleToScale", "FailedGetScale")
        assert why in _message(found, "AbleToScale")

    run(scenario)


def test_a_custom_kind_is_scaled_by_its_own_paths(run: Run) -> None:
    node = Node(cpu=0.3)

    async def scenario(cluster: Any) -> None:
        count = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        version = {
            "name": "v1",
            "served": True,
            "storage": True,
            "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": count, "status": count}}},
            "subresources": {
                "status": {},
                "scale": {
                    "specReplicasPath": ".spec.crew",
                    "statusReplicasPath": ".status.aboard",
                    "labelSelectorPath": ".status.selector",
                },
            },
        }
        names = {"plural": "boats", "singular": "boat", "kind": "Boat", "listKind": "BoatList"}
        await cluster.client.create(
            DEFINITIONS,
            {
                "metadata": {"name": "boats.example.com"},
                "spec": {
                    "group": "example.com",
                    "names": names,
                    "scope": "Namespaced",
                    "versions": [version],
                },
            },
        )
        boats = await cluster.until(_served(cluster, "example.com/v1", "Boat"))
        await cluster.create(boats, "web", apiVersion="example.com/v1", kind="Boat", spec={"crew": 1})
        status = {"status": {"aboard": 1, "selector": "app=web"}}
        await cluster.client.patch(boats, "web", status, "team", subresource="status")
        await _deployment(cluster, 1)
        await _start(cluster, node, 1)
        target = {"apiVersion": "example.com/v1", "kind": "Boat", "name": "web"}
        await _autoscaler(cluster, _resource("cpu", averageUtilization=100), scaleTargetRef=target)
        await _told(cluster, "AbleToScale", "SucceededRescale")
        assert (await cluster.get(boats, "web"))["spec"]["crew"] == 3

    run(scenario, usage=node)


def _served(cluster: Any, version: str, kind: str) -> Any:
    async def found() -> Any:
        return cluster.api.registry.by_kind(version, kind)

    return found
