"""From a file or a function to an endpoint that answers: the commands, and `sampan.sdk.serve`."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sampan.sdk import ServingError, serve
from sampan.sdk.sending import connect
from sampan.testing.homes import home_with_frameworks
from sampan.testing.server import ServerProcess

MODEL = """
import sys
import joblib
from sklearn.dummy import DummyClassifier
joblib.dump(DummyClassifier(strategy="constant", constant=int(sys.argv[2])).fit([[0, 0], [1, 1]], [7, 9]), sys.argv[1])
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    home = home_with_frameworks(tmp_path_factory.mktemp("serve") / "home")
    with ServerProcess(home) as running:
        yield running


@pytest.fixture
def _connected(server: ServerProcess) -> Iterator[None]:
    with connect(server.home) as session:
        serve.use(session)
        yield
        serve.use(None)


def sampan(server: ServerProcess, *arguments: str, code: int = 0) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "sampan", *arguments, "--home", str(server.home)],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        env={**os.environ, "COLUMNS": "200"},
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


class Scaled:
    def load(self) -> None:
        self.factor = 3

    def predict(self, rows: list[int]) -> list[int]:
        return [self.factor * row for row in rows]


@pytest.mark.usefixtures("_connected")
def test_a_function_is_served_and_followed_by_another() -> None:
    doubler = serve(lambda rows: [2 * row for row in rows], name="doubler")
    assert doubler.predict([1, 2, 3]) == [2, 4, 6]
    assert doubler.predict([1.5], protocol="v2") == [3.0]
    with pytest.raises(ServingError, match="answered 400"):
        doubler.predict({"inputs": [{"name": "x", "datatype": "FP32"}]})

    serve(Scaled, name="doubler", canary=0)
    assert doubler.predict([1]) == [2]
    assert [each.percent for each in doubler.revisions()] == [0, 100]
    doubler.promote()
    _until(lambda: doubler.predict([1]) == [3])
    assert any("serving doubler" in line for line in doubler.logs())
    doubler.delete()
    doubler.delete()


@pytest.mark.slow
@pytest.mark.usefixtures("_connected")
def test_what_fails_says_why() -> None:
    class Broken:
        def load(self) -> None:
            raise RuntimeError("the weights are gone")

        def predict(self, rows: list[int]) -> list[int]:
            return rows

    with pytest.raises(ServingError, match="the weights are gone"):
        serve(Broken, name="broken")
    serve.attach("broken").delete()
    with pytest.raises(ServingError, match="is not there"):
        serve("/no/such/model.joblib")


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.usefixtures("_connected")
def test_a_file_becomes_an_endpoint_by_one_line(server: ServerProcess, tmp_path: Path) -> None:
    python = _python_with_sklearn(server)
    for number in (7, 9):
        subprocess.run(
            [python, "-c", MODEL, str(tmp_path / f"seven{number}.joblib"), str(number)], check=True
        )
    said = sampan(server, "serve", str(tmp_path / "seven7.joblib"), "--name", "seven")
    assert "sklearn (seven7.joblib is a pickle that names sklearn)" in said
    curl = re.search(r"^ +(curl .*)$", said, re.MULTILINE)
    assert curl is not None
    answer = subprocess.run(["sh", "-c", curl.group(1)], capture_output=True, text=True, check=True).stdout
    assert json.loads(answer) == {"predictions": [7]}

    rows = tmp_path / "rows.csv"
    rows.write_text("a,b\n" + "1,2\n" * 25)
    sampan(server, "predict", "seven", "-d", f"@{rows}", "--batch", "10", "--to", str(tmp_path / "out.jsonl"))
    assert (tmp_path / "out.jsonl").read_text() == "7\n" * 25
    assert re.match(
        r"7\n.* over v2\n", sampan(server, "predict", "seven", "--protocol", "v2", "-d", "[[1, 2]]")
    )

    sampan(server, "serve", str(tmp_path / "seven9.joblib"), "--name", "seven", "--canary", "0")
    listed = sampan(server, "endpoints", "revisions", "seven")
    assert re.search(r"seven-predictor-00001 +100 % \(prev\)", listed)
    sampan(server, "endpoints", "promote", "seven")
    _until(lambda: serve.attach("seven").predict([[1, 2]]) == [9])
    assert "seven-predictor-00001" in sampan(server, "endpoints", "rollback", "seven")
    _until(lambda: serve.attach("seven").predict([[1, 2]]) == [7])
    # What is served next gets all requests, though the one before was rolled back.
    sampan(server, "serve", str(tmp_path / "seven9.joblib"), "--name", "seven", "-e", "A=b")
    assert sampan(server, "predict", "seven", "-d", "[[1, 2]]").startswith("9\n")

    assert "Successfully copied" in sampan(server, "endpoints", "logs", "seven")
    assert "seven" in sampan(server, "endpoints", "list", "-o", "name")
    assert "no run has left" in sampan(server, "endpoints", "lineage", "seven")
    sampan(server, "endpoints", "stop", "seven")
    assert "stopped" in sampan(server, "endpoints", "get", "seven")
    # Its pods go, and what they have printed stays.
    _until(lambda: not server.call("GET", "/api/v1/namespaces/default/pods")["items"])
    assert "Successfully copied" in sampan(server, "endpoints", "logs", "seven")
    assert "seven-predictor-00001" in sampan(server, "endpoints", "logs", "seven", "--gone")
    sampan(server, "endpoints", "start", "seven")
    sampan(server, "endpoints", "delete", "seven")
    assert "is called 'seven'" in sampan(server, "predict", "seven", "-d", "[[1]]", code=1)


def _python_with_sklearn(server: ServerProcess) -> str:
    for python in sorted((server.home / "envs").glob("*/bin/python")):
        if list(python.parents[1].glob("lib/python3*/site-packages/skops")):
            return str(python)
    pytest.skip("no environment with scikit-learn has been made on this machine yet")


def _until(met: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not met():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.2)
