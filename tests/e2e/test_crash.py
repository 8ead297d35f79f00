"""Nothing is lost: the server is killed at every point of a run, and the run ends as an undisturbed one.

The run has a chain, nested loops within a limit, branches, a retried step and an exit handler; another one like it
fails. Compared are the states of all tasks, the results, how often each step's program ran, every line of every log.
"""

from __future__ import annotations

import re
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sampan.testing.pipelines import (
    Component,
    constant,
    lightweight,
    output,
    parameter,
    pipeline,
    shell,
    task,
)
from sampan.testing.server import FINAL_STATES, HttpError, ServerProcess

CRASHING = Path(__file__).with_name("crashing_server.py")
INTEGER = "NUMBER_INTEGER"

# Each program notes that it ran, says three lines with time between them, and gives its input plus one.
_COUNTED = """
echo "$1" >> "$0/ran"
echo "$1: first"; sleep 0.05; echo "$1: second" >&2; sleep 0.05; echo "$1: third"
mkdir -p "$(dirname "$3")"; printf '%s' "$(($2 + 1))" > "$3"
"""
_SAID = re.compile(r"[\w-]+: \w+$|not yet$|now$")
_FLAKY = """
echo flaky >> "$0/ran"
if [ ! -e "$0/flaky" ]; then : > "$0/flaky"; echo "not yet"; exit 3; fi
echo "now"
"""
_BROKEN = """
echo broken >> "$0/ran"
exit 3
"""
_WARM = """
def warm(folder: str, n: int) -> int:
    import time
    with open(folder + "/ran", "a") as ran:
        ran.write("warm\\n")
    for line in ("first", "second", "third"):
        print("warm:", line, flush=True)
        time.sleep(0.1)
    return n + 1
"""


def spec(folder: Path, *, fails: bool = False) -> dict[str, Any]:
    """With `fails`, the step that is retried fails every time, and what comes after it is skipped."""
    step = Component(
        "step",
        shell(
            _COUNTED,
            str(folder),
            "{{$.inputs.parameters['label']}}",
            "{{$.inputs.parameters['n']}}",
            "{{$.outputs.parameters['sum'].output_file}}",
        ),
        {"label": "STRING", "n": INTEGER},
        {"sum": INTEGER},
    )
    flaky = Component("flaky", shell(_BROKEN if fails else _FLAKY, str(folder)))
    # Forked from a warm interpreter, which must outlive the server too.
    warm = Component(
        "warm", lightweight("warm", _WARM), {"folder": "STRING", "n": INTEGER}, {"Output": INTEGER}
    )
    inner = {
        "dag": {
            "tasks": {
                "one": task("step", label="loop-one", n=parameter("item")),
                "two": task("step", label="loop-two", n=output("one", "sum")),
            }
        },
        "inputDefinitions": {"parameters": {"item": {"parameterType": INTEGER}}},
    }
    again = {
        "dag": {
            "tasks": {
                "inner": {
                    "componentRef": {"name": "comp-inner"},
                    "parameterIterator": {"itemInput": "item", "items": {"inputParameter": "items"}},
                    "iteratorPolicy": {"parallelismLimit": 1},
                    "inputs": {"parameters": {"items": parameter("items")}},
                }
            }
        },
        "inputDefinitions": {"parameters": {"items": {"parameterType": "LIST"}}},
    }
    work = {
        "dag": {
            "tasks": {
                "a": task("step", label="a", n=1),
                "b": task("step", label="b", n=output("a", "sum")),
                "loop": {
                    "componentRef": {"name": "comp-again"},
                    "dependentTasks": ["b"],
                    "parameterIterator": {"itemInput": "items", "items": {"raw": "[[10, 20], [30]]"}},
                },
                "choice": {
                    "componentRef": {"name": "comp-choice"},
                    "inputs": {"parameters": {"n": output("b", "sum")}},
                },
                "of-choice": task("step", label="of-choice", n=output("choice", "sum")),
                "flaky": {
                    **task("flaky", after=("b",)),
                    "retryPolicy": {"maxRetryCount": 2, "backoffDuration": "0s"},
                },
                "warm": task("warm", folder=str(folder), n=output("b", "sum")),
                "c": task("step", label="c", n=output("warm", "Output"), after=("loop", "flaky")),
            }
        }
    }
    tasks = {
        "exit-handler-1": {"componentRef": {"name": "comp-work"}},
        "cleanup": {
            **task("step", label="cleanup", n=constant(100), after=("exit-handler-1",)),
            "triggerPolicy": {"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"},
        },
    }
    dags = {"work": work, "inner": inner, "again": again, "choice": choice(), "branch": branch()}
    return pipeline("crash", tasks, step, flaky, warm, dags=dags)


