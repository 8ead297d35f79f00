"""Where pods take requests, and why they do not come."""

from __future__ import annotations

from typing import Any

from sampan.components.serving.engine.gateway import troubles
from sampan.components.serving.engine.gateway.places import State, place, selects
from sampan.components.serving.engine.gateway.statistics import Statistics

SERVICE: dict[str, Any] = {
    "metadata": {"name": "iris", "namespace": "default"},
    "spec": {"selector": {"app": "iris"}, "ports": [{"port": 80, "targetPort": "http1"}, {"port": 90}]},
}


def pod(*, ready: bool = True, **fields: Any) -> dict[str, Any]:
    metadata = {
        "name": "p",
        "uid": "u",
        "namespace": "default",
        "labels": {"app": "iris"},
        **fields.pop("metadata", {}),
    }
    ports = [{"name": "http1", "containerPort": 8080}]
    conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
    status = {"podIP": "127.64.0.2", "phase": "Running", "conditions": conditions, **fields}
    return {"metadata": metadata, "spec": {"containers": [{"name": "c", "ports": ports}]}, "status": status}


def test_ports_and_states() -> None:
    found = place(SERVICE, 80, pod())
    assert found is not None
    assert (found.address, found.port, found.state) == ("127.64.0.2", 8080, State.READY)
    assert place(SERVICE, 90, pod()).port == 90  # type: ignore[union-attr]
    assert place(SERVICE, 81, pod()) is None
    states = {
        State.COMING: [pod(ready=False), pod(podIP="")],
        State.LEAVING: [pod(metadata={"deletionTimestamp": "now"}), pod(phase="Failed")],
    }
    for state, pods in states.items():
        assert {each.state for each in (place(SERVICE, 80, one) for one in pods) if each} == {state}


def test_a_container_that_speaks_both_is_asked_at_the_port_of_each() -> None:
    service = {**SERVICE, "spec": {"selector": {"app": "iris"}, "ports": [{"port": 80, "targetPort": 8081}]}}
    both = pod()
    (container,) = both["spec"]["containers"]
    container["ports"] = [
        {"name": "grpc-port", "containerPort": 8081},
        {"name": "http-rest", "containerPort": 8080},
    ]
    found = place(service, 80, both)
    assert found is not None
    assert (found.port, found.grpc_port) == (8080, 8081)
    container["ports"] = [{"name": "h2c", "containerPort": 8081}]
    found = place(service, 80, both)
    assert found is not None
    assert (found.port, found.grpc_port) == (8081, 8081)


def test_calls_go_by_way_of_an_agent_that_speaks_with_their_port() -> None:
    service = {**SERVICE, "spec": {"selector": {"app": "iris"}, "ports": [{"port": 80, "targetPort": 9081}]}}
    one = pod()
    (container,) = one["spec"]["containers"]
    agent = {"name": "agent", "args": ["--log-url", "http://x"], "ports": [{"containerPort": 9081}]}
    one["spec"]["containers"].append(agent)
    for ports, component_port, grpc_port in (
        ([{"name": "h2c", "containerPort": 8081}], 8081, 9081),
        ([{"name": "http1", "containerPort": 8080}, {"name": "grpc", "containerPort": 8081}], 8080, 8081),
    ):
        container["ports"] = ports
        agent["args"] = ["--log-url", "http://x", "--component-port", str(component_port)]
        found = place(service, 80, one)
        assert found is not None
        assert (found.port, found.grpc_port) == (9081, grpc_port)


def test_only_pods_of_the_services_own_namespace_are_behind_it() -> None:
    assert selects(SERVICE, pod())
    assert not selects(SERVICE, pod(metadata={"namespace": "other"}))
    assert not selects(SERVICE, pod(metadata={"labels": {"app": "x"}}))
    assert not selects({**SERVICE, "spec": {"selector": {}}}, pod())
    assert not selects({**SERVICE, "spec": {}}, pod())


def test_troubles() -> None:
    def waiting(reason: str, **more: Any) -> dict[str, Any]:
        state = {"waiting": {"reason": reason, "message": "no such\n image"}}
        return pod(ready=False, containerStatuses=[{"name": "c", "state": state, **more}])

    assert troubles.of_pod(pod()) == ""
    assert troubles.of_pod(waiting("ContainerCreating")) == ""
    assert troubles.of_pod(waiting("ErrImagePull")) == "container c: ErrImagePull: no such image"
    ended = {"terminated": {"exitCode": 3, "message": "model.bst not found"}}
    crashed = troubles.of_pod(waiting("CrashLoopBackOff", lastState=ended))
    assert crashed == "container c: CrashLoopBackOff: it ended with exit code 3: model.bst not found"
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "no room"}
    assert troubles.waits(pod(conditions=[condition])) == "Unschedulable: no room"
    failure = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "quota"}
    assert troubles.of_deployment({"status": {"conditions": [failure]}}) == "FailedCreate: quota"


def test_statistics_of_the_last_minutes() -> None:
    now = 1000.0
    statistics = Statistics(lambda: now)
    name = ("InferenceService", "default", "iris", "iris-00001")
    assert statistics.summary(name).requests == 0
    for index in range(1000):
        now += 0.01
        statistics.note(name, 503 if index % 100 == 0 else 200, (index + 1) / 1000)
    found = statistics.summary(name, 60)
    assert found.codes == {200: 990, 503: 10}
    for share, value in ((0.5, found.p50_seconds), (0.95, found.p95_seconds), (0.99, found.p99_seconds)):
        assert share <= value <= share * 1.1 + 0.001
    assert 90 <= found.requests_per_second <= 110
    now += 3600
    assert statistics.summary(name, 60).requests == 0
    statistics.forget("default", "iris", "InferenceService")
    assert list(statistics.names()) == []
