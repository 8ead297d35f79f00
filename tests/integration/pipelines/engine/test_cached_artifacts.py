"""A cache entry dies with its artifacts: deleted or changed ones are noticed, the same content is still good."""

from __future__ import annotations

import asyncio
import os

import pytest

from sampan.components.pipelines.engine import step_files
from sampan.components.pipelines.store import artifacts


@pytest.fixture
def document(spec):
    spec.step("make", artifacts={"data": "system.Dataset"})
    return spec.done({"make": spec.task("make", cachingOptions={"enableCache": True})})


def recorded(cluster, run_id):
    rows = cluster.database.read_now(lambda connection: artifacts.of_run(connection, run_id))
    (row,) = rows.values()
    return row


def make_file(call):
    call.writes("data", "content")
    call.returns()


def make_folder(call):
    path = call.artifact("data")["uri"]
    for name in ("a", "b"):
        os.makedirs(f"{path}/{name}")
        with open(f"{path}/{name}/part", "w") as file:
            file.write(name * 100)
    call.returns()


def touched(path):
    os.utime(path)


def rewritten(path):
    path.write_text("CONTENT")


def emptied(path):
    path.unlink()


@pytest.mark.parametrize(
    ("change", "state"), [(touched, "CACHED"), (rewritten, "SUCCEEDED"), (emptied, "SUCCEEDED")]
)
def test_a_file_that_changed_is_no_hit(open_cluster, go, document, change, state):
    async def main():
        async with open_cluster(make=make_file) as cluster:
            first = await cluster.run(document)
            row = recorded(cluster, first.run_id)
            assert (row.size_bytes, row.file_count, row.producer_run_id) == (7, 1, first.run_id)
            (file,) = (cluster.home / "artifacts").rglob("data")
            change(file)
            second = await cluster.run(document)
            assert cluster.states(second.run_id)["root/make"] == state

    go(main())


@pytest.mark.parametrize(
    ("change", "state"), [(touched, "CACHED"), (rewritten, "SUCCEEDED"), (emptied, "SUCCEEDED")]
)
@pytest.mark.parametrize("glanced", [500, 1])
def test_a_folder_that_changed_is_no_hit(open_cluster, go, document, change, state, glanced, monkeypatch):
    monkeypatch.setattr(step_files, "_GLANCE_FILES", glanced)

    async def main():
        async with open_cluster(make=make_folder) as cluster:
            await cluster.run(document)
            assert cluster.states((await cluster.run(document)).run_id)["root/make"] == "CACHED"
            (file,) = (cluster.home / "artifacts").rglob("b/part")
            change(file)
            assert cluster.states((await cluster.run(document)).run_id)["root/make"] == state

    go(main())


def test_a_large_artifact_is_measured_after_its_step(open_cluster, go, document, monkeypatch):
    monkeypatch.setattr(step_files, "_SOON_BYTES", 3)

    async def main():
        async with open_cluster(make=make_file) as cluster:
            run = await cluster.run(document)
            async with asyncio.timeout(60):
                while not recorded(cluster, run.run_id).digest:
                    await asyncio.sleep(0.01)
            (file,) = (cluster.home / "artifacts").rglob("data")
            rewritten(file)
            second = await cluster.run(document)
            assert cluster.states(second.run_id)["root/make"] == "SUCCEEDED"

    go(main())


def test_what_a_dead_process_did_not_measure_is_measured_later(open_cluster, go, document, monkeypatch):
    monkeypatch.setattr(step_files, "_SOON_BYTES", 3)
    monkeypatch.setattr("sampan.components.pipelines.engine.late_measures.LateMeasures.add", lambda *_: None)

    async def main():
        async with open_cluster(make=make_file) as cluster:
            run = await cluster.run(document)
            assert not recorded(cluster, run.run_id).digest
            monkeypatch.undo()
            monkeypatch.setattr("sampan.components.pipelines.engine.late_measures._START_DELAY_SECONDS", 0)
            await cluster.restart_engine()
            async with asyncio.timeout(60):
                while not recorded(cluster, run.run_id).digest:
                    await asyncio.sleep(0.01)

    go(main())


def test_a_step_canceled_while_its_result_is_inspected_stays_canceled(
    open_cluster, go, document, monkeypatch
):
    inspecting, may_end = asyncio.Event(), None

    async def main():
        nonlocal may_end
        import threading

        may_end = threading.Event()
        loop = asyncio.get_running_loop()

        def slow(files, results):
            loop.call_soon_threadsafe(inspecting.set)
            may_end.wait(10)
            return results[0]

        monkeypatch.setattr("sampan.components.pipelines.engine.cache_checks.sound", slow)
        async with open_cluster(make=make_file) as cluster:
            await cluster.run(document)
            (file,) = (cluster.home / "artifacts").rglob("data")
            touched(file)
            run_id = await cluster.submit(document)
            await inspecting.wait()
            await cluster.engine.terminate(run_id)
            may_end.set()
            await cluster.wait(run_id)
            assert cluster.states(run_id)["root/make"] == "CANCELED"
            assert len(cluster.executed) == 1

    go(main())
