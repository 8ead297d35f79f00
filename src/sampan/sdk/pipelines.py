"""Runs of pipelines, beyond the official SDK; pipelines themselves are written with kfp as always.

    client = Client()                                  # the server of $SAMPAN_HOME, or Client("http://…")
    run = client.run(my_pipeline, {"n": 3}).wait()     # a @dsl.pipeline function, a file, or a document
    run.resume(my_pipeline).wait()                     # with mended code, from where it failed

`@light` above `@dsl.component` marks a step that needs no pod of its own (docs/light-steps.md).

A client of the REST API: neither the server nor a database is imported here, and kfp and pandas only where they are
needed. Blocking; one client for one thread.
"""

from __future__ import annotations

import base64
import importlib
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import yaml

from sampan.app.home import find_server
from sampan.client.http import JsonClient
from sampan.components.pipelines.api.packages import unpack
from sampan.components.pipelines.api.states import RuntimeState
from sampan.components.pipelines.sdk import Change, DebugPod, Planned, Runs, Task
from sampan.components.pipelines.sdk import Run as RunFacts

if TYPE_CHECKING:
    import pandas


Pipeline = Callable[..., Any] | Mapping[str, Any] | str | Path
"""A function decorated with `@dsl.pipeline` or `@dsl.component`, a compiled file, or a document."""

_POLL_SECONDS = 0.5
_START_SECONDS = 600.0


class Client:
    """One server. Close it, or use it in a `with` block."""

    def __init__(self, url: str = "", *, home: str | Path | None = None, token: str = "") -> None:
        """Without a `url` the running server of `home`, $SAMPAN_HOME or ~/.sampan. Raises RuntimeError without one."""
        self._http = JsonClient(url or _url_of(home), token)
        self.runs = Runs(self._http)
        """The same on the level of REST."""

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def run(
        self,
        pipeline: Pipeline,
        parameters: Mapping[str, Any] | None = None,
        *,
        name: str = "",
        experiment_id: str = "",
        pause_on_failure: bool = False,
    ) -> Run:
        """Starts a run; nothing is written to a file of yours. Raises HttpError, naming what is wrong."""
        spec = document(pipeline)
        title = name or spec["pipeline_spec"].get("pipelineInfo", {}).get("name", "run")
        facts = self.runs.submit(
            spec,
            title,
            parameters=parameters,
            experiment_id=experiment_id,
            pause_on_failure=pause_on_failure,
        )
        return Run(self, facts)

    def get(self, run: str) -> Run:
        """By id, the beginning of an id, or name, of which the newest. Raises LookupError."""
        found = self.runs.find(run)
        if found is None:
            raise LookupError(f"no run is called {run!r}")
        return Run(self, found)

    def newest(self, limit: int = 20) -> list[Run]:
        return [Run(self, facts) for facts in self.runs.newest(limit)]

    def compare(self, runs: Iterable[Run | str]) -> pandas.DataFrame:
        """A row for each run: name, state, seconds, `param.…` and `metric.…`. Needs pandas."""
        rows = [self._run(run).summary() for run in runs]
        table: pandas.DataFrame = _pandas().DataFrame(rows)
        return table.set_index("run_id") if rows else table

    def read(self, path: str) -> Any:
        """What the server answers to GET. Raises HttpError."""
        return self._http.get(path)

    def _run(self, run: Run | str) -> Run:
        return run if isinstance(run, Run) else self.get(run)


