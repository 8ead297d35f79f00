"""Many steps, many runs, many rows: what `run.py` calls beside its smaller ones."""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from harness import memory_mib, run, server, table

from sampan.components.pipelines.api.light import MARK
from sampan.components.pipelines.api.states import ArtifactType, IOType
from sampan.components.pipelines.store import tables
from sampan.store.database import Database
from sampan.testing import pipelines
from sampan.testing.server import ServerProcess

_FINAL = ("SUCCEEDED", "FAILED", "CANCELED")


def step_overhead() -> None:
    """From the end of one step to the end of the next, in a chain whose steps do nothing."""
    with server() as it:
        run(it, pipelines.chain(20), name="warm-up")
        figures = _between_ends(it, pipelines.chain(200))
        light = _between_ends(it, marked(pipelines.chain(200)))
    table(
        "step overhead, a chain of 200",
        [
            ("p50", f"{figures[0]:.1f} ms", "at most 30 ms"),
            ("p99", f"{figures[1]:.1f} ms", "at most 100 ms"),
            ("light steps, p50", f"{light[0]:.1f} ms", "at most 5 ms"),
            ("light steps, p99", f"{light[1]:.1f} ms", ""),
        ],
    )


def light() -> None:
    with server() as it:
        run(it, pipelines.chain(20), name="warm-up")
        run(it, marked(pipelines.chain(20)), name="warm-up")
        ordinary = run(it, pipelines.fan_out(200, parallelism=20), patient=True) / 200
        chain = run(it, marked(pipelines.chain(500)), patient=True) / 500
        fan = run(it, marked(pipelines.fan_out(2000, parallelism=20)), patient=True) / 2000
    table(
        "light steps, ms a step",
        [
            ("a chain of 500", f"{chain * 1000:.2f} ms", "at most 5 ms"),
            ("a fan-out of 2,000", f"{fan * 1000:.2f} ms", f"an ordinary one {ordinary * 1000:.1f} ms"),
        ],
    )


def empty_runs() -> None:
    """From the request to SUCCEEDED, runs whose only task is skipped by its condition; four clients."""
    count = 400
    with server() as it:
        spec = empty()
        run(it, spec, name="warm-up")
        started = time.perf_counter()
        with ThreadPoolExecutor(4) as clients:
            ids = list(clients.map(lambda number: it.submit(spec, name=f"empty-{number}"), range(count)))
            ended = list(clients.map(lambda run_id: it.wait_run(run_id, poll_seconds=0.05), ids))
        seconds = time.perf_counter() - started
        assert all(each["state"] == "SUCCEEDED" for each in ended)
    table("empty runs", [("create to SUCCEEDED", f"{count / seconds:.0f} a second", "at least 20")])


def dag10k() -> None:
    """10,000 tasks: in a loop, and all in one DAG. Light steps, since it is the engine's work that is measured."""
    with server() as it:
        run(it, marked(pipelines.chain(20)), name="warm-up")
        loop = run(it, marked(pipelines.fan_out(10_000)), patient=True)
        shown = _seconds(lambda: it.call("GET", "/apis/v2beta1/runs"))
        wide = run(it, marked(wide_dag(100, 100)), patient=True)
        memory = memory_mib(it)
        run_id = it.call("GET", "/apis/v2beta1/runs?page_size=1&sort_by=created_at desc".replace(" ", "%20"))[
            "runs"
        ][0]["run_id"]
        one = _seconds(lambda: it.call("GET", f"/apis/v2beta1/runs/{run_id}"))
        page = _seconds(lambda: it.call("GET", f"/apis/v2beta1/runs/{run_id}/tasks?page_size=200"))
    table(
        "10,000 tasks",
        [
            ("a loop of 10,000 iterations", f"{loop:.0f} s", "at most 300 s"),
            ("a DAG of 100 chains of 100", f"{wide:.0f} s", "at most 300 s"),
            ("GET of the run with its tasks", f"{one * 1000:.0f} ms", ""),
            ("a page of 200 of its tasks", f"{page * 1000:.0f} ms", ""),
            ("the list of runs", f"{shown * 1000:.0f} ms", ""),
            ("memory afterwards", f"{memory:.0f} MiB", ""),
        ],
    )


def list_runs() -> None:
    """100,000 runs, filtered and sorted, a page of 20 with the total."""
    queries = {
        "newest": "sort_by=created_at%20desc",
        "by name": "sort_by=name",
        "by end": "sort_by=finished_at%20desc",
        "by a metric": "sort_by=metric:accuracy%20desc",
        "name holds text": "sort_by=created_at%20desc&filter=" + _filter("name", "IS_SUBSTRING", "777"),
        "failed": "sort_by=name&filter=" + _filter("state", "EQUALS", "FAILED"),
        "one experiment": "sort_by=finished_at&experiment_id=e-3",
    }
    rows = []
    with filled(100_000) as it:
        for name, query in queries.items():
            path = f"/apis/v2beta1/runs?{query}"
            found = it.call("GET", path)
            seconds = [_seconds(lambda path=path: it.call("GET", path)) for _ in range(7)]  # type: ignore[misc]
            rows.append(
                (name, f"{statistics.median(seconds) * 1000:.0f} ms", f"{found.get('total_size', 0)} in all")
            )
    table("a page of 100,000 runs, at most 200 ms", rows)


