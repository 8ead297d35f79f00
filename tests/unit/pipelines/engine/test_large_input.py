"""A long executor input on its way past the kernel's limit, as the SDK's executor would read it."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import pytest

from sampan.components.pipelines.engine.large_input import LIMIT_BYTES, moved
from sampan.testing.pipelines import lightweight, shell

SOURCE = "def step(text: str) -> int:\n    return len(text)\n"


def pod(container: Any, value: str) -> tuple[Any, Any]:
    told = {"inputs": {"parameterValues": {"text": value}}}
    main = {**container, "args": [arg.replace("{{$}}", json.dumps(told)) for arg in container["args"]]}
    return {"spec": {"containers": [main]}}, told


def read_as_executor(source: str, argument: str) -> Any:
    """What kfp/dsl/executor_main.py does: the argument, then the module, then the argument's text."""
    args = argparse.Namespace(executor_input=argument, function_to_execute="step")
    exec(compile(source, "ephemeral_component.py", "exec"), {"__name__": "ephemeral_component"})
    return json.loads(args.executor_input)


@pytest.mark.parametrize("value", ["é" * LIMIT_BYTES, "$(HOME) $$ \\ '\" \n" * LIMIT_BYTES])
def test_the_executor_finds_it_in_the_file(tmp_path: Path, value: str) -> None:
    made, told = pod(lightweight("step", SOURCE), value)
    path = tmp_path / "it's" / "1.input.json"
    text = moved(made, told, str(path))
    path.parent.mkdir()
    path.write_text(text, encoding="utf-8")
    main = made["spec"]["containers"][0]
    assert all(len(word.encode()) < LIMIT_BYTES for word in (*main["command"], *main["args"]))
    own = SOURCE  # without what imports kfp
    source = main["command"][-1].replace(lightweight("step", SOURCE)["command"][-1], "\n" + own)
    assert read_as_executor(source, main["args"][1]) == told


def test_lines_keep_their_numbers(tmp_path: Path) -> None:
    made, told = pod(lightweight("step", SOURCE), "x" * LIMIT_BYTES)
    moved(made, told, str(tmp_path / "x"))
    before = lightweight("step", SOURCE)["command"][-1].splitlines()
    assert made["spec"]["containers"][0]["command"][-1].splitlines()[1:] == before[1:]


@pytest.mark.parametrize("size", [0, LIMIT_BYTES // 2])
def test_a_short_one_stays_in_the_command(tmp_path: Path, size: int) -> None:
    made, told = pod(lightweight("step", SOURCE), "x" * size)
    before = json.dumps(made)
    assert moved(made, told, str(tmp_path / "x")) == ""
    assert json.dumps(made) == before


def test_what_is_no_python_function_is_left_alone(tmp_path: Path) -> None:
    made, told = pod(shell("echo $0", "{{$}}"), "x" * LIMIT_BYTES)
    before = json.dumps(made)
    assert moved(made, told, str(tmp_path / "x")) == ""
    assert json.dumps(made) == before
