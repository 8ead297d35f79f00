"""Endpoints of every state for `seed`, made of plain Python.

| endpoints | |
|---|---|
| `flowers` | answers V1 and V2, and says what it takes |
| `two-ways` | has two revisions; a quarter of the requests goes to the newest |
| `nowhere` | failed: its model is not where it says |
| `unserved` | failed: no runtime serves its format |
| `halted` | stopped |
| `flower-graph` | an InferenceGraph in front of `flowers` and `two-ways` |
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from sampan.components.serving.ui import first_endpoint
from sampan.testing.server import HttpError, ServerProcess

SERVICES = "/apis/serving.kserve.io/v1beta1/namespaces/default/inferenceservices"
GRAPHS = "/apis/serving.kserve.io/v1alpha1/namespaces/default/inferencegraphs"
STOP = {"serving.kserve.io/stop": "true"}


def seed_serving(server: ServerProcess) -> None:
    """Starts all of them, once for a server."""
    if server.call("GET", f"{SERVICES}?fieldSelector=metadata.name%3Dflowers")["items"]:
        return
    server.call("POST", SERVICES, flowers("flowers", least=1))
    server.call("POST", SERVICES, flowers("two-ways", least=1))
    server.call("POST", SERVICES, model("nowhere", "sklearn", "file:///nowhere/model.joblib"))
    server.call("POST", SERVICES, model("unserved", "cobol", "s3://models/ledger"))
    halted = flowers("halted")
    halted["metadata"]["annotations"] = dict(STOP)
    server.call("POST", SERVICES, halted)
    server.call("POST", GRAPHS, graph("flower-graph"))


def wait_for_serving(server: ServerProcess, seconds: float = 60) -> None:
    wait_until_ready(server, "flowers", seconds)
    wait_until_ready(server, "two-ways", seconds)
    second_revision(server, "two-ways")


def second_revision(server: ServerProcess, name: str, percent: int = 25) -> None:
    """Another revision, which gets so much of the requests."""
    found = server.call("GET", f"{SERVICES}/{name}")
    if found["spec"]["predictor"].get("canaryTrafficPercent") is not None:
        return

    def split(endpoint: Any) -> None:
        predictor = endpoint["spec"]["predictor"]
        predictor["canaryTrafficPercent"] = percent
        predictor["containers"][0]["env"].append({"name": "VERSION", "value": "2"})

    change(server, f"{SERVICES}/{name}", split)
    wait_until(
        lambda: len(shares(server, name)) == 2,
        f"{name} has two revisions",
        60,
    )


def change(server: ServerProcess, path: str, act: Callable[[Any], None]) -> None:
    """Against a controller that writes there too, until it holds."""
    for _ in range(20):
        found = server.call("GET", path)
        act(found)
        try:
            server.call("PUT", path, found)
            return
        except HttpError as error:
            if error.code != 409:
                raise
    raise AssertionError(f"{path} could not be written")


def shares(server: ServerProcess, name: str) -> dict[str, int]:
    """Per cent of the requests, by revision."""
    status = server.call("GET", f"{SERVICES}/{name}").get("status") or {}
    traffic = ((status.get("components") or {}).get("predictor") or {}).get("traffic") or ()
    return {each["revisionName"]: each["percent"] for each in traffic}


def wait_until_ready(server: ServerProcess, name: str, seconds: float = 60) -> None:
    def is_ready() -> bool:
        found = server.call("GET", f"{SERVICES}/{name}").get("status") or {}
        return any(
            each["type"] == "Ready" and each["status"] == "True" for each in found.get("conditions") or ()
        )

    wait_until(is_ready, f"{name} is ready", seconds)


def wait_until(holds: Any, what: str, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise TimeoutError(f"not within {seconds:.0f} s: {what}")
        time.sleep(0.2)


def flowers(name: str, *, least: int = 0) -> dict[str, Any]:
    made = first_endpoint.endpoint(name, "default")
    made["spec"]["predictor"]["minReplicas"] = least
    return made


def model(name: str, kind: str, uri: str) -> dict[str, Any]:
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"predictor": {"model": {"modelFormat": {"name": kind}, "storageUri": uri}}},
    }


def graph(name: str) -> dict[str, Any]:
    nodes = {
        "root": {"routerType": "Sequence", "steps": [{"nodeName": "split"}]},
        "split": {
            "routerType": "Splitter",
            "steps": [{"serviceName": "flowers", "weight": 30}, {"serviceName": "two-ways", "weight": 70}],
        },
    }
    return {
        "apiVersion": "serving.kserve.io/v1alpha1",
        "kind": "InferenceGraph",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"nodes": nodes},
    }
