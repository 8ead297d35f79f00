"""Unmodified inference clients against the model server, each in an environment of its own."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from sampan.testing.clients import interpreter_with
from sampan.testing.model_servers import Served, serving

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

HERE = Path(__file__).parent
LINEAR = HERE.parent / "serving" / "runtimes" / "linear.py"
TRITON = ("tritonclient[http,grpc]==2.73.0",)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("server")
    models = folder / "models" / "lin"
    models.mkdir(parents=True)
    (models / "model.json").write_text(json.dumps({"weights": [1, 2, 3, 4]}))
    with serving(folder, "--runtime", str(LINEAR), f"--model_dir={models.parent}") as served:
        yield served


@pytest.mark.parametrize(
    ("requirements", "journey", "last_words"),
    [
        (TRITON, "triton_inference.py", "the journey of tritonclient is over"),
        (("kserve==0.21.0",), "kserve_inference.py", "the journey of kserve's inference clients is over"),
    ],
)
def test_the_journey_of_an_inference_client(
    server: Served, tmp_path: Path, requirements: tuple[str, ...], journey: str, last_words: str
) -> None:
    python = interpreter_with(*requirements)
    address = f"127.0.0.1:{server.port}"
    where = address if "triton" in journey else f"http://{address}"
    ended = subprocess.run(
        [python, "-W", "ignore", HERE / journey, where, f"127.0.0.1:{server.grpc_port}"],
        env={"HOME": str(tmp_path), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ended.returncode == 0, ended.stderr[-4000:]
    assert last_words in ended.stdout
