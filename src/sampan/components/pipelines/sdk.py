"""Runs from Python and from our own command line: a small synchronous client of the REST API.

Beyond what the official SDK offers: all tasks of a run with their states, logs of any step, live. It imports
neither the server nor a database, and the transport is handed in.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import quote

from sampan.components.pipelines.api.states import RuntimeState, TaskType
from sampan.components.pipelines.api.wire import EPOCH

_API = "/apis/v2beta1"
_PAGE = 200

# What the engine makes of a pipeline's structure; the rest are steps, which have logs.
_STRUCTURE = frozenset(
    {
        TaskType.ROOT,
        TaskType.DAG,
        TaskType.LOOP,
        TaskType.LOOP_ITERATION,
        TaskType.CONDITION,
        TaskType.CONDITION_BRANCH,
        TaskType.EXIT_HANDLER,
    }
)


Query = Mapping[str, str | int]


class Transport(Protocol):
    """`sampan.client.http.JsonClient`. Every method raises its HttpError, whose message is for people."""

    def get(self, path: str, query: Query | None = None) -> Any: ...
    def post(self, path: str, body: Any = None) -> Any: ...
    def delete(self, path: str, query: Query | None = None) -> Any: ...
    def stream_lines(self, path: str, query: Query | None = None) -> Iterator[str]: ...


@dataclass(frozen=True, slots=True)
class Task:
    """One task of a run, as it was when asked for. Times are RFC 3339, empty while they have not come."""

    task_id: str
    name: str
    path: str
    """From the root, as `root.for-loop-1.train`."""
    type: TaskType
    state: RuntimeState
    created_at: str
    started_at: str
    finished_at: str
    error: str
    pods: tuple[str, ...]
    iteration: int | None
    parent_task_id: str
    raw: Mapping[str, Any] = field(repr=False)
    """The whole message, with inputs, outputs and artifacts."""

    @property
    def is_step(self) -> bool:
        return self.type not in _STRUCTURE


@dataclass(frozen=True, slots=True)
class LogMatch:
    """One line that a search found."""

    run_id: str
    run_name: str
    task_id: str
    step: str
    path: str
    attempt: int
    line_number: int
    time: str
    text: str


@dataclass(frozen=True, slots=True)
class Run:
    """One run, as it was when asked for."""

    run_id: str
    name: str
    state: RuntimeState
    created_at: str
    finished_at: str
    error: str
    experiment_id: str
    raw: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Change:
    """What differs when a run goes on: the whole pipeline, some parameters, something of single steps."""

    spec: Mapping[str, Any] | None = None
    """The new version, as `Runs.submit` takes it; None for the run's own."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    steps: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """By a step's name or path: `image`, `cpu`, `memory`, `env`."""
    pause_on_failure: bool = False

    def to_json(self) -> dict[str, Any]:
        body: dict[str, Any] = {"steps": dict(self.steps), "pause_on_failure": self.pause_on_failure}
        if self.spec is not None:
            body["pipeline_spec"] = self.spec
        if self.parameters:
            body["runtime_config"] = {"parameters": dict(self.parameters)}
        return body


@dataclass(frozen=True, slots=True)
class Planned:
    """What becomes of one task of a resumed run."""

    task: str
    """Its path: `for-loop-1/2/train`."""
    name: str
    """The same for people: `for-loop-1[2] / train`."""
    action: str
    """REUSED, RUNS, SKIPPED or UNDECIDED."""
    reason: str


@dataclass(frozen=True, slots=True)
class DebugPod:
    """A pod in which to look around where a step ran."""

    run_id: str
    task: str
    """The step's path: `for-loop-1/2/train`."""
    pod: str
    namespace: str
    container: str
    is_new: bool
    """False for the step's own pod, which runs."""

    def kubectl(self, command: Sequence[str] = ("sh",)) -> list[str]:
        """The command that enters it."""
        place = ["-n", self.namespace, self.pod, "-c", self.container]
        return ["kubectl", "exec", "-it", *place, "--", *command]


