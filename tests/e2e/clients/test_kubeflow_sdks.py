"""Kubeflow's own clients against upstream's definitions without their controllers, as on any Kubernetes.

Those of training are in `test_training_sdks`: their kinds have controllers here.
`SAMPAN_TEST_CRDS` names a folder that holds upstream's definitions, at any depth (see `tests/crds/README.md`).
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from sampan.testing.clients import interpreter_with
from sampan.testing.server import ServerProcess

FOLDER = os.environ.get("SAMPAN_TEST_CRDS", "")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not FOLDER, reason="SAMPAN_TEST_CRDS names no folder of definitions"),
]
JOURNEY = Path(__file__).with_name("kubeflow_sdks.py")
CLIENTS = {
    # With 36 and later these two fail on their own side.
    "katib": (("kubeflow-katib==0.19.0", "kubernetes==35.0.0"), ("experiments", "trials", "suggestions")),
    "kserve": (("kserve==0.21.0", "kubernetes==35.0.0"), ("inferenceservices",)),
}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path / "home") as server:
        yield server


@pytest.mark.parametrize("client", CLIENTS)
def test_kubeflows_clients_without_controllers(server: ServerProcess, tmp_path: Path, client: str) -> None:
    requirements, plurals = CLIENTS[client]
    for definition in definitions(plurals):
        server.call("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition)
    ended = subprocess.run(
        [interpreter_with(*requirements), "-W", "ignore", JOURNEY, server.home / "kubeconfig", client],
        env={"HOME": str(tmp_path), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert ended.returncode == 0, ended.stdout[-3000:] + ended.stderr[-3000:]
    assert f"the journey of {client} is over" in ended.stdout


def definitions(plurals: tuple[str, ...]) -> list[dict[str, object]]:
    found: dict[str, dict[str, object]] = {}
    for file in sorted(Path(FOLDER).rglob("*.yaml")):
        if not any(word in file.name or word[:-1] in file.name for word in plurals):
            continue
        for each in yaml.load_all(file.read_text(), Loader=yaml.CSafeLoader):
            if isinstance(each, dict) and each.get("kind") == "CustomResourceDefinition":
                group, plural = each["spec"]["group"], each["spec"]["names"]["plural"]
                kubeflow = group in ("kubeflow.org", "serving.kserve.io")
                if plural in plurals and kubeflow:
                    found[f"{plural}.{group}"] = each
    assert {name.partition(".")[0] for name in found} == set(plurals)
    return list(found.values())