class Run:
    """A run as it was when last asked for: `refresh` and `wait` ask again."""

    def __init__(self, client: Client, facts: RunFacts, plan: list[Planned] | None = None) -> None:
        self._client = client
        self._facts = facts
        self.plan = plan or []
        """Of a resumed run: what it reuses, what it runs, and why."""

    def __repr__(self) -> str:
        return f"<Run {self.name!r} {self.id} {self.state}>"

    @property
    def id(self) -> str:
        return self._facts.run_id

    @property
    def name(self) -> str:
        return self._facts.name

    @property
    def state(self) -> RuntimeState:
        return self._facts.state

    @property
    def error(self) -> str:
        return self._facts.error

    @property
    def parameters(self) -> dict[str, Any]:
        return dict(self._facts.raw.get("runtime_config", {}).get("parameters", {}))

    @property
    def resumed_from(self) -> str:
        """The id of the run that this one goes on from, or empty."""
        return str(self._facts.raw.get("resumed_from", ""))

    @property
    def seconds(self) -> float:
        """How long it has taken, or takes so far."""
        end = (
            datetime.fromisoformat(self._facts.finished_at) if self._facts.finished_at else datetime.now(UTC)
        )
        return (end - datetime.fromisoformat(self._facts.created_at)).total_seconds()

    def refresh(self) -> Run:
        self._facts = self._client.runs.get(self.id)
        return self

    def wait(self, timeout_seconds: float | None = None) -> Run:
        """Until the run has ended, however (CANCELED too), or is PAUSED. Raises TimeoutError."""
        deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        while not (self.refresh().state.is_final or self.state is RuntimeState.PAUSED):
            if deadline is not None and time.monotonic() > deadline:
                raise TimeoutError(f"run {self.id} is still {self.state} after {timeout_seconds:.0f} s")
            time.sleep(_POLL_SECONDS)
        return self

    # After a failure

    def retry(self) -> Run:
        """Runs what failed again, in this run; what finished is kept."""
        self._client.runs.retry(self.id)
        return self.refresh()

    def resume(
        self,
        pipeline: Pipeline | None = None,
        parameters: Mapping[str, Any] | None = None,
        *,
        steps: Mapping[str, Mapping[str, Any]] | None = None,
        name: str = "",
    ) -> Run:
        """A new run that goes on from this one, which has ended; its `plan` says what it reuses and why not.

        `pipeline` is the new version, None the same one; `parameters` those that differ; `steps` changes single steps:
        `{"train": {"image": "…", "memory": "8Gi", "cpu": "2", "env": {"A": "b"}}}`.
        """
        facts, plan = self._client.runs.resume(self.id, _change(pipeline, parameters, steps), name=name)
        return Run(self._client, facts, plan)

    def plan_resume(
        self,
        pipeline: Pipeline | None = None,
        parameters: Mapping[str, Any] | None = None,
        *,
        steps: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> list[Planned]:
        """What `resume` would do, task by task. Nothing is started."""
        return self._client.runs.plan_resume(self.id, _change(pipeline, parameters, steps))

    def proceed(
        self, pipeline: Pipeline | None = None, *, steps: Mapping[str, Mapping[str, Any]] | None = None
    ) -> Run:
        """A paused run goes on: its failed steps run again, with their code from `pipeline` or changed by `steps`."""
        self._client.runs.proceed(self.id, _change(pipeline, None, steps))
        return self.refresh()

    def stop(self) -> Run:
        """Ends its steps and lets exit handlers run. A second time ends those too."""
        self._client.runs.terminate(self.id)
        return self.refresh()

    def debug(self, step: str, *, attempt: int = 0, new: bool = False) -> DebugPod:
        """A pod like the step's, started; `.kubectl()` is the command that enters it. Give it to `end_debug`.

        The step's own pod while that runs, unless `new`. Raises RuntimeError for one that cannot start.
        """
        runs = self._client.runs
        pod = runs.open_debug(self.id, step, attempt=attempt, new=new)
        deadline = time.monotonic() + _START_SECONDS
        while (found := runs.debug_state(pod))[0] == "WAITING" and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS / 2)
        if found[0] != "RUNNING":
            runs.close_debug(pod)
            raise RuntimeError(f"the pod for {pod.task} did not start: {found[1] or 'it takes too long'}")
        return pod

    def end_debug(self, pod: DebugPod) -> None:
        self._client.runs.close_debug(pod)

    # What it did

    def tasks(self) -> list[Task]:
        return self._client.runs.tasks(self.id)

    def logs(self, step: str, *, attempt: int = 0, follow: bool = False) -> Iterator[str]:
        """Lines of a step's log, by its name or path; of its last attempt unless one is named."""
        query = {"attempt": attempt} if attempt else None
        return self._client.runs.log(self.id, step, follow=follow, query=query)

    def outputs(self) -> dict[str, Any]:
        """Output parameters of all steps, as `step.name`; of steps in loops with their paths."""
        return {
            f"{_place(task)}.{entry.get('parameter_key', '')}": entry.get("value")
            for task in self.tasks()
            if task.is_step
            for entry in task.raw.get("outputs", {}).get("parameters", ())
        }

    def metrics(self) -> dict[str, float]:
        """Numbers of all steps' Metrics by name; where two steps have the same, as `step.name`."""
        found = [
            (_place(task), str(item.get("name", "")), float(item["number_value"]))
            for task, _, item in self._recorded()
            if "number_value" in item
        ]
        names = [name for _, name, _ in found]
        return {f"{place}.{name}" if names.count(name) > 1 else name: value for place, name, value in found}

    def artifacts(self, step: str = "") -> list[Artifact]:
        """Output artifacts, of all steps or of those called so."""
        return [
            Artifact(self._client, self.id, task.task_id, _place(task), key, item)
            for task, key, item in self._recorded()
            if "number_value" not in item and step in ("", task.name, _place(task))
        ]

    def artifact(self, step: str, name: str) -> Artifact:
        """The one output `name` of the one step. Raises LookupError."""
        found = [each for each in self.artifacts(step) if each.name == name]
        if len(found) != 1:
            known = ", ".join(f"{each.step}.{each.name}" for each in self.artifacts()) or "none"
            raise LookupError(f"{len(found)} artifacts are called {step}.{name}; there are: {known}")
        return found[0]

    def summary(self) -> dict[str, Any]:
        """One row of `Client.compare`."""
        return {
            "run_id": self.id,
            "name": self.name,
            "state": self.state.value,
            "seconds": self.seconds,
            **{f"param.{name}": value for name, value in self.parameters.items()},
            **{f"metric.{name}": value for name, value in self.metrics().items()},
        }

    def _recorded(self) -> Iterator[tuple[Task, str, Mapping[str, Any]]]:
        for task in self.tasks():
            if task.is_step:
                for entry in task.raw.get("outputs", {}).get("artifacts", ()):
                    for item in entry.get("artifacts", ()):
                        yield task, str(entry.get("artifact_key", "")), item


