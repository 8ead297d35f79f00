"""Which pods stand behind a Service: pure."""

from __future__ import annotations

from typing import Any

from sampan.cluster.network import endpoints

SERVICE: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "web", "namespace": "ns", "uid": "s", "labels": {"team": "x"}},
    "spec": {
        "clusterIP": "127.96.0.1",
        "selector": {"app": "web"},
        "ports": [{"name": "http", "port": 80, "targetPort": "web", "protocol": "TCP"}],
    },
}


def pod(name: str, *, ready: bool = True, port: int | None = 8080, **more: Any) -> dict[str, Any]:
    ports = [{"name": "web", "containerPort": port}] if port else []
    metadata = {"name": name, "namespace": "ns", "uid": name, "labels": {"app": "web"}}
    status = {
        "podIP": f"127.64.0.{len(name)}",
        "phase": more.pop("phase", "Running"),
        "conditions": [{"type": "Ready", "status": str(ready)}],
    }
    if more.pop("deleting", False):
        metadata["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    spec = {"nodeName": "n", "containers": [{"name": "a", "ports": ports}], **more}
    return {"metadata": metadata, "spec": spec, "status": status}


def service(**spec: Any) -> dict[str, Any]:
    return {**SERVICE, "spec": {**SERVICE["spec"], **spec}}


def test_who_is_behind_it() -> None:
    stranger = {**pod("c"), "metadata": {**pod("c")["metadata"], "labels": {}}}
    waiting = {**pod("dddd"), "status": {}}
    candidates = [pod("bb"), pod("a"), stranger, waiting, pod("over", phase="Succeeded")]
    assert [each["metadata"]["name"] for each in endpoints.backends(SERVICE, candidates)] == ["a", "bb"]
    assert endpoints.backends(service(selector=None), candidates) == []
    assert endpoints.backends(service(selector={}), candidates) == []


def test_conditions_of_endpoints() -> None:
    found = [pod("a"), pod("bb", ready=False), pod("ccc", deleting=True)]
    (slice_,) = endpoints.slices(SERVICE, found)
    assert [each["conditions"] for each in slice_["endpoints"]] == [
        {"ready": True, "serving": True, "terminating": False},
        {"ready": False, "serving": False, "terminating": False},
        {"ready": False, "serving": True, "terminating": True},
    ]
    assert slice_["metadata"]["labels"] == {
        "team": "x",
        "kubernetes.io/service-name": "web",
        "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
    }
    (all_ready,) = endpoints.slices(service(publishNotReadyAddresses=True), found)
    assert all(each["conditions"]["ready"] for each in all_ready["endpoints"])


def test_endpoints_beside_them() -> None:
    found = [pod("a"), pod("bb", ready=False)]
    (subset,) = endpoints.endpoints_object(SERVICE, found)["subsets"]
    assert [each["ip"] for each in subset["addresses"]] == ["127.64.0.1"]
    assert [each["ip"] for each in subset["notReadyAddresses"]] == ["127.64.0.2"]
    assert subset["ports"] == [{"name": "http", "port": 8080, "protocol": "TCP"}]
    assert "subsets" not in endpoints.endpoints_object(SERVICE, [])


def test_pods_with_other_ports_make_another_slice() -> None:
    found = [pod("a"), pod("bb", port=9090), pod("ccc", port=None)]
    ports = [each["ports"] for each in endpoints.slices(SERVICE, found)]
    assert sorted([port["port"] for port in each] for each in ports) == [[], [8080], [9090]]
    assert len(endpoints.endpoints_object(SERVICE, found)["subsets"]) == 2


def test_a_slice_holds_a_hundred() -> None:
    found = [pod("x" * at) for at in range(1, 231)]
    slices = endpoints.slices(SERVICE, found)
    assert [len(each["endpoints"]) for each in slices] == [100, 100, 30]
    assert len({each["metadata"]["name"] for each in slices}) == 3


def test_without_pods_there_is_still_a_slice() -> None:
    (slice_,) = endpoints.slices(SERVICE, [])
    assert slice_["endpoints"] == []


def test_hostnames_only_under_their_own_service() -> None:
    named = pod("a", hostname="a-0", subdomain="web")
    other = pod("bb", hostname="b-0", subdomain="db")
    headless = service(clusterIP="None", ports=None)
    (slice_,) = endpoints.slices(headless, [named, other])
    assert [each.get("hostname") for each in slice_["endpoints"]] == ["a-0", None]
    assert slice_["metadata"]["labels"]["service.kubernetes.io/headless"] == ""
    (subset,) = endpoints.endpoints_object(headless, [named])["subsets"]
    assert subset["addresses"][0]["hostname"] == "a-0"


def test_what_is_written_by_hand_is_mirrored() -> None:
    written = {
        "subsets": [
            {
                "addresses": [{"ip": "127.0.0.1", "hostname": "h"}],
                "notReadyAddresses": [{"ip": "127.0.0.2"}],
                "ports": [{"port": 5432}],
            }
        ]
    }
    (slice_,) = endpoints.mirrored(service(selector=None), written)
    assert [each["conditions"]["ready"] for each in slice_["endpoints"]] == [True, False]
    assert slice_["ports"] == [{"name": "", "protocol": "TCP", "port": 5432}]
    assert slice_["endpoints"][0]["hostname"] == "h"


def test_what_changes_of_a_pod_matter() -> None:
    before = pod("a")
    same = {**before, "metadata": {**before["metadata"], "annotations": {"x": "y"}, "resourceVersion": "9"}}
    assert endpoints.concerns(before) == endpoints.concerns(same)
    assert endpoints.concerns(before) != endpoints.concerns(pod("a", ready=False))
    assert endpoints.concerns(before) != endpoints.concerns(pod("a", deleting=True))