def choice() -> dict[str, Any]:
    """One of two branches, of which one runs; what it gives is what the whole gives."""

    def chosen(name: str, condition: str) -> dict[str, Any]:
        return {
            "componentRef": {"name": "comp-branch"},
            "inputs": {"parameters": {"n": parameter("n"), "label": constant(name)}},
            "triggerPolicy": {"condition": condition},
        }

    condition = "int(inputs.parameter_values['n']) == 3"
    selectors = [{"producerSubtask": name, "outputParameterKey": "sum"} for name in ("if", "else")]
    return {
        "dag": {
            "tasks": {"if": chosen("if", condition), "else": chosen("else", f"!({condition})")},
            "outputs": {"parameters": {"sum": {"valueFromOneof": {"parameterSelectors": selectors}}}},
        },
        "inputDefinitions": {"parameters": {"n": {"parameterType": INTEGER}}},
        "outputDefinitions": {"parameters": {"sum": {"parameterType": INTEGER}}},
    }


def branch() -> dict[str, Any]:
    given = {"producerSubtask": "one", "outputParameterKey": "sum"}
    return {
        "dag": {
            "tasks": {"one": task("step", label=parameter("label"), n=parameter("n"))},
            "outputs": {"parameters": {"sum": {"valueFromParameter": given}}},
        },
        "inputDefinitions": {
            "parameters": {"n": {"parameterType": INTEGER}, "label": {"parameterType": "STRING"}}
        },
        "outputDefinitions": {"parameters": {"sum": {"parameterType": INTEGER}}},
    }


@dataclass(frozen=True)
class Outcome:
    """What must not differ."""

    state: str
    tasks: dict[str, tuple[str, str]]
    ran: dict[str, int]
    logs: dict[str, list[str]]


def outcome(server: ServerProcess, run_id: str, folder: Path) -> Outcome:
    state = server.wait_run(run_id, timeout=200)["state"]
    tasks, logs = {}, {}
    for found in server.tasks(run_id):
        key = f"{found['scope_path']}/{found.get('type_attributes', {}).get('iteration_index', '')}"
        outputs = found.get("outputs", {}).get("parameters", [])
        tasks[key] = (found["state"], str(sorted((o["parameter_key"], str(o["value"])) for o in outputs)))
        for attempt, pod in enumerate(found.get("pods", [])):
            text = server.text(f"/api/v1/namespaces/default/pods/{pod['name']}/log")
            # kfp's own lines carry times and temporary names.
            logs[f"{key}#{attempt}"] = sorted(line for line in text.splitlines() if _SAID.match(line))
    return Outcome(state, tasks, dict(Counter((folder / "ran").read_text().split())), logs)


def work_folder(tmp_path: Path) -> Path:
    """Below the home, which steps see wherever it is: their /tmp is their own."""
    folder = tmp_path / "home" / "work"
    folder.mkdir(parents=True)
    return folder


def submit(server: ServerProcess, pipeline: dict[str, Any]) -> str:
    """The run's id, also when the server dies while it answers."""
    (server.home / "armed").touch()
    try:
        return server.submit(pipeline, name="crash")
    except (OSError, HttpError):
        return ""