def empty() -> dict[str, Any]:
    step = pipelines.Component("step", pipelines.shell("true"), {"n": "NUMBER_INTEGER"})
    spec = pipelines.pipeline("empty", {"step": pipelines.task("step", n=1)}, step)
    spec["root"]["dag"]["tasks"]["step"]["triggerPolicy"] = {"condition": "1 == 2"}
    return spec


def marked(spec: dict[str, Any]) -> dict[str, Any]:
    """The same with light steps."""
    for executor in spec["deploymentSpec"]["executors"].values():
        executor["container"]["env"] = [{"name": MARK, "value": "true"}]
    return spec


def wide_dag(chains: int, length: int) -> dict[str, Any]:
    one = pipelines.chain(1)
    tasks = {}
    for chain in range(chains):
        for place in range(length):
            before = pipelines.output(f"step-{chain}-{place - 1}", "Output") if place else chain
            tasks[f"step-{chain}-{place}"] = pipelines.task("step", n=before)
    named = {key: {**value, "taskInfo": {"name": key}} for key, value in tasks.items()}
    return {**one, "root": {"dag": {"tasks": named}}}


def _between_ends(it: ServerProcess, spec: dict[str, Any]) -> tuple[float, float]:
    """Milliseconds: p50 and p99."""
    run_id = it.submit(spec, name="chain")
    assert it.wait_run(run_id, timeout=600, poll_seconds=2)["state"] == "SUCCEEDED"
    ends = sorted(
        datetime.fromisoformat(task["state_history"][-1]["update_time"]).timestamp()
        for task in it.tasks(run_id)
        if task["type"] == "RUNTIME"
    )
    gaps = sorted((after - before) * 1000 for before, after in itertools.pairwise(ends))
    return statistics.median(gaps), gaps[int(len(gaps) * 0.99)]


def _seconds(call: Any) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def _filter(key: str, operation: str, value: str) -> str:
    return (
        "%7B%22predicates%22%3A%5B%7B%22operation%22%3A%22"
        f"{operation}%22%2C%22key%22%3A%22{key}%22%2C%22string_value%22%3A%22{value}%22%7D%5D%7D"
    )


@contextmanager
def filled(count: int) -> Iterator[ServerProcess]:
    """A server whose database holds so many runs, in ten experiments, a third of them with a metric."""
    with server() as it:
        it.stop()
        fill(it.home, count)
        it.start()
        yield it


def fill(home: Path, count: int) -> None:
    database = Database.sqlite(home / "sampan.db")
    spec = '{"pipeline_spec": {"x": "' + "y" * 3000 + '"}}'
    states = ("SUCCEEDED", "SUCCEEDED", "SUCCEEDED", "FAILED", "CANCELED")
    begin = 1_700_000_000_000_000

    def insert(connection: Any) -> None:
        for start in range(0, count, 5000):
            numbers = range(start, min(start + 5000, count))
            connection.execute(
                tables.runs.insert(),
                [
                    {
                        "run_id": f"{number * 7919 % count:08d}-run",
                        "experiment_id": f"e-{number % 10}",
                        "namespace": "default",
                        "display_name": f"run-{number * 31 % count:06d}",
                        "storage_state": "AVAILABLE",
                        "state": states[number % 5],
                        "created_at": begin + number * 1_000_000,
                        "finished_at": begin + number * 1_000_000 + number * 17 % 900 * 1_000_000,
                        "spec": spec,
                        "spec_inline": True,
                    }
                    for number in numbers
                ],
            )
            measured = [number for number in numbers if number % 3 == 0]
            connection.execute(
                tables.artifacts.insert(),
                [
                    {
                        "artifact_id": f"a-{number}",
                        "namespace": "default",
                        "name": "accuracy",
                        "type": ArtifactType.Metric.value,
                        "number_value": number * 37 % 1000 / 1000,
                        "created_at": begin,
                    }
                    for number in measured
                ],
            )
            connection.execute(
                tables.artifact_tasks.insert(),
                [
                    {
                        "id": f"l-{number}",
                        "artifact_id": f"a-{number}",
                        "run_id": f"{number * 7919 % count:08d}-run",
                        "task_id": f"t-{number}",
                        "type": IOType.OUTPUT.value,
                        "key": "accuracy",
                    }
                    for number in measured
                ],
            )

    database.change(insert)
    database._engine.dispose()
