"""Operators from PyPI, unmodified, whose webhooks our server calls."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from uv import find_uv_bin

from sampan.testing.server import HttpError, ServerProcess
from sampan.testing.webhooks import certificate

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

ENVIRONMENTS = Path(os.environ.get("SAMPAN_TEST_ENVS") or Path("/tmp") / "sampan-test-envs")
OPERATOR = Path(__file__).with_name("kopf_operator.py")
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
BOATS = "/apis/boats.example.com/v1/namespaces/default/boats"
MAPS = "/api/v1/namespaces/default/configmaps"
HOOKS = "/apis/admissionregistration.k8s.io/v1"


def environment_with(*requirements: str) -> Path:
    """The folder of an environment that has `requirements` installed, made once."""
    folder = ENVIRONMENTS / "-".join(requirements).replace("==", "-")
    if not (folder / "complete").exists():
        uv = find_uv_bin()
        subprocess.run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, folder], check=True)
        subprocess.run(
            [uv, "pip", "install", "--quiet", "--python", folder / "bin" / "python", *requirements],
            check=True,
        )
        (folder / "complete").touch()
    return folder


def wait_for(check: Callable[[], Any], what: str, log: Path, seconds: float = 60) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := check():
            return found
        time.sleep(0.05)
    raise AssertionError(f"{what} did not come about:\n{log.read_text()}")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("operators")
    with ServerProcess(folder / "home") as server:
        schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        server.call(
            "POST",
            CRDS,
            {
                "metadata": {"name": "boats.boats.example.com"},
                "spec": {
                    "group": "boats.example.com",
                    "scope": "Namespaced",
                    "names": {"plural": "boats", "singular": "boat", "kind": "Boat"},
                    "versions": [
                        {
                            "name": "v1",
                            "served": True,
                            "storage": True,
                            "schema": {"openAPIV3Schema": schema},
                            "subresources": {"status": {}},
                        }
                    ],
                },
            },
        )
        pem, authority = certificate(folder, ("127.0.0.1",))
        (folder / "ca.pem").write_bytes(authority)
        log = folder / "kopf.log"
        environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "KUBECONFIG": str(server.home / "kubeconfig"),
            "WEBHOOK_PEM": str(pem),
            "WEBHOOK_CA": str(folder / "ca.pem"),
        }
        kopf = environment_with("kopf") / "bin" / "kopf"
        with log.open("wb") as output:
            operator = subprocess.Popen(
                [kopf, "run", "--namespace", "default", OPERATOR],
                env=environ,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
            try:

                def configured() -> bool:
                    found = [
                        server.call("GET", f"{HOOKS}/{kind}webhookconfigurations")["items"]
                        for kind in ("mutating", "validating")
                    ]
                    return all(items and items[0].get("webhooks") for items in found)

                wait_for(configured, "the configuration of webhooks", log)
                yield server
            finally:
                operator.terminate()
                operator.wait(30)


def refused(server: ServerProcess, method: str, path: str, body: Any = None) -> tuple[int, str]:
    with pytest.raises(HttpError) as error:
        server.call(method, path, body)
    return error.value.code, error.value.body["message"]


def boat(name: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "boats.example.com/v1",
        "kind": "Boat",
        "metadata": {"name": name, "annotations": {"keep": "yes"} if name == "kept" else {}},
        "spec": spec,
    }


def test_a_mutating_handler_changes_objects(server: ServerProcess) -> None:
    assert server.call("POST", BOATS, boat("a", crew=2))["spec"] == {"crew": 2, "sail": "genoa"}


def test_validating_handlers_refuse_in_their_own_words(server: ServerProcess) -> None:
    code, message = refused(server, "POST", BOATS, boat("full", crew=5))
    assert code == 429
    assert message.endswith("denied the request: too many for one boat")
    server.call("POST", BOATS, boat("kept"))
    code, message = refused(server, "DELETE", f"{BOATS}/kept")
    assert code == 500
    assert message.endswith("denied the request: this boat is kept")


def test_handlers_of_built_in_kinds_choose_by_label(server: ServerProcess) -> None:
    server.call("POST", MAPS, {"metadata": {"name": "free"}})
    body = {"metadata": {"name": "checked", "labels": {"checked": "yes"}}}
    _, message = refused(server, "POST", MAPS, body)
    assert message.endswith("denied the request: a checked map has data")
    assert server.call("POST", MAPS, {**body, "data": {"a": "b"}})["data"] == {"a": "b"}


def test_the_operator_goes_on_with_what_it_has_let_in(server: ServerProcess, tmp_path: Path) -> None:
    server.call("POST", BOATS, boat("launched"))
    wait_for(
        lambda: server.call("GET", f"{BOATS}/launched").get("status", {}).get("launch"),
        "the operator's own status",
        log=_written(tmp_path, server.call("GET", f"{BOATS}/launched")),
    )


def _written(folder: Path, found: Any) -> Path:
    file = folder / "found.json"
    file.write_text(json.dumps(found))
    return file
