"""Light steps end as ordinary ones do: the same pipeline with and without the mark, side by side; and their workers."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sampan.components.pipelines.api.light import MARK
from sampan.testing import pipelines as p
from sampan.testing.server import HttpError, ServerProcess

INTEGER, STRING = "NUMBER_INTEGER", "STRING"
CASES = {
    "adds": "def adds() -> int:\n    print('one', flush=True)\n    return 41 + 1\n",
    "raises": "def raises() -> int:\n    raise ValueError('no such thing')\n",
    "exits": "def exits() -> int:\n    import sys\n    sys.exit(7)\n",
    "says": "def says() -> int:\n    import sys\n    sys.exit('not today')\n",
    "dies": "def dies() -> int:\n    import os\n    print('last words')\n    os._exit(9)\n",
    "killed": "def killed() -> int:\n    import os\n    print('last words')\n    os.kill(os.getpid(), 9)\n",
    "forgets": "def forgets() -> str:\n    return 5\n",
    "prints": "def prints() -> int:\n    import os, subprocess\n    print('x' * 40_000)\n"
    "    subprocess.run(['echo', 'a child'])\n    os.write(2, b'raw')\n    return 1\n",
    "threads": "def threads() -> int:\n    import threading, time\n"
    "    threading.Thread(target=lambda: (time.sleep(0.2), print('a thread'))).start()\n    return 1\n",
    "logs": "def logs() -> int:\n    import logging\n    logging.warning('careful')\n    return 1\n",
}

DIRTY = """\
def dirty(n: int) -> int:
    import logging, os, sys
    os.environ["LEFT"] = "1"
    sys.path.insert(0, "/left")
    os.chdir("/")
    os.umask(0)
    sys.stdout = sys.stderr
    logging.getLogger().setLevel(0)
    globals()["LEFT"] = 1
    return os.getpid()
"""
CLEAN = """\
def clean(n: int) -> int:
    import logging, os, sys
    assert "LEFT" not in os.environ and "/left" not in sys.path and os.getcwd() != "/"
    assert os.umask(0o22) == 0o22 and sys.stdout is not sys.stderr and "LEFT" not in globals()
    assert logging.getLogger().level == logging.INFO
    return os.getpid()
"""
STEP = """\
def step(n: int) -> int:
    import time
    time.sleep(0.05)
    with open("{marks}", "a") as file:
        print(n, file=file)
    return n + 1
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path_factory.mktemp("light") / "home") as process:
        yield process


def marked(spec: dict[str, Any]) -> dict[str, Any]:
    for executor in spec["deploymentSpec"]["executors"].values():
        executor["container"]["env"] = [{"name": MARK, "value": "true"}]
    return spec


def python(name: str, source: str, **inputs: str) -> p.Component:
    outputs = {"Output": STRING if "-> str" in source else INTEGER}
    return p.Component(name, p.lightweight(name, source), inputs, outputs)


def workers(server: ServerProcess) -> list[str]:
    found = server.call("GET", "/api/v1/namespaces/default/pods?labelSelector=sampan.dev/light-worker")[
        "items"
    ]
    return [pod["metadata"]["name"] for pod in found]


def gone(server: ServerProcess) -> bool:
    for _ in range(600):
        if not workers(server):
            return True
        time.sleep(0.1)
    return False


def normalised(text: str, run_id: str) -> str:
    text = text.replace(run_id, "RUN").replace(f"/{run_id[:8]}", "/RUN")
    text = re.sub(r"/tmp/\S*?ephemeral_component", "SOURCE/ephemeral_component", text)
    text = re.sub(r'directory "[^"]*"', "directory", text)
    return re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d+", "TIME", text)


def seen(server: ServerProcess, run_id: str) -> dict[str, Any]:
    """All that a user can see of the run's steps."""
    found = {}
    for task in server.tasks(run_id):
        if task.get("type") != "RUNTIME":
            continue
        message = normalised(task.get("status_metadata", {}).get("message", ""), run_id)
        log = server.text(f"/apis/v1alpha1/runs/{run_id}/nodes/{task['name']}/log")
        found[task["name"]] = {
            "state": task["state"],
            "history": [each["state"] for each in task["state_history"]],
            "message": message.partition("; the end of its log:")[0],
            "outputs": task.get("outputs", {}).get("parameters"),
            # Two streams have no order between each other.
            "log": sorted(normalised(log, run_id).splitlines()),
        }
    return found


