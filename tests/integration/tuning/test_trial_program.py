"""The program that pods run of a function that is tuned: once for a trial, and as a worker over a socket."""

from __future__ import annotations

import io
import json
import re
import socket
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sampan.components.tuning.sdk import search
from sampan.components.tuning.sdk.packing import pack
from sampan.components.tuning.sdk.program import METRICS_FORMAT
from sampan.components.tuning.sdk.search import Space
from sampan.sdk import tune

FACTOR = 3
_COMMAND = (sys.executable, "-S")
"""Without what is installed here: a pod has no Sampan."""


def unpacked(
    folder: Path,
    function: Callable[..., Any],
    space: Mapping[str, Space],
    fixed: Any = None,
    objective: str = "loss",
) -> Path:
    with tarfile.open(fileobj=io.BytesIO(pack(function, space, fixed or {}, objective))) as tar:
        tar.extractall(folder, filter="data")
    return folder / "trial.py"


def run(program: Path, *arguments: str, code: int = 0, **env: str) -> tuple[list[tuple[str, str]], str]:
    """What the collector finds, and everything that was said."""
    done = subprocess.run(
        [*_COMMAND, str(program), *arguments],
        capture_output=True,
        text=True,
        env={"PATH": "", **env},
        timeout=60,
    )
    assert done.returncode == code, done.stderr
    found = [match.group(1, 2) for match in re.finditer(METRICS_FORMAT, done.stdout)]
    return [(str(name), str(value)) for name, value in found], done.stdout + done.stderr


def test_parameters_come_as_what_they_are_and_the_result_is_a_metric(tmp_path: Path) -> None:
    def function(lr: float, layers: int, width: int, decay: float | None, base: int) -> float:
        print("loss = 7 is no metric here", (lr, layers, width, decay))
        return lr * layers * FACTOR + base

    space = {
        "lr": search.uniform(0, 1),
        "layers": search.int(1, 8),
        "width": search.discrete([32, 64]),
        "decay": search.choice([None, 0.5]),
    }
    program = unpacked(tmp_path, function, space, {"base": 1})
    metrics, said = run(program, "--lr=0.5", "--layers=2", "--width=64", "--decay=null")
    assert metrics == [("loss", "4.0")]
    assert "is no metric here (0.5, 2, 64, None)" in said


def test_all_in_one_dict_as_upstreams_tune_has_it(tmp_path: Path) -> None:
    def function(parameters: dict[str, Any]) -> dict[str, float]:
        return {"loss": parameters["x"] * 2, "accuracy": 0.5}

    program = unpacked(tmp_path, function, {"x": search.uniform(0, 9)})
    assert run(program, "--x=1.5")[0] == [("loss", "3.0"), ("accuracy", "0.5")]


def test_what_is_reported_on_the_way_comes_first(tmp_path: Path) -> None:
    def function(x: float) -> None:
        # The module's `tune`, and one that is imported there.
        tune.report(loss=x, step=1)
        from sampan.sdk import tune as there

        there.report({"loss": x / 2, "accuracy": 1})
        print("this is", there.trial_name())

    program = unpacked(tmp_path, function, {"x": search.uniform(0, 9)})
    metrics, said = run(program, "--x=1", KATIB_TRIAL_NAME="t-1")
    assert metrics == [("loss", "1.0"), ("loss", "0.5"), ("accuracy", "1.0")]
    assert "this is t-1" in said
    # Each line begins with its time, which collectors read.
    assert re.match(r"\d{4}-\d\d-\d\dT[\d:.]+Z metric loss=1\.0 step 1\n", said)


def test_only_one_rank_speaks(tmp_path: Path) -> None:
    program = unpacked(tmp_path, lambda x: x, {"x": search.uniform(0, 9)})
    assert run(program, "--x=1", RANK="1")[0] == []
    assert run(program, "--x=1", RANK="0", LOCAL_RANK="0")[0] == [("loss", "1.0")]


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda x: float("nan"), "loss is nan, which is no value to compare by"),
        (lambda x: "good", "loss must be a number, not 'good'"),
        (lambda x: {"a b": 1}, "a metric's name has letters"),
        (lambda x: tune.report(3), "report takes names with values"),
        (lambda x: 1 / 0, "ZeroDivisionError"),
    ],
)
def test_what_cannot_be_compared_fails_the_trial(tmp_path: Path, function: Any, words: str) -> None:
    program = unpacked(tmp_path, function, {"x": search.uniform(0, 9)})
    assert words in run(program, "--x=1", code=1)[1]


