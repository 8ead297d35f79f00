"""The fast path cannot be told from the slow one: the same components on a warm and on a cold server, side by side.

The warm server forks steps from a warm interpreter and answers `pip install` from its cache; the cold one runs the
component's own shell command as it stands, with real pip. Compared are states, exit codes, reasons, every line of both
streams, parameters, and artifacts with their metadata and content. What must remain different is listed once, in
docs/decisions/0005-warm-interpreters.md, and is left out by `normalised`, `_without_pip` and two tests of their own.
"""

from __future__ import annotations

import importlib.util
import inspect
import itertools
import re
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from sampan.testing.pipelines import Component, lightweight, pipeline, task
from sampan.testing.server import ServerProcess


def _components() -> ModuleType:
    # Beside this file, which is imported by path.
    spec = importlib.util.spec_from_file_location(
        "differential_components", Path(__file__).with_name("differential_components.py")
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


components = _components()
Case = Any


@dataclass(frozen=True)
class Seen:
    """All that a user can see of one step."""

    state: str
    phase: str
    message: list[str]
    ended: dict[str, Any]
    stdout: list[str]
    stderr: list[str]
    parameters: dict[str, Any]
    artifacts: dict[str, Any]
    files: dict[str, tuple[str, bytes]]


class Server:
    """One of the two."""

    def __init__(self, process: ServerProcess) -> None:
        self.process = process

    def start(self, cases: list[Case]) -> str:
        built = [_component(case) for case in cases]
        tasks = {case.name: task(case.name, **case.inputs) for case in cases}
        return self.process.submit(pipeline("differential", tasks, *built), name="differential")

    def seen(self, run_id: str) -> dict[str, Seen]:
        self.process.wait_run(run_id, timeout=600, poll_seconds=0.2)
        return {found["name"]: self._seen(found) for found in self.process.tasks(run_id) if found.get("pods")}

    def pods(self, run_id: str) -> dict[str, dict[str, Any]]:
        return {each["name"]: self.pod(each) for each in self.process.tasks(run_id) if each.get("pods")}

    def log(self, pod: dict[str, Any]) -> dict[str, bytes]:
        """What each stream got."""
        streams = {"stdout": b"", "stderr": b""}
        folder = self.process.home / "logs" / "default" / pod["metadata"]["uid"]
        for file in sorted(folder.glob("*.log")):
            for record in file.read_bytes().split(b"\n")[:-1]:
                _, stream, tag, text = record.split(b" ", 3)
                streams[stream.decode()] += text + (b"\n" if tag == b"F" else b"")
        return streams

    def pod(self, task: dict[str, Any]) -> dict[str, Any]:
        name = task["pods"][0]["name"]
        found: dict[str, Any] = self.process.call("GET", f"/api/v1/namespaces/default/pods/{name}")
        return found

    def _seen(self, found: dict[str, Any]) -> Seen:
        pod = self.pod(found)
        status = pod["status"]["containerStatuses"][0]
        ended = {k: v for k, v in status["state"].get("terminated", {}).items() if not k.endswith("At")}
        del ended["containerID"]
        log = self.log(pod)
        outputs = found.get("outputs", {})
        artifacts, files = {}, {}
        for output in outputs.get("artifacts", []):
            for artifact in output["artifacts"]:
                path = Path(artifact["uri"].removeprefix("file://")) if artifact.get("uri") else None
                artifacts[output["artifact_key"]] = self._plain(
                    found, pod, {**artifact, "run_id": "", "task_id": ""}
                )
                files.update(_content(path) if path else {})
        return Seen(
            state=found["state"],
            phase=pod["status"]["phase"],
            # Its first line: the end of the log follows.
            message=self._lines(found, pod, _message(found).encode())[:1],
            ended=ended | {"restarts": status["restartCount"]},
            stdout=self._lines(found, pod, log["stdout"]),
            stderr=_without_pip(self._lines(found, pod, log["stderr"])),
            parameters={each["parameter_key"]: each["value"] for each in outputs.get("parameters", [])},
            artifacts=artifacts,
            files=files,
        )

    def _lines(self, found: dict[str, Any], pod: dict[str, Any], text: bytes) -> list[str]:
        return str(self._plain(found, pod, text.decode(errors="backslashreplace"))).splitlines(keepends=True)

    def _plain(self, found: dict[str, Any], pod: dict[str, Any], value: Any) -> Any:
        """Without what belongs to this server, run and pod."""
        if isinstance(value, dict):
            return {key: self._plain(found, pod, each) for key, each in value.items() if key not in _PER_RUN}
        if isinstance(value, list):
            return [self._plain(found, pod, each) for each in value]
        if not isinstance(value, str):
            return value
        own = {
            str(self.process.home): "HOME",
            found["run_id"]: "RUN",
            found["task_id"]: "TASK",
            pod["metadata"]["uid"]: "UID",
            pod["metadata"]["name"]: "POD",
        }
        for text, name in own.items():
            value = value.replace(text, name)
        return normalised(value)


_PER_RUN = ("artifact_id", "created_at", "create_time", "last_update_time")
_VARYING = (
    (r"0x[0-9a-f]{6,}", "ADDRESS"),
    (r"(KUBERNETES_SERVICE_PORT(?:_HTTPS)?\W+)\d+", r"\1PORT"),
    (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}", "TIME"),
    (r"tmp\.\w{10}", "TMP"),
    (r"/tmp/tmp\w{8}", "/tmp/TEMPORARY"),
    # The environment of the image, or of the image with the installs.
    (r"/envs/[0-9a-f]{32}", "/envs/ENVIRONMENT"),
    # Two frames lie below a forked program: seen where a stack is printed to its end, and in what is left of the limit.
    (r'  File "[^"]*/runtimes/launcher/\w+\.py", line \d+,? in \S+\n(?:    (?:program|runpy)\..*\n)?', ""),
    (r"Previous line repeated \d+ more times", "Previous line repeated"),
)


def normalised(text: str) -> str:
    """Without what differs from one process to the next, and what decision 5 lists."""
    for pattern, name in _VARYING:
        text = re.sub(pattern, name, text)
    return text


def _message(found: dict[str, Any]) -> str:
    return str(found.get("status_metadata", {}).get("message", ""))


def _without_pip(lines: list[str]) -> list[str]:
    """pip's warnings about the machine's configuration, before the component starts: the fast path has no pip."""
    return list(itertools.dropwhile(lambda line: line.startswith("WARNING: "), lines))


def _component(case: Case) -> Component:
    container = lightweight(case.function.__name__, inspect.getsource(case.function), case.packages)
    if case.env:
        container["env"] = [{"name": name, "value": value} for name, value in case.env.items()]
    if case.resources:
        container["resources"] = dict(case.resources)
    kinds = {int: "NUMBER_INTEGER", str: "STRING"}
    inputs = {name: kinds[type(value)] for name, value in case.inputs.items()}
    return Component(case.name, container, inputs, case.outputs, artifact_outputs=case.artifacts)


def _content(path: Path) -> dict[str, tuple[str, bytes]]:
    files = [path] if path.is_file() else sorted(each for each in path.rglob("*") if each.is_file())
    return {
        str(each.relative_to(path.parent)): (oct(each.stat().st_mode), each.read_bytes()) for each in files
    }


Pair = tuple[Server, Server]
Results = tuple[dict[str, Seen], dict[str, Seen]]


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    # Names of one length: paths stand in what is compared.
    folder = tmp_path_factory.mktemp("differential")
    with (
        ServerProcess(folder / "warm") as warm,
        ServerProcess(folder / "cold", environ={"SAMPAN_NODE_WARM": "false"}) as cold,
    ):
        yield Server(warm), Server(cold)


def _both(servers: Pair, cases: list[Case]) -> Results:
    warm, cold = servers
    runs = [server.start(cases) for server in servers]
    return warm.seen(runs[0]), cold.seen(runs[1])


@pytest.fixture(scope="module")
def core(servers: Pair) -> Results:
    return _both(servers, components.CORE)


@pytest.fixture(scope="module")
def rest(servers: Pair) -> Results:
    return _both(servers, components.REST)


def _names(cases: list[Case], *without: str) -> list[str]:
    return [case.name for case in cases if case.name not in without]


@pytest.mark.parametrize("name", _names(components.CORE, "loaded_modules"))
def test_no_difference(core: Results, name: str) -> None:
    warm, cold = core
    assert warm[name] == cold[name]


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", _names(components.REST, "random_numbers", "random_numbers_again"))
def test_no_difference_in_the_rest(rest: Results, name: str) -> None:
    warm, cold = rest
    assert warm[name] == cold[name]


def test_what_the_comparison_stands_on(core: Results) -> None:
    _, cold = core
    assert cold["artifacts"].state == "SUCCEEDED"
    assert cold["artifacts"].parameters["words"] == ["word", "ü"]
    assert cold["artifacts"].artifacts["metrics"]["metadata"] == {"accuracy": 0.75, "loss": 1e-9}
    assert cold["artifacts"].files["model/weights.bin"][1] == bytes(range(256))
    assert cold["killed"].ended == {"exitCode": 137, "signal": 9, "reason": "Error", "restarts": 0}
    assert cold["killed"].stderr == ["Killed\n"]
    assert cold["raises"].stderr[-1] == "ValueError: the cause is above\n"
    assert sum(map(len, cold["large_output"].stdout)) > 5_000_000


def test_a_forked_program_finds_more_of_the_standard_library_loaded(core: Results) -> None:
    warm, cold = (set(_line(seen["loaded_modules"], "MODULES").split()) for seen in core)
    assert cold <= warm
    assert {name.partition(".")[0] for name in warm - cold} <= sys.stdlib_module_names


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_no_two_steps_draw_the_same_numbers(rest: Results) -> None:
    drawn = [
        _line(seen[name], "RANDOM").split()
        for seen in rest
        for name in ("random_numbers", "random_numbers_again")
    ]
    assert all(len(set(kind)) == len(drawn) for kind in zip(*drawn, strict=True))


def test_a_run_that_is_stopped_leaves_programs_their_time(servers: Pair) -> None:
    runs = [server.start(components.STOPPED) for server in servers]
    pods = [
        _until(lambda server=server, run=run: _waiting(server, run))
        for server, run in zip(servers, runs, strict=True)
    ]
    for server, run in zip(servers, runs, strict=True):
        server.process.call("POST", f"/apis/v2beta1/runs/{run}:terminate")
    found = []
    for server, run, each in zip(servers, runs, pods, strict=True):
        assert server.process.wait_run(run)["state"] == "CANCELED"
        logs = {name: server.log(pod)["stdout"].partition(b"waiting\n")[2] for name, pod in each.items()}
        found.append((logs, {task["name"]: task["state"] for task in server.process.tasks(run)}))
    assert found[0] == found[1]
    assert found[0][0] == {
        "terminated": b"asked to end 15\nended in good order\n",
        "terminated_unprepared": b"",
    }


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_package_that_does_not_exist_fails_either_way(servers: Pair, rest: Results) -> None:
    for server in servers:
        run = server.start(components.MISSING)
        assert server.process.wait_run(run)["state"] == "FAILED"
        tasks = {task["name"]: task for task in server.process.tasks(run)}
        assert {name: task["state"] for name, task in tasks.items()} == {
            "root": "FAILED",
            "exit_three": "FAILED",
            "threads": "FAILED",
            "not_installed_by_another": "SUCCEEDED",
        }
        assert "no-such-package-of-sampan" in _message(tasks["exit_three"])
        assert "tabulate==99.0" in _message(tasks["threads"])
        other = server.log(server.pod(tasks["not_installed_by_another"]))["stdout"]
        assert b"\nNone False\n" in other


def _line(seen: Seen, start: str) -> str:
    return next(line for line in seen.stdout if line.startswith(start + " ")).removeprefix(start)


def _waiting(server: Server, run: str) -> dict[str, dict[str, Any]]:
    """The pods of the run, once every program waits."""
    pods = server.pods(run)
    ready = len(pods) == len(components.STOPPED) and all(
        b"waiting\n" in server.log(pod)["stdout"] for pod in pods.values()
    )
    return pods if ready else {}


def _until(look: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    deadline = time.monotonic() + 60
    while not (found := look()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return found