def test_a_light_step_ends_as_an_ordinary_one(server: ServerProcess) -> None:
    components = [python(name, source) for name, source in CASES.items()]
    spec = p.pipeline("ends", {name: p.task(name) for name in CASES}, *components)
    runs = [server.submit(spec, name="slow"), server.submit(marked(spec), name="light")]
    ends = [server.wait_run(run_id, timeout=120) for run_id in runs]
    assert [end["state"] for end in ends] == ["FAILED", "FAILED"]
    slow, light = (seen(server, run_id) for run_id in runs)
    assert light == slow
    assert {name for name, step in light.items() if step["state"] == "SUCCEEDED"} == {
        "adds", "prints", "threads", "logs",
    }  # fmt: skip
    assert "last words" in "\n".join(light["killed"]["log"])
    # The light ones had no pods of their own, and their workers are gone with the run.
    names = {
        pod["metadata"]["name"] for pod in server.call("GET", "/api/v1/namespaces/default/pods")["items"]
    }
    pods = {pod["name"] for task in server.tasks(runs[1]) for pod in task.get("pods", ())}
    assert pods
    assert not pods & names
    assert gone(server)


def test_a_call_leaves_nothing_behind(server: ServerProcess) -> None:
    dirty = python("dirty", DIRTY, n=INTEGER)
    clean = python("clean", CLEAN, n=INTEGER)
    tasks = {"dirty": p.task("dirty", n=1), "clean": p.task("clean", n=p.output("dirty", "Output"))}
    run_id = server.submit(marked(p.pipeline("leaves", tasks, dirty, clean)))
    assert server.wait_run(run_id, timeout=200)["state"] == "SUCCEEDED"
    pids = [step["outputs"][0]["value"] for step in seen(server, run_id).values()]
    assert len(set(pids)) == 1, "one worker made both calls"


def test_stopping_a_run_ends_a_call_that_does_not_listen(server: ServerProcess) -> None:
    began = server.home / "began"
    source = f"def busy() -> int:\n    open({str(began)!r}, 'w').close()\n    while True:\n        pass\n"
    run_id = server.submit(marked(p.pipeline("busy", {"busy": p.task("busy")}, python("busy", source))))
    for _ in range(600):
        if began.exists():
            break
        time.sleep(0.1)
    server.call("POST", f"/apis/v2beta1/runs/{run_id}:terminate")
    assert server.wait_run(run_id, timeout=200)["state"] == "CANCELED"
    assert gone(server)


def test_a_worker_that_cannot_be_had_fails_its_step_with_its_own_words(server: ServerProcess) -> None:
    container = p.lightweight("adds", CASES["adds"], image="registry.invalid/nobody/knows:1")
    spec = p.pipeline(
        "lost", {"adds": p.task("adds")}, p.Component("adds", container, {}, {"Output": INTEGER})
    )
    run_id = server.submit(marked(spec))
    end = server.wait_run(run_id, timeout=200)
    assert end["state"] == "FAILED"
    assert "registry.invalid/nobody/knows" in end["error"]["message"]
    assert gone(server)


def test_a_run_of_light_steps_goes_on_after_a_crash(server: ServerProcess) -> None:
    marks = server.home / "marks"
    source = STEP.format(marks=str(marks))
    tasks = {
        f"step-{index}": p.task("step", n=p.output(f"step-{index - 1}", "Output") if index else 0)
        for index in range(30)
    }
    run_id = server.submit(marked(p.pipeline("chain", tasks, python("step", source, n=INTEGER))))
    for _ in range(1200):
        if marks.exists() and len(marks.read_text().splitlines()) > 8:
            break
        time.sleep(0.05)
    server.kill()
    server.start()
    assert server.wait_run(run_id, timeout=200)["state"] == "SUCCEEDED"
    done = [int(line) for line in marks.read_text().splitlines()]
    assert sorted(set(done)) == list(range(30))
    assert len(done) <= 31, "only what ran during the crash was called again"
    assert gone(server)
    with pytest.raises(HttpError):
        server.call("GET", f"/api/v1/namespaces/default/pods/{server.tasks(run_id)[1]['pods'][0]['name']}")


PIPELINE = """\
from kfp import dsl
from sampan.sdk import light

@light
@dsl.component(base_image="python:3.11")
def add(a: int, b: int) -> int:
    return a + b

@dsl.component(base_image="python:3.11")
def show(n: int):
    print(n)

@dsl.pipeline
def sums(n: int = 1):
    first = add(a=n, b=2)
    show(n=add(a=first.output, b=3).output)
"""


def test_a_pipeline_file_marks_its_components(server: ServerProcess, tmp_path: Path) -> None:
    file = tmp_path / "sums.py"
    file.write_text(PIPELINE)
    command = [sys.executable, "-m", "sampan", "run", str(file), "--home", str(server.home), "-p", "n=4"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"add-2\s+Output\s+parameter\s+9", " ".join(done.stdout.split())), done.stdout
    run_id = server.call("GET", "/apis/v2beta1/runs?page_size=1&sort_by=created_at%20desc")["runs"][0][
        "run_id"
    ]
    pods = {pod["metadata"]["name"] for pod in server.call("GET", "/api/v1/namespaces/default/pods")["items"]}
    made = {
        task["name"]: task["pods"][0]["name"] in pods for task in server.tasks(run_id) if task.get("pods")
    }
    assert made == {"add": False, "add-2": False, "show": True}