class Runs:
    """What can be done with runs, on one server."""

    def __init__(self, transport: Transport) -> None:
        self._http = transport

    def submit(
        self,
        spec: Mapping[str, Any],
        name: str,
        *,
        parameters: Mapping[str, Any] | None = None,
        experiment_id: str = "",
        pipeline_root: str = "",
        pause_on_failure: bool = False,
    ) -> Run:
        """Starts `spec`, the IR alone or with its platform specification (`{pipeline_spec, platform_spec}`)."""
        config: dict[str, Any] = {"parameters": dict(parameters or {})}
        if pipeline_root:
            config["pipeline_root"] = pipeline_root
        body = {"display_name": name, "pipeline_spec": spec, "runtime_config": config}
        if experiment_id:
            body["experiment_id"] = experiment_id
        query = "?pause_on_failure=true" if pause_on_failure else ""
        return _run(self._http.post(f"{_API}/runs{query}", body))

    def get(self, run_id: str) -> Run:
        return _run(self._http.get(f"{_API}/runs/{_quoted(run_id)}"))

    def newest(self, limit: int = 20) -> list[Run]:
        """The newest runs."""
        query: Query = {"page_size": min(limit, _PAGE), "sort_by": "created_at desc"}
        return [_run(raw) for raw in self._pages(f"{_API}/runs", "runs", query, limit)]

    def find(self, text: str) -> Run | None:
        """The run whose id `text` is or begins, or the newest one of that name."""
        if len(text) < 4:
            return None
        for run in self.newest(_PAGE):
            if run.run_id.startswith(text) or run.name == text:
                return run
        return None

    def tasks(self, run_id: str) -> list[Task]:
        """All of the run's tasks, oldest first."""
        query: Query = {"page_size": _PAGE, "order_by": "create_time"}
        return [_task(raw) for raw in self._pages(f"{_API}/runs/{_quoted(run_id)}/tasks", "tasks", query)]

    def wait(self, run_id: str, *, timeout_seconds: float | None = None, poll_seconds: float = 0.5) -> Run:
        """The run once it has ended, whatever the end. Raises TimeoutError."""
        deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        while not (run := self.get(run_id)).state.is_final:
            if deadline is not None and time.monotonic() > deadline:
                raise TimeoutError(f"run {run_id} is still {run.state} after {timeout_seconds:.0f} s")
            time.sleep(poll_seconds)
        return run

    def log(
        self, run_id: str, step: str, *, follow: bool = False, query: Query | None = None
    ) -> Iterator[str]:
        """Lines of a step's log. `step` is a task's id, name or path, or one of its pods.

        `query` is for the rest: `attempt`, `timestamps`, `tail_lines`, `since_seconds`, `since_time`.
        """
        path = f"/apis/v1alpha1/runs/{_quoted(run_id)}/nodes/{_quoted(step)}/log"
        asked = {**(query or {}), **({"follow": "true"} if follow else {})}
        return self._http.stream_lines(path, asked or None)

    def pipeline_id(self, name: str) -> str:
        """The id of the pipeline that is called so; empty where none is."""
        predicates = [{"operation": "EQUALS", "key": "name", "string_value": name}]
        query: Query = {"filter": json.dumps({"predicates": predicates}), "page_size": 1}
        found = self._http.get(f"{_API}/pipelines", query).get("pipelines", [])
        return str(found[0]["pipeline_id"]) if found else ""

    def search_logs(self, text: str, query: Query | None = None) -> Iterator[LogMatch]:
        """Lines that hold `text`, of all runs, the newest run first, as they are found.

        `query` narrows it: `regex`, `ignore_case`, `run_id`, `experiment_id`, `pipeline_id`, `step`, `since_seconds`.
        """
        asked: dict[str, str | int] = {"text": text, **(query or {})}
        while True:
            page = self._http.get(f"{_API}/logs:search", asked)
            for found in page.get("matches", []):
                yield LogMatch(**found)
            if not page.get("next_page_token"):
                return
            asked["page_token"] = page["next_page_token"]

    def terminate(self, run_id: str) -> None:
        self._http.post(f"{_API}/runs/{_quoted(run_id)}:terminate")

    def retry(self, run_id: str) -> None:
        self._http.post(f"{_API}/runs/{_quoted(run_id)}:retry")

    def resume(self, run_id: str, change: Change = Change(), *, name: str = "") -> tuple[Run, list[Planned]]:
        """Goes on from a run that has ended, as a new run; which tasks it reuses and which run, and why."""
        path = f"{_API}/runs/{_quoted(run_id)}:resume"
        answer = self._http.post(path, change.to_json() | {"display_name": name})
        return _run(answer["run"]), _plan(answer)

    def proceed(self, run_id: str, change: Change = Change()) -> None:
        """Lets a paused run go on: its failed steps run again, with what is changed in them."""
        body = {key: value for key, value in change.to_json().items() if key in ("pipeline_spec", "steps")}
        self._http.post(f"{_API}/runs/{_quoted(run_id)}:continue", body)

    def open_debug(self, run_id: str, step: str, *, attempt: int = 0, new: bool = False) -> DebugPod:
        """A pod in which to look around where the step ran; it may not have started yet.

        The step's own while it runs, unless `new`. `step` is a task's id, name or path.
        """
        path = f"{_API}/runs/{_quoted(run_id)}/nodes/{_quoted(step)}:debug"
        answer = self._http.post(path, {"attempt": attempt, "new": new})
        return DebugPod(
            run_id,
            answer["task"],
            answer["pod"],
            answer["namespace"],
            answer["container"],
            is_new=bool(answer.get("new")),
        )

    def debug_state(self, pod: DebugPod) -> tuple[str, str]:
        """WAITING, RUNNING or ENDED, and why."""
        if not pod.is_new:
            return "RUNNING", ""
        found = self._http.get(f"{_API}/runs/{_quoted(pod.run_id)}/debug/{_quoted(pod.pod)}")
        return found["state"], found.get("message", "")

    def close_debug(self, pod: DebugPod) -> None:
        """Removes the pod, if it was made for this, and what was tried out in it."""
        if pod.is_new:
            self._http.delete(f"{_API}/runs/{_quoted(pod.run_id)}/debug/{_quoted(pod.pod)}")

    def plan_resume(self, run_id: str, change: Change = Change()) -> list[Planned]:
        """What `resume` would do."""
        path = f"{_API}/runs/{_quoted(run_id)}:resume"
        return _plan(self._http.post(path, change.to_json() | {"dry_run": True}))

    def specification(self, run: Run) -> Mapping[str, Any]:
        """What the run executes, as `submit` takes it."""
        spec: Mapping[str, Any]
        if "pipeline_spec" in run.raw:
            spec = run.raw["pipeline_spec"]
            return spec
        reference = run.raw["pipeline_version_reference"]
        pipeline, version = reference["pipeline_id"], reference["pipeline_version_id"]
        found = self._http.get(f"{_API}/pipelines/{_quoted(pipeline)}/versions/{_quoted(version)}")
        spec = found["pipeline_spec"]
        return spec

    def delete(self, run_id: str) -> None:
        self._http.delete(f"{_API}/runs/{_quoted(run_id)}")

    def _pages(
        self, path: str, name: str, query: Query, limit: int | None = None
    ) -> Iterator[dict[str, Any]]:
        token, count = "", 0
        while True:
            page = self._http.get(path, {**query, "page_token": token} if token else query)
            for item in page.get(name, []):
                if limit is not None and count >= limit:
                    return
                count += 1
                yield item
            token = page.get("next_page_token", "")
            if not token:
                return


