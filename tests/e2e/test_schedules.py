"""Schedules on a real server: a kill leaves one run for every tick, and what a person sees of them."""

from __future__ import annotations

import json
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from sampan.cli import pipelines
from sampan.testing.pipelines import Component, pipeline, shell, task
from sampan.testing.server import ServerProcess

CRASHING = Path(__file__).with_name("crashing_server.py")
_ENDED = ("SUCCEEDED", "FAILED", "CANCELED")


def made(server: ServerProcess) -> str:
    body = {
        "display_name": "every second",
        "pipeline_spec": pipeline("tick", {"say": task("say")}, Component("say", shell("echo hello"))),
        "trigger": {"periodic_schedule": {"interval_second": 1}},
        "max_concurrency": 10,
        "mode": "ENABLE",
    }
    return str(server.call("POST", "/apis/v2beta1/recurringruns", body)["recurring_run_id"])


def runs(server: ServerProcess) -> list[dict[str, Any]]:
    path = "/apis/v2beta1/runs?page_size=200&sort_by=scheduled_at"
    return list(server.call("GET", path).get("runs", []))


def until_there_are(server: ServerProcess, count: int, states: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    deadline = time.monotonic() + 60
    while True:
        found = runs(server)
        if len([run for run in found if not states or run["state"] in states]) >= count:
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.1)


def until_all_ended(server: ServerProcess) -> list[dict[str, Any]]:
    deadline = time.monotonic() + 60
    while True:
        found = runs(server)
        if all(run["state"] in _ENDED for run in found):
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.1)


@pytest.mark.parametrize(
    ("at", "when"),
    [
        (2, "before"),
        *(pytest.param(at, "after", marks=pytest.mark.slow) for at in (2, 3, 5, 9, 14)),
        *(pytest.param(at, "before", marks=pytest.mark.slow) for at in (3, 5, 9, 14)),
    ],
)
def test_every_tick_has_one_run_over_a_crash(tmp_path: Path, at: int, when: str) -> None:
    command = (sys.executable, str(CRASHING), str(at), when, "up")
    server = ServerProcess(tmp_path / "home", command=command).start()
    schedule_id = made(server)
    (server.home / "armed").touch()
    assert server.process is not None
    server.process.wait(60)
    server.kill()
    (server.home / "armed").unlink()

    with ServerProcess(tmp_path / "home") as again:
        until_there_are(again, 5)
        again.call("POST", f"/apis/v2beta1/recurringruns/{schedule_id}:disable")
        found = until_all_ended(again)
        moments = [int(datetime.fromisoformat(run["scheduled_at"]).timestamp()) for run in found]
        first = moments[0]
        assert moments == list(range(first, first + len(found))), "a tick is missing, or there twice"
        created = again.call("GET", f"/apis/v2beta1/recurringruns/{schedule_id}")["created_at"]
        assert first == int(datetime.fromisoformat(created).timestamp()) + 1
        assert {run["state"] for run in found} == {"SUCCEEDED"}
        assert [f"-{number}-" in run["display_name"] for number, run in enumerate(found, start=1)] == [
            True
        ] * len(found)


def test_schedules_on_the_command_line(tmp_path: Path) -> None:
    app = typer.Typer()
    pipelines.add(app)
    home = tmp_path / "home"

    def sampan(*words: str, code: int = 0) -> str:
        ended = CliRunner().invoke(app, ["schedules", *words, "--home", str(home)])
        assert ended.exit_code == code, (words, ended.output, ended.exception)
        return ended.output

    def on(schedule: str, *verbs: str) -> str:
        return "".join(sampan(verb, schedule) for verb in verbs)

    package = tmp_path / "tick.json"
    package.write_text(
        json.dumps(pipeline("tick", {"say": task("say")}, Component("say", shell("echo hello")))),
        encoding="utf-8",
    )
    assert "no server is running" in CliRunner().invoke(app, ["schedules", "--home", str(home)]).output
    with ServerProcess(home) as server:
        assert "No schedules yet" in sampan()
        nightly = sampan(
            "create", str(package), "--cron", "30 2 * * *", "--time-zone", "Asia/Tokyo", "--name", "[a]"
        )
        assert nightly.splitlines()[0].startswith("[a]  ")
        assert nightly.count("02:30:00 JST") == 5
        fast = sampan("create", str(package), "--every", "1s", "--max-concurrency", "10")
        until_there_are(server, 2, _ENDED)
        listed = sampan()
        assert "0 30 2 * * * Asia/Tokyo" in " ".join(listed.split())
        assert "every 1s" in listed
        assert "Would tick next at" in on("tick", "pause", "show")
        assert "succeeded" in on("tick", "show")
        assert "Ticks next at" in on("tick", "resume")
        assert "deleted" in on(fast.split()[1][:8], "delete")
        assert "no schedule is called 'tick'" in sampan("show", "tick", code=1)
        assert "neither a file nor the name" in sampan("create", "nobody", "--every", "1h", code=1)