class Worker:
    """The server's end of a worker's connection."""

    def __init__(self, connection: socket.socket, lines: Any, folder: Path) -> None:
        self._connection = connection
        self._lines = lines
        self._folder = folder
        self._number = 0

    def receive(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._lines.readline())
        return found

    def send(self, **message: Any) -> None:
        self._connection.sendall(json.dumps(message).encode() + b"\n")

    def begin(self, **parameters: str) -> None:
        self._number += 1
        log = str(self._folder / "logs" / f"{self._number}.log")
        self.send(id=self._number, trial=f"t-{self._number}", parameters=parameters, log=log)

    def answer(self, stop: str = "") -> None:
        self.send(id=self._number, stop=stop)

    def log(self) -> str:
        return (self._folder / "logs" / f"{self._number}.log").read_text()


@contextmanager
def hired(program: Path) -> Iterator[tuple[Worker, subprocess.Popen[bytes]]]:
    address = program.parent / "worker"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(address))
        listening.listen()
        listening.settimeout(30)
        process = subprocess.Popen(
            [*_COMMAND, str(program)],
            env={"PATH": "", "SAMPAN_TRIALS": str(address)},
            stdout=subprocess.DEVNULL,
        )
        connection, _ = listening.accept()
        with connection, connection.makefile("rb") as lines:
            connection.settimeout(30)
            try:
                yield Worker(connection, lines, program.parent), process
            finally:
                connection.shutdown(socket.SHUT_RDWR)
                process.wait(30)


def test_a_worker_takes_one_trial_after_another(tmp_path: Path) -> None:
    def function(x: float) -> float:
        import os

        print("trying", x)
        os.environ["LEFT"] = "behind"
        tune.report(loss=x, step=1)
        if x > 1:
            raise ValueError("too much")
        return x / 2

    program = unpacked(tmp_path, function, {"x": search.uniform(0, 9)})
    with hired(program) as (worker, process):
        assert worker.receive() == {"ready": True, "error": ""}
        worker.begin(x="1")
        assert worker.receive() == {"id": 1, "report": [["loss", "1.0"]]}
        worker.answer()
        end = worker.receive()
        assert (end["end"], end["metrics"]) == ("Succeeded", [["loss", "0.5"]])
        assert worker.log() == "trying 1.0\n"
        worker.begin(x="2")
        worker.receive()
        worker.answer()
        end = worker.receive()
        assert (end["end"], end["message"]) == ("Failed", "ValueError: too much")
        assert end["where"].startswith("function, line ")
        assert "Traceback" in worker.log()
    # The end of the connection is the end of the process.
    assert process.returncode == 143


def test_a_report_that_is_answered_so_ends_the_trial_but_not_the_worker(tmp_path: Path) -> None:
    def function(x: float) -> float:
        try:
            tune.report(loss=x)
        except Exception:
            print("not to be caught")
        finally:
            print("cleaning up")
        return x

    program = unpacked(tmp_path, function, {"x": search.uniform(0, 9)})
    with hired(program) as (worker, _):
        worker.receive()
        worker.begin(x="1")
        worker.receive()
        worker.answer("worse than the median")
        end = worker.receive()
        assert (end["end"], end["message"], end["metrics"]) == ("EarlyStopped", "worse than the median", [])
        assert worker.log() == "cleaning up\n"
        worker.begin(x="3")
        worker.receive()
        worker.answer()
        assert worker.receive()["metrics"] == [["loss", "3.0"]]


def test_a_function_that_cannot_be_read_there_is_said_before_any_trial(tmp_path: Path) -> None:
    import yaml

    def function(x: float) -> float:
        return float(yaml.safe_load("1")) + x

    program = unpacked(tmp_path, function, {"x": search.uniform(0, 9)})
    with hired(program) as (worker, process):
        first = worker.receive()
        assert first["ready"] is False
        assert "the image lacks it, name it in packages=[...]" in first["error"]
    assert process.returncode == 1
