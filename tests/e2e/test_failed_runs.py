"""Failed runs from the command line, on a real server: pause, continue, resume, debug, stop."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from sampan.testing.pipelines import Component, output, pipeline, shell, task
from sampan.testing.server import ServerProcess

GIVE = 'mkdir -p "$(dirname "$0")"; printf 7 > "$0"'
FILE = "{{$.outputs.parameters['n'].output_file}}"
BAD = 'echo "$N of $0"; exit 3'
INPUT = "{{$.inputs.parameters['n']}}"


def spec(bad: str = BAD) -> dict[str, Any]:
    give = Component("give", shell(GIVE, FILE), outputs={"n": "NUMBER_INTEGER"})
    use = Component("use", shell(bad, INPUT), inputs={"n": "NUMBER_INTEGER"})
    use.container["env"] = [{"name": "N", "value": "seven"}]
    last = Component("last", shell("true"))
    tasks = {
        "give": task("give"),
        "use": task("use", n=output("give", "n")),
        "last": task("last", after=("use",)),
    }
    return pipeline("failing", tasks, give, use, last)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path_factory.mktemp("failed") / "home") as running:
        yield running


def sampan(server: ServerProcess, *arguments: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sampan", *arguments]
    env = {**os.environ, "SAMPAN_HOME": str(server.home)}
    return subprocess.run(
        command, input=typed, capture_output=True, text=True, timeout=90, check=False, env=env
    )


def written(tmp_path: Path, name: str, document: dict[str, Any]) -> str:
    file = tmp_path / name
    file.write_text(json.dumps(document))
    return str(file)


def test_a_paused_run_is_looked_into_and_goes_on_with_new_code(server: ServerProcess, tmp_path: Path) -> None:
    paused = sampan(
        server, "run", "--pause-on-failure", written(tmp_path, "old.json", spec()), "--name", "paused-1"
    )
    assert paused.returncode == 1
    assert "sampan runs continue" in paused.stdout
    looked = sampan(server, "debug", "paused-1", "use", "--", "sh", "-c", "echo $N; ./step")
    assert (looked.stdout.splitlines(), looked.returncode) == (["seven", "seven of 7"], 3)
    # Where nobody types at a terminal, what comes in is what the shell does.
    assert sampan(server, "debug", "paused-1", "use", typed="echo $N; exit 4").returncode == 4
    assert not debug_pods(server)
    done = sampan(server, "runs", "continue", "paused-1", "-f", written(tmp_path, "new.json", spec("true")))
    assert done.returncode == 0, done.stderr
    assert "succeeded after" in done.stdout


def debug_pods(server: ServerProcess) -> list[str]:
    pods = server.call("GET", "/api/v1/namespaces/default/pods")["items"]
    return [pod["metadata"]["name"] for pod in pods if pod["metadata"]["name"].startswith("debug-")]


def test_a_shell_at_a_terminal_has_one_there_too(server: ServerProcess, tmp_path: Path) -> None:
    failed = sampan(server, "run", written(tmp_path, "old.json", spec()), "--name", "failed-1")
    assert failed.returncode == 1
    assert "sampan runs resume" in failed.stdout
    main, other = pty.openpty()
    command = [sys.executable, "-m", "sampan", "debug", "failed-1", "use"]
    env = {**os.environ, "SAMPAN_HOME": str(server.home), "TERM": "dumb"}
    process = subprocess.Popen(command, stdin=other, stdout=other, stderr=other, env=env)
    os.close(other)
    said = b""
    os.write(main, b"tty && echo N=$N && exit 5\n")
    while True:
        try:
            said += os.read(main, 4096)
        except OSError:
            break
    os.close(main)
    assert process.wait(timeout=60) == 5
    assert b"N=seven" in said
    assert b"/dev/" in said
    assert not debug_pods(server)


def test_a_failed_run_is_resumed_with_a_plan_first(server: ServerProcess, tmp_path: Path) -> None:
    sampan(server, "run", written(tmp_path, "old.json", spec()), "--name", "failed-2")
    new = written(tmp_path, "new.json", spec("true"))
    plan = sampan(server, "runs", "resume", "failed-2", "-f", new, "--dry-run")
    lines = [" ".join(line.split()) for line in plan.stdout.splitlines()]
    assert lines == [
        "give reused",
        "use runs its code changed",
        "last runs it comes after use",
        "1 reused, 2 runs",
    ]
    done = sampan(server, "runs", "resume", "failed-2", "-f", new)
    assert done.returncode == 0, done.stderr
    assert "give  reused" in done.stdout
    # The step may be left out where one has failed; what cannot be is said in a sentence.
    again = sampan(server, "runs", "resume", "failed-2", "--step", "image=alpine:3", "--dry-run")
    assert "its image changed: busybox:1.36 → alpine:3" in again.stdout
    refused = sampan(server, "runs", "resume", "failed-2", "--step", "use.colour=red")
    assert (refused.returncode, "Traceback" in refused.stderr) == (1, False)
    assert "image, cpu, memory and env.NAME can be changed" in refused.stderr


def test_a_stop_ends_every_process_of_a_step_also_those_that_left_its_group(
    server: ServerProcess, tmp_path: Path
) -> None:
    mark = f"{tmp_path.name}-daemon"
    # A daemon: a session of its own, and its parent is gone.
    script = f"(setsid sh -c 'trap \"\" TERM; while :; do sleep 1; : {mark}; done' &) ; sleep 60"
    step = Component("step", shell(script))
    run_id = server.submit(pipeline("daemon", {"step": task("step")}, step), name="daemon")

    def alive() -> list[int]:
        return [
            process.pid
            for process in psutil.process_iter(["cmdline"])
            if process.pid != os.getpid() and any(mark in text for text in process.info["cmdline"] or ())
        ]

    deadline = time.monotonic() + 60
    while not alive():
        assert time.monotonic() < deadline, "the step did not start"
        time.sleep(0.1)
    done = sampan(server, "stop", "daemon")
    assert "daemon: canceled" in done.stdout
    deadline = time.monotonic() + 60
    assert server.call("GET", f"/apis/v2beta1/runs/{run_id}")["state"] == "CANCELED"
    while alive():
        assert time.monotonic() < deadline, "processes are left"
        time.sleep(0.1)