@dataclass(frozen=True, slots=True)
class Artifact:
    """An output artifact of a step."""

    _client: Client
    run_id: str
    task_id: str
    step: str
    name: str
    raw: Mapping[str, Any]

    @property
    def type(self) -> str:
        return str(self.raw.get("type", "Artifact"))

    @property
    def uri(self) -> str:
        return str(self.raw.get("uri", ""))

    @property
    def metadata(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.raw.get("metadata", {})
        return found

    def path(self) -> Path:
        """The file or folder on this machine: where it lies, or for a file of another machine a copy of it."""
        if self.uri.startswith("/") and Path(self.uri).exists():
            return Path(self.uri)
        folder = Path(tempfile.gettempdir()) / f"sampan-artifacts-{os.getuid()}" / self.run_id / self.task_id
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        copy = folder / (Path(self.uri).name or self.name)
        copy.write_bytes(self.read())
        return copy

    def read(self) -> bytes:
        """The file's content. Raises HttpError; a folder cannot be read from another machine."""
        local = Path(self.uri)
        if self.uri.startswith("/") and local.is_file():
            return local.read_bytes()
        place = f"/apis/v2beta1/runs/{self.run_id}/nodes/{self.task_id}/artifacts/{quote(self.name, safe='')}:read"
        return base64.b64decode(self._client.read(place).get("data", ""))

    def dataframe(self, **options: Any) -> pandas.DataFrame:
        """As a table: Parquet, JSON (records or lines) or CSV, by its content. `options` go to pandas' reader."""
        reader = _pandas()
        path = self.path()
        with path.open("rb") as file:
            head = file.read(4096)
        table: Any
        if head.startswith(b"PAR1"):
            table = reader.read_parquet(path, **options)
        elif head.lstrip()[:1] in (b"{", b"["):
            lines = head.lstrip().startswith(b"{") and b"}\n{" in head.replace(b"\r", b"")
            table = reader.read_json(path, **({"lines": True} if lines else {}), **options)
        else:
            first = head.splitlines()[0] if head.splitlines() else b""
            separator = "\t" if first.count(b"\t") > first.count(b",") else ","
            table = reader.read_csv(path, **{"sep": separator, **options})
        found: pandas.DataFrame = table
        return found


def document(pipeline: Pipeline) -> dict[str, Any]:
    """`{"pipeline_spec": …, "platform_spec": …}` of whatever a pipeline is given as. Needs kfp for a function."""
    if isinstance(pipeline, Mapping):
        return dict(pipeline) if "pipeline_spec" in pipeline else {"pipeline_spec": dict(pipeline)}
    if isinstance(pipeline, str | Path):
        return _parsed(unpack(Path(pipeline).expanduser().read_bytes()).decode())
    try:
        compiler = importlib.import_module("kfp.compiler")
    except ImportError as error:
        raise ImportError("a pipeline function needs the package kfp: pip install kfp") from error
    with tempfile.TemporaryDirectory(prefix="sampan-") as folder:
        file = Path(folder) / "pipeline.yaml"
        compiler.Compiler().compile(pipeline, str(file))
        return _parsed(file.read_text(encoding="utf-8"))


def _parsed(text: str) -> dict[str, Any]:
    documents = [json.loads(text)] if text.lstrip().startswith("{") else list(yaml.safe_load_all(text))
    documents = [each for each in documents if each]
    if len(documents) == 1 and "pipeline_spec" in documents[0]:
        return dict(documents[0])
    spec: dict[str, Any] = next((each for each in documents if "platforms" not in each), {})
    platform = next((each for each in documents if "platforms" in each), None)
    return {"pipeline_spec": spec} | ({"platform_spec": platform} if platform else {})


def _change(
    pipeline: Pipeline | None,
    parameters: Mapping[str, Any] | None,
    steps: Mapping[str, Mapping[str, Any]] | None,
) -> Change:
    return Change(
        document(pipeline) if pipeline is not None else None, dict(parameters or {}), dict(steps or {})
    )


def _place(task: Task) -> str:
    """`train`, or within groups and loops `for-loop-1/2/train`."""
    return task.path.removeprefix("root.").replace(".", "/") or task.name


def _url_of(home: str | Path | None) -> str:
    folder = Path(home or os.environ.get("SAMPAN_HOME") or Path.home() / ".sampan").expanduser().absolute()
    info = find_server(folder)
    if info is None:
        raise RuntimeError(f"no server is running with the home {folder}: start one with `sampan up`")
    return info.url


def _pandas() -> Any:
    try:
        return importlib.import_module("pandas")
    except ImportError as error:
        raise ImportError("tables need the package pandas: pip install pandas") from error
