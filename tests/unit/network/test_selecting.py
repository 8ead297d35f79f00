"""Services find their pods, and pods their Services, by index."""

from __future__ import annotations

from typing import Any

from sampan.cluster.network.selecting import Selecting
from sampan.kube.kinds import PODS, SERVICES
from sampan.reconcile.cache import Cache


def cache(kind: Any, *objects: dict[str, Any]) -> Cache:
    made = Cache(None, kind)  # type: ignore[arg-type]
    for each in objects:
        put(made, each)
    return made


def put(it: Cache, obj: dict[str, Any]) -> None:
    """As if the watch had told of it."""
    it._change((obj["metadata"]["namespace"], obj["metadata"]["name"]), obj)


def pod(name: str, namespace: str = "a", **labels: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": namespace, "labels": labels}}


def service(name: str, selector: Any, namespace: str = "a") -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": namespace}, "spec": {"selector": selector}}


def names(found: Any) -> list[str]:
    return sorted(each["metadata"]["name"] for each in found)


def test_both_ways():
    services = (
        service("web", {"app": "web"}),
        service("web-0", {"app": "web", "index": "0"}),
        service("other", {"app": "web"}, "b"),
        service("none", {}),
        service("odd", "text"),
        service("nobody", {"app": "nobody"}),
    )
    pods = (
        pod("p0", app="web", index="0"),
        pod("p1", app="web", index="1"),
        pod("q", "b", app="web"),
        pod("r"),
    )
    it = Selecting(cache(SERVICES, *services), cache(PODS, *pods))
    assert names(it.services(pods[0])) == ["web", "web-0"]
    assert names(it.services(pods[1])) == ["web"]
    assert names(it.services(pods[2])) == ["other"]
    assert names(it.services(pods[3])) == []
    found = {each["metadata"]["name"]: names(it.pods(each)) for each in services}
    assert found == {
        "web": ["p0", "p1"],
        "web-0": ["p0"],
        "other": ["q"],
        "none": [],
        "odd": [],
        "nobody": [],
    }


def test_services_that_come_later_are_found_too():
    services = cache(SERVICES)
    it = Selecting(services, cache(PODS))
    put(services, service("s", {"x": "1", "y": "2"}))
    assert names(it.services(pod("p", x="1", y="2", z="3"))) == ["s"]