def _run(raw: Mapping[str, Any]) -> Run:
    return Run(
        run_id=raw["run_id"],
        name=raw.get("display_name", ""),
        state=RuntimeState(raw.get("state", "PENDING")),
        created_at=raw.get("created_at", ""),
        finished_at=_time(raw.get("finished_at", "")),
        error=raw.get("error", {}).get("message", ""),
        experiment_id=raw.get("experiment_id", ""),
        raw=raw,
    )


def _plan(answer: Mapping[str, Any]) -> list[Planned]:
    return [
        Planned(each["task"], each["display_name"], each["action"], each.get("reason", ""))
        for each in answer.get("plan", ())
    ]


def _task(raw: Mapping[str, Any]) -> Task:
    iteration = raw.get("type_attributes", {}).get("iteration_index")
    return Task(
        task_id=raw["task_id"],
        name=raw.get("display_name", "") or raw.get("name", ""),
        path=raw.get("scope_path", ""),
        type=TaskType(raw.get("type", "RUNTIME")),
        state=RuntimeState(raw.get("state", "PENDING")),
        created_at=raw.get("create_time", ""),
        started_at=_time(raw.get("start_time", "")),
        finished_at=_time(raw.get("end_time", "")),
        error=raw.get("status_metadata", {}).get("message", ""),
        pods=tuple(pod["name"] for pod in raw.get("pods", [])),
        iteration=None if iteration is None else int(iteration),
        parent_task_id=raw.get("parent_task_id", ""),
        raw=raw,
    )


def _time(text: str) -> str:
    return "" if text == EPOCH else text


def _quoted(part: str) -> str:
    return quote(part, safe="")
