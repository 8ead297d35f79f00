"""A call packed, played by the program that pods run, and read again."""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sampan.components.training.sdk.calls import (
    RemoteError,
    is_outcome,
    outcome_of_log,
    outcome_of_message,
    pack,
)
from sampan.components.training.sdk.plan import PlanError
from sampan.components.training.sdk.remote import Remote
from sampan.sent.sources import SourcesError

FACTOR = 3


class OddError(Exception):
    """Cannot be made of its arguments again."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")


class PointError(Exception):
    pass


def times(value: int, *, by: int = FACTOR) -> int:
    print("times", value)
    return value * by


def play(tmp_path: Path, archive: bytes, *, code: int = 0) -> tuple[str, list[str]]:
    """As a pod does; its termination message and its log."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        tar.extractall(tmp_path / "work", filter="data")
    message = tmp_path / "message"
    done = subprocess.run(
        [sys.executable, "-S", str(tmp_path / "work" / "run.py"), "call"],
        capture_output=True,
        text=True,
        env={"SAMPAN_TERMINATION_LOG": str(message), "PATH": ""},
        timeout=60,
    )
    assert done.returncode == code, done.stderr
    return message.read_text(), done.stdout.splitlines()


def value_of(tmp_path: Path, function: Callable[..., Any], *args: Any, code: int = 0, **kwargs: Any) -> Any:
    message, lines = play(tmp_path, pack(function, args, kwargs), code=code)
    outcome = outcome_of_message(message) or outcome_of_log(lines)
    assert outcome is not None
    return outcome.value()


def test_a_function_with_what_its_module_holds(tmp_path: Path) -> None:
    # This module is installed nowhere: it travels by value.
    assert value_of(tmp_path, times, 2) == 6


def test_lambdas_and_closures(tmp_path: Path) -> None:
    offset = {"a": 1}
    assert value_of(tmp_path, lambda value: value + offset["a"], 2) == 3


def test_a_large_result_comes_by_the_log_and_is_no_word_of_the_program(tmp_path: Path) -> None:
    def large() -> bytes:
        import random

        print("a word")
        return random.Random(1).randbytes(100_000)

    message, lines = play(tmp_path, pack(large, (), {}))
    assert outcome_of_message(message) is None
    assert [line for line in lines if not is_outcome(line)] == ["a word"]
    assert max(len(line) for line in lines) < 16 * 1024
    outcome = outcome_of_log(lines)
    assert outcome is not None
    assert len(outcome.value()) == 100_000
    assert outcome_of_log(lines[:-1]) is None
    assert outcome_of_log([*lines[:2], *lines]) is not None


def test_an_exception_is_raised_as_it_was_with_its_traceback(tmp_path: Path) -> None:
    def fails() -> None:
        raise PointError("here", 7)

    with pytest.raises(PointError, match="here") as caught:
        value_of(tmp_path, fails, code=1)
    assert caught.value.args == ("here", 7)
    assert "in fails" in str(caught.value.__cause__)


def test_a_package_that_the_image_lacks_is_named_with_what_to_do(tmp_path: Path) -> None:
    import yaml

    # Without its site's packages the interpreter has none.
    with pytest.raises(ModuleNotFoundError, match=r"'yaml': the image lacks it, name it in packages=\["):
        value_of(tmp_path, lambda: yaml.safe_load("1"), code=1)


def test_one_that_cannot_be_made_here_is_told_of(tmp_path: Path) -> None:
    def fails() -> None:
        raise OddError(1, 2)

    with pytest.raises(RemoteError, match="OddError: 1 and 2") as caught:
        value_of(tmp_path, fails, code=1)
    assert "in fails" in caught.value.trace


def test_exit_is_told_of_and_does_not_end_whoever_asked(tmp_path: Path) -> None:
    with pytest.raises(RemoteError, match="SystemExit: 3"):
        value_of(tmp_path, lambda: sys.exit(3), code=1)


def test_what_cannot_come_back_is_told_of(tmp_path: Path) -> None:
    with pytest.raises(RemoteError, match="the result cannot be sent back"):
        value_of(tmp_path, lambda: (each for each in range(3)), code=1)


def test_what_is_too_large_to_come_back_is_told_of(tmp_path: Path) -> None:
    def large() -> bytes:
        import random

        return random.Random(1).randbytes(9_000_000)

    with pytest.raises(RemoteError, match="write it to a file"):
        value_of(tmp_path, large)


def test_another_python_is_told_of(tmp_path: Path) -> None:
    archive = pack(times, (1,), {})
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        tar.extractall(tmp_path / "work", filter="data")
    (tmp_path / "work" / "call.json").write_text('{"python": "3.7"}')
    message = tmp_path / "message"
    subprocess.run(
        [sys.executable, str(tmp_path / "work" / "run.py"), "call"],
        env={"SAMPAN_TERMINATION_LOG": str(message)},
        capture_output=True,
        timeout=60,
    )
    outcome = outcome_of_message(message.read_text())
    assert outcome is not None
    with pytest.raises(RuntimeError, match=r"sent by Python 3\.7, and the image has Python"):
        outcome.value()


def test_what_cannot_be_sent_is_told_before_anything_starts() -> None:
    with pytest.raises(SourcesError, match="too large"):
        pack(times, (b"x" * 9_000_000,), {})
    with pytest.raises(SourcesError, match="cannot be sent"):
        pack(times, (threading.Lock(),), {})


def test_nonsense_is_no_outcome() -> None:
    assert outcome_of_message("Error: exit code 1") is None
    assert outcome_of_log(["SAMPAN-OUTCOME", "SAMPAN-OUTCOME x/y z", "SAMPAN-OUTCOME 2/2 z"]) is None
    outcome = outcome_of_message("SAMPAN-OUTCOME:!!!")
    assert outcome is not None
    with pytest.raises(RemoteError, match="cannot be read here"):
        outcome.value()


def test_options_that_there_are_not_are_told_of() -> None:
    def nowhere() -> Any:
        raise AssertionError("no cluster is looked for")

    remote = Remote(nowhere)
    for options, words in (
        ({"package": ["x"]}, "package: no such option"),
        ({"packages": "numpy"}, "must be a list"),
        ({"nodes": 0}, "nodes must be between"),
        ({"name": "Not A Name"}, "small letters"),
        ({"secrets": {"TOKEN": "secret"}}, "must say SECRET/KEY"),
    ):
        with pytest.raises(PlanError, match=words):
            remote(**options)(times)
    assert remote(times).local(2) == 6
