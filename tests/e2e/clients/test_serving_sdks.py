"""Official clients of serving, unmodified, with models that are really served. Each in an environment of its own."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from sampan.testing.clients import interpreter_with
from sampan.testing.homes import home_with_frameworks
from sampan.testing.server import ServerProcess

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

HERE = Path(__file__).parent
KSERVE = ("kserve==0.21.0", "kubernetes==35.0.0")
TRITON = ("tritonclient[http,grpc]==2.73.0",)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    home = home_with_frameworks(tmp_path_factory.mktemp("serving") / "home")
    with ServerProcess(home) as running:
        yield running


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    joblib = pytest.importorskip("joblib")
    from sklearn.datasets import load_iris
    from sklearn.svm import SVC

    folder = tmp_path_factory.mktemp("models")
    for name in ("iris", "other"):
        (folder / name).mkdir()
        joblib.dump(SVC(gamma="scale").fit(*load_iris(return_X_y=True)), folder / name / "model.joblib")
    return folder


@pytest.mark.parametrize(
    ("requirements", "journey", "last_words"),
    [
        (KSERVE, "kserve_sdk.py", "the journey of kserve's SDK is over"),
        (KSERVE, "kserve_local_models.py", "the journey of kserve's local models is over"),
        (TRITON, "triton_endpoint.py", "the journey of tritonclient is over"),
    ],
)
def test_the_journey_of_a_client(
    server: ServerProcess,
    models: Path,
    tmp_path: Path,
    requirements: tuple[str, ...],
    journey: str,
    last_words: str,
) -> None:
    python = interpreter_with(*requirements)
    ended = subprocess.run(
        [python, "-W", "ignore", HERE / journey, server.home / "kubeconfig", server.url, f"file://{models}"],
        env={"HOME": str(tmp_path), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert ended.returncode == 0, f"{ended.stdout[-2000:]}\n{ended.stderr[-4000:]}"
    assert last_words in ended.stdout
