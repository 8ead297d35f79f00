"""A webhook that is gone stops what it should stop, and no more: the server starts, and the mistake can be mended."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from sampan.testing.server import HttpError, ServerProcess

HOOKS = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
MAPS = "/api/v1/namespaces/default/configmaps"
EVERYTHING = {
    "name": "all.example.com",
    "clientConfig": {"url": "https://127.0.0.1:1/"},
    "rules": [
        {"apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*/*"], "operations": ["*"], "scope": "*"}
    ],
    "sideEffects": "None",
    "admissionReviewVersions": ["v1"],
    "timeoutSeconds": 1,
}


def test_a_server_starts_with_a_dead_webhook_over_everything(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path / "home")
    with server:
        server.call("POST", HOOKS, {"metadata": {"name": "all"}, "webhooks": [EVERYTHING]})
        with pytest.raises(HttpError, match="failed calling webhook"):
            server.call("POST", MAPS, {"metadata": {"name": "a"}})
    with server:
        with pytest.raises(HttpError, match="failed calling webhook"):
            server.call("POST", MAPS, {"metadata": {"name": "a"}})
        server.call("DELETE", f"{HOOKS}/all")
        server.call("POST", MAPS, {"metadata": {"name": "a"}})


def test_a_namespace_goes_once_its_webhook_answers_or_is_gone(tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "home") as server:
        server.call("POST", "/api/v1/namespaces", {"metadata": {"name": "n"}})
        server.call("POST", "/api/v1/namespaces/n/configmaps", {"metadata": {"name": "a"}})
        rule = {**EVERYTHING["rules"][0], "resources": ["configmaps"], "operations": ["DELETE"]}  # type: ignore[index]
        hooks = {"metadata": {"name": "maps"}, "webhooks": [{**EVERYTHING, "rules": [rule]}]}
        server.call("POST", HOOKS, hooks)
        server.call("DELETE", "/api/v1/namespaces/n")
        deadline = time.monotonic() + 60
        while True:
            namespace = server.call("GET", "/api/v1/namespaces/n")
            told = {each["type"]: each for each in namespace["status"].get("conditions") or ()}
            if told.get("NamespaceDeletionContentFailure", {}).get("status") == "True":
                break
            assert time.monotonic() < deadline, namespace
            time.sleep(0.05)
        assert "failed calling webhook" in told["NamespaceDeletionContentFailure"]["message"]
        server.call("DELETE", f"{HOOKS}/maps")
        while any(
            each["metadata"]["name"] == "n" for each in server.call("GET", "/api/v1/namespaces")["items"]
        ):
            assert time.monotonic() < deadline + 60
            time.sleep(0.05)
