"""The server is killed at every point of resuming, continuing and retrying: what follows is as if it had not been.

Compared are the states of all tasks and how often each step's program ran.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sampan.testing.pipelines import Component, loop, parameter, pipeline, shell, task
from sampan.testing.server import HttpError, ServerProcess

CRASHING = Path(__file__).with_name("crashing_server.py")
_SAID = 'echo "$1" >> "$0/ran"; sleep 0.05'
_FAILS = 'echo "$1" >> "$0/ran"; exit 3'


def spec(folder: Path, *, is_mended: bool) -> dict[str, Any]:
    """prepare → a loop of which one iteration fails → last, and an exit handler."""
    label = "{{$.inputs.parameters['label']}}"
    step = Component("step", shell(_SAID, str(folder), label), {"label": "STRING"})
    script = _SAID if is_mended else f'if [ "$1" = two ]; then {_FAILS}; fi; {_SAID}'
    fit = Component("fit", shell(script, str(folder), label), {"label": "STRING"})
    inner = {
        "dag": {"tasks": {"fit": task("fit", label=parameter("item"))}},
        "inputDefinitions": {"parameters": {"item": {"parameterType": "STRING"}}},
    }
    work = {
        "dag": {
            "tasks": {
                "prepare": task("step", label="prepare"),
                "loop": loop("inner", ["one", "two", "three"], after=("prepare",)),
                "last": task("step", label="last", after=("loop",)),
            }
        }
    }
    tasks = {
        "exit-handler-1": {"componentRef": {"name": "comp-work"}},
        "cleanup": {
            **task("step", label="cleanup", after=("exit-handler-1",)),
            "triggerPolicy": {"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"},
        },
    }
    return pipeline("crash", tasks, step, fit, dags={"work": work, "inner": inner})


Act = Callable[[ServerProcess, str, Path], str]


def resume(server: ServerProcess, run_id: str, folder: Path) -> str:
    body = {"pipeline_spec": spec(folder, is_mended=True)}
    found: str = server.call("POST", f"/apis/v2beta1/runs/{run_id}:resume", body)["run"]["run_id"]
    return found


def proceed(server: ServerProcess, run_id: str, folder: Path) -> str:
    body = {"pipeline_spec": spec(folder, is_mended=True)}
    server.call("POST", f"/apis/v2beta1/runs/{run_id}:continue", body)
    return run_id


def begun(server: ServerProcess, folder: Path, *, pauses: bool) -> str:
    """A run that has failed, or waits."""
    body = {"display_name": "crash", "pipeline_spec": spec(folder, is_mended=False)}
    query = "?pause_on_failure=true" if pauses else ""
    run_id: str = server.call("POST", f"/apis/v2beta1/runs{query}", body)["run_id"]
    deadline = time.monotonic() + 60
    wanted = "PAUSED" if pauses else "FAILED"
    # A run pauses as soon as a step has failed: the other two iterations come to their end.
    while (
        server.call("GET", f"/apis/v2beta1/runs/{run_id}")["state"] != wanted
        or [each["state"] for each in server.tasks(run_id) if each["name"] == "fit"].count("SUCCEEDED") < 2
    ):
        assert time.monotonic() < deadline, server.tasks(run_id)
        time.sleep(0.05)
    (folder / "ran").unlink()
    return run_id


def outcome(server: ServerProcess, run_id: str, folder: Path) -> tuple[str, dict[str, str], Counter[str]]:
    state = server.wait_run(run_id, timeout=200)["state"]
    states = {each["scope_path"]: each["state"] for each in server.tasks(run_id)}
    return state, states, Counter((folder / "ran").read_text().split())


def crashed(tmp_path: Path, act: Act, at: int, when: str) -> tuple[bool, Any]:
    folder = tmp_path / "home" / "work"
    folder.mkdir(parents=True)
    command = (sys.executable, str(CRASHING), str(at), when, "up")
    server = ServerProcess(tmp_path / "home", command=command).start()
    first = begun(server, folder, pauses=act is proceed)
    (server.home / "armed").touch()
    found = ""
    with contextlib.suppress(OSError, HttpError):
        found = act(server, first, folder)
    assert server.process is not None
    hit, deadline = True, time.monotonic() + 60
    while server.process.poll() is None:
        with contextlib.suppress(OSError, HttpError):
            if found and server.call("GET", f"/apis/v2beta1/runs/{found}")["state"] == "SUCCEEDED":
                hit = False
                break
        assert time.monotonic() < deadline, "neither crashed nor ended"
        time.sleep(0.05)
    server.kill()
    (server.home / "armed").unlink()
    with ServerProcess(tmp_path / "home") as again:
        if not found:
            found = _found(again, first, folder, act)
        return hit, outcome(again, found, folder)


def _found(server: ServerProcess, first: str, folder: Path, act: Act) -> str:
    """The run that goes on, though its answer never came; asked for again where there is none."""
    run = server.call("GET", f"/apis/v2beta1/runs/{first}")
    if act is proceed:
        return first if run["state"] != "PAUSED" else act(server, first, folder)
    later: list[str] = run.get("resumed_by", [])
    return later[0] if later else act(server, first, folder)


EXPECTED = {
    resume: Counter({"two": 1, "last": 1, "cleanup": 1, "one": 1, "three": 1}),
    proceed: Counter({"two": 1, "last": 1, "cleanup": 1}),
}


def check(found: Any, act: Act) -> None:
    state, states, ran = found
    assert state == "SUCCEEDED"
    assert ran == EXPECTED[act]
    others = {value for path, value in states.items() if not path.endswith("prepare")}
    assert others == {"SUCCEEDED"}


@pytest.mark.parametrize(("act", "at"), [(resume, 2), (proceed, 1)], ids=["resume", "continue"])
def test_a_crash_while_a_run_goes_on_changes_nothing(tmp_path: Path, act: Act, at: int) -> None:
    hit, found = crashed(tmp_path, act, at, "after")
    assert hit
    check(found, act)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("act", [resume, proceed], ids=["resume", "continue"])
def test_a_crash_at_every_commit_changes_nothing(tmp_path_factory: pytest.TempPathFactory, act: Act) -> None:
    at = 1
    while True:
        hits = []
        for when in ("before", "after"):
            hit, found = crashed(tmp_path_factory.mktemp(f"{at}-{when}"), act, at, when)
            check(found, act)
            hits.append(hit)
        if not any(hits):
            break
        at += 1
    assert at > 5
