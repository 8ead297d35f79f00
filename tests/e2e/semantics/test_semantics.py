"""Every row of what KFP's IR means, as the real SDK compiles it, on a real server: `pipelines` and `on_kubernetes` say
how each must end."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sampan.components.pipelines.api.ir_kubernetes import FIELDS, Fields
from sampan.testing.clients import interpreter_with
from sampan.testing.server import ServerProcess

HERE = Path(__file__).parent
KUBERNETES = ("kfp==2.17.0", "kfp-kubernetes==2.17.0")
SETS = [
    pytest.param(("pipelines.py", *KUBERNETES), id="2.17.0"),
    pytest.param(("on_kubernetes.py", *KUBERNETES), id="kubernetes"),
    pytest.param(("pipelines.py", "kfp==2.14.6"), id="2.14.6", marks=pytest.mark.slow),
    pytest.param(("pipelines.py", "kfp==2.7.0"), id="2.7.0", marks=pytest.mark.slow),
]
OBJECTS = {
    "secrets/credentials": {"kind": "Secret", "stringData": {"password": "hunter2"}},
    "configmaps/settings": {"kind": "ConfigMap", "data": {"color": "blue"}},
    "persistentvolumeclaims/shelf": {
        "kind": "PersistentVolumeClaim",
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "10Mi"}}},
    },
}
WAITS = "WAITS"


@dataclass(frozen=True)
class Submitted:
    server: ServerProcess
    wanted: dict[str, dict[str, Any]]
    runs: dict[str, str]


@pytest.fixture(scope="module", params=SETS)
def submitted(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Submitted]:
    """All at once, as the machine has more than one core."""
    program, *requirements = request.param
    folder = tmp_path_factory.mktemp("compiled")
    compiled = subprocess.run(
        [interpreter_with(*requirements), "-W", "ignore", HERE / program, folder],
        env={"HOME": str(folder), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert compiled.returncode == 0, compiled.stderr[-4000:]
    wanted = {file.stem: json.loads(file.read_text()) for file in sorted(folder.glob("*.json"))}
    with ServerProcess(tmp_path_factory.mktemp("home")) as server:
        for path, spec in OBJECTS.items():
            collection, name = path.split("/")
            created = {"apiVersion": "v1", "metadata": {"name": name}, **spec}
            server.call("POST", f"/api/v1/namespaces/default/{collection}", created)
        yield Submitted(server, wanted, {name: submit(server, name, case) for name, case in wanted.items()})


def submit(server: ServerProcess, name: str, case: dict[str, Any]) -> str:
    spec, *platform = case["documents"]
    whole = {"pipeline_spec": spec, "platform_spec": platform[0]} if platform else spec
    return server.submit(whole, name=name, **case["arguments"])


def tasks(server: ServerProcess, run_id: str) -> dict[str, dict[str, Any]]:
    """By scope path, without the root."""
    found = server.tasks(run_id)
    return {task["scope_path"].removeprefix("root.").replace(".", "/"): task for task in found}


def said(task: dict[str, Any]) -> str:
    return str(task.get("status_metadata", {}).get("message", ""))


def artifact(task: dict[str, Any], output: str) -> list[Any]:
    """Its type and metadata."""
    for given in task.get("outputs", {}).get("artifacts", []):
        if given["artifact_key"] == output:
            (found,) = given["artifacts"]
            return [found["type"], found.get("metadata", {})]
    return []


def differences(server: ServerProcess, case: dict[str, Any], run_id: str) -> list[str]:
    if case["state"] == WAITS:
        return unsaid(server, case, run_id)
    run = server.wait_run(run_id, timeout=200)
    found = tasks(server, run_id)
    why = run.get("error", {}).get("message", "")
    wrong = []
    if run["state"] != case["state"] or case["error"] not in why:
        wrong.append(f"the run is {run['state']}: {why[-500:]}")
    for path, expected in case["tasks"].items():
        if path not in found:
            wrong.append(f"no task {path}; there are {', '.join(sorted(found))}")
            continue
        given: Any = found[path]["state"]
        if isinstance(expected, dict):
            outputs = found[path].get("outputs", {}).get("parameters", [])
            given = {item["parameter_key"]: item["value"] for item in outputs}
        if given != expected:
            wrong.append(f"{path}: {given!r}, not {expected!r}")
    for place, expected in case["artifacts"].items():
        path, _, output = place.rpartition("/")
        given = artifact(found[path], output)
        if given != expected:
            wrong.append(f"{place}: {given!r}, not {expected!r}")
    for path, words in case["said"].items():
        if words not in said(found[path]):
            wrong.append(f"{path} says {said(found[path])!r}, not {words!r}")
    return wrong


def unsaid(server: ServerProcess, case: dict[str, Any], run_id: str) -> list[str]:
    """What tasks that can never start do not say of it. Then the run is stopped."""
    deadline = time.monotonic() + 60
    missing = dict(case["said"])
    while missing and time.monotonic() < deadline:
        found = tasks(server, run_id)
        missing = {path: words for path, words in missing.items() if words not in said(found.get(path, {}))}
        time.sleep(0.2)
    server.call("POST", f"/apis/v2beta1/runs/{run_id}:terminate")
    server.wait_run(run_id, timeout=200)
    return [f"{path} never says {words!r}" for path, words in missing.items()]


def test_everything_ends_as_it_must(submitted: Submitted) -> None:
    server = submitted.server
    wrong = {
        name: found
        for name, case in submitted.wanted.items()
        if (found := differences(server, case, submitted.runs[name]))
    }
    assert not wrong, json.dumps(wrong, indent=1, ensure_ascii=False)


def test_a_second_run_takes_from_the_first_what_it_may(submitted: Submitted) -> None:
    server = submitted.server
    cases = {name: case for name, case in submitted.wanted.items() if case["again"]}
    assert cases
    for name in cases:
        server.wait_run(submitted.runs[name], timeout=200)
    runs = {name: submit(server, name, case) for name, case in cases.items()}
    wrong = {}
    for name, case in cases.items():
        server.wait_run(runs[name], timeout=200)
        found = tasks(server, runs[name])
        if given := {
            path: found[path]["state"]
            for path in case["again"]
            if found[path]["state"] != case["again"][path]
        }:
            wrong[name] = given
    assert not wrong


KNOWN_FIELDS = """
from kfp.kubernetes import kubernetes_executor_config_pb2 as pb

def walk(message, place):
    for field in message.fields:
        print(place + field.json_name)
        inner = field.message_type
        if inner is not None and inner.full_name.startswith("kfp_kubernetes.") and not inner.GetOptions().map_entry:
            walk(inner, place + field.json_name + ".")

walk(pb.KubernetesExecutorConfig.DESCRIPTOR, "")
"""


def known(table: Fields, place: str = "") -> set[str]:
    found = set()
    for name, inner in table.items():
        found.add(place + name)
        if not isinstance(inner, str):
            found |= known(inner, f"{place}{name}.")
    return found


def test_every_field_of_kfp_kubernetes_is_known() -> None:
    python = interpreter_with(*KUBERNETES)
    ended = subprocess.run([python, "-c", KNOWN_FIELDS], capture_output=True, text=True, check=True)
    wanted = set(ended.stdout.split())
    assert len(wanted) > 90
    assert not wanted - known(FIELDS)