def crashed(tmp_path: Path, at: int, when: str, *, fails: bool = False) -> tuple[bool, Outcome]:
    """Runs until the crash, starts again undisturbed. False: the run had ended before commit number `at`."""
    folder = work_folder(tmp_path)
    pipeline = spec(folder, fails=fails)
    server = ServerProcess(
        tmp_path / "home", command=(sys.executable, str(CRASHING), str(at), when, "up")
    ).start()
    run_id = submit(server, pipeline)
    assert server.process is not None
    hit = True
    deadline = time.monotonic() + 60
    while server.process.poll() is None:
        try:
            if run_id and server.call("GET", f"/apis/v2beta1/runs/{run_id}")["state"] in FINAL_STATES:
                hit = False
                break
        except (OSError, HttpError):
            break
        assert time.monotonic() < deadline, "neither crashed nor ended"
        time.sleep(0.05)
    server.kill()
    (server.home / "armed").unlink()

    with ServerProcess(tmp_path / "home") as again:
        if not run_id:
            listed = again.call("GET", "/apis/v2beta1/runs").get("runs", [])
            run_id = listed[0]["run_id"] if listed else again.submit(pipeline, name="crash")
        return hit, outcome(again, run_id, folder)


def undisturbed_run(tmp_path: Path, *, fails: bool = False) -> Outcome:
    folder = work_folder(tmp_path)
    with ServerProcess(tmp_path / "home") as server:
        return outcome(server, server.submit(spec(folder, fails=fails), name="crash"), folder)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    return undisturbed_run(tmp_path_factory.mktemp("undisturbed"))


@pytest.fixture(scope="module")
def failing(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    return undisturbed_run(tmp_path_factory.mktemp("failing"), fails=True)


def test_the_undisturbed_run_is_what_the_others_are_compared_with(undisturbed: Outcome) -> None:
    assert undisturbed.state == "SUCCEEDED"
    assert undisturbed.ran == {
        "a": 1,
        "b": 1,
        "loop-one": 3,
        "loop-two": 3,
        "if": 1,
        "of-choice": 1,
        "flaky": 2,
        "warm": 1,
        "c": 1,
        "cleanup": 1,
    }
    assert len([lines for lines in undisturbed.logs.values() if len(lines) == 3]) == 13


def test_the_failing_run_is_what_the_others_are_compared_with(failing: Outcome) -> None:
    assert failing.state == "FAILED"
    assert failing.ran["broken"] == 3
    assert failing.ran["cleanup"] == 1
    assert "c" not in failing.ran


@pytest.mark.parametrize("at", [9, 36, *(pytest.param(at, marks=pytest.mark.slow) for at in (1, 24))])
def test_a_crash_changes_nothing(tmp_path: Path, undisturbed: Outcome, at: int) -> None:
    hit, found = crashed(tmp_path, at, "after" if at % 2 else "before")
    assert hit, "the run has fewer commits than that: lower the number"
    assert found == undisturbed


@pytest.mark.parametrize("at", [27, pytest.param(12, marks=pytest.mark.slow)])
def test_a_crash_does_not_change_how_a_run_fails(tmp_path: Path, failing: Outcome, at: int) -> None:
    hit, found = crashed(tmp_path, at, "after" if at % 2 else "before", fails=True)
    assert hit, "the run has fewer commits than that: lower the number"
    assert found == failing


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("fails", [False, True])
def test_a_crash_at_every_commit_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory, undisturbed: Outcome, failing: Outcome, fails: bool
) -> None:
    at = 1
    expected = failing if fails else undisturbed
    while True:
        results = [
            crashed(tmp_path_factory.mktemp(f"{at}-{when}"), at, when, fails=fails)
            for when in ("before", "after")
        ]
        for hit, found in results:
            assert found == expected, f"differs when killed at commit {at} (hit: {hit})"
        if not any(hit for hit, _ in results):
            break
        at += 1
    assert at > 30
