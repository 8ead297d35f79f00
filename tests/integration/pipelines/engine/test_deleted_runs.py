"""Deleting a run deletes what only it owns: never what another run, a cached result or an import refers to."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sampan.components.pipelines.api.states import ArtifactType, IOType, RuntimeState
from sampan.components.pipelines.engine import sweeping
from sampan.components.pipelines.engine.step_files import LocalStepFiles
from sampan.components.pipelines.store import artifacts, garbage, runs, tables
from sampan.components.pipelines.store.artifacts import ArtifactLink, ArtifactRow
from sampan.components.pipelines.store.runs import RunRow
from sampan.lib.ids import new_uid
from sampan.store.database import Database


def make(call):
    call.writes("data", "content")
    call.returns()


def use(call):
    call.returns(text=Path(call.artifact("data", "inputs")["uri"]).read_text())


@pytest.fixture
def document(spec):
    data = {"data": "system.Dataset"}
    spec.step("make", artifacts=data).step("use", inputs=data, outputs={"text": "str"})
    cached = {"enableCache": True}
    make_task = spec.task("make", cachingOptions=cached)
    return spec.done({"make": make_task, "use": spec.task("use", ("make",), artifacts={"data": "make.data"})})


async def delete(cluster, run_id):
    await cluster.database.write(lambda connection: runs.delete(connection, run_id))
    await cluster.engine.forget(run_id, "default")
    await cluster.engine._sweeper.sweep()


def files_of(cluster):
    root = cluster.home / "artifacts"
    return {f"{where}/{name}".removeprefix(f"{root}/") for where, _, names in os.walk(root) for name in names}


def test_a_deleted_run_leaves_nothing(open_cluster, go, document):
    async def main():
        async with open_cluster(make=make, use=use) as cluster:
            run = await cluster.run(document)
            assert files_of(cluster)
            await delete(cluster, run.run_id)
            assert files_of(cluster) == set()
            assert not (cluster.home / "artifacts" / "default" / "test-pipeline" / run.run_id).exists()
            assert not (cluster.home / "pipelines" / "work" / run.run_id).exists()
            for table in (tables.artifacts, tables.artifact_tasks):
                rows = cluster.database.read_now(lambda c, table=table: c.execute(table.select()).all())
                assert rows == []
            assert cluster.database.read_now(garbage.pending) == []

    go(main())


def test_what_a_cached_result_refers_to_stays_until_its_run_goes_too(open_cluster, go, document):
    async def main():
        async with open_cluster(make=make, use=use) as cluster:
            first = await cluster.run(document)
            second = await cluster.run(document)
            assert cluster.states(second.run_id)["root/make"] == "CACHED"
            await delete(cluster, first.run_id)
            kept = {
                path
                for path in files_of(cluster)
                if path.startswith(f"default/test-pipeline/{first.run_id}/")
            }
            assert kept == {f"default/test-pipeline/{first.run_id}/make/1/data"}
            await delete(cluster, second.run_id)
            assert files_of(cluster) == set()
            third = await cluster.run(document)
            assert cluster.states(third.run_id)["root/make"] == "SUCCEEDED"

    go(main())


def test_what_an_importer_refers_to_stays(open_cluster, go, document, spec):
    async def main():
        async with open_cluster(make=make, use=use) as cluster:
            first = await cluster.run(document)
            (data,) = (cluster.home / "artifacts").rglob("data")
            row = ArtifactRow(
                artifact_id=new_uid(),
                namespace="default",
                name="imported",
                type=ArtifactType.Dataset,
                uri=str(data.parent),
                created_at=1,
            )
            await cluster.database.write(lambda connection: artifacts.insert(connection, [row]))
            await delete(cluster, first.run_id)
            assert data.exists()

    go(main())


def test_a_crash_after_the_row_went_is_made_good(open_cluster, go, document, monkeypatch):
    monkeypatch.setattr(sweeping, "_FIRST_LOOK_SECONDS", 0.0)

    async def main():
        async with open_cluster(make=make, use=use) as cluster:
            run = await cluster.run(document)
            await cluster.database.write(lambda connection: runs.delete(connection, run.run_id))
            await cluster.restart_engine()
            async with asyncio.timeout(60):
                while files_of(cluster):
                    await asyncio.sleep(0.01)

    go(main())


def test_a_step_cannot_make_us_delete_what_is_not_its_own(open_cluster, go, document, tmp_path):
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").write_text("x")

    def evil(call):
        folder = Path(call.artifact("data")["uri"]).parent
        (folder / "link").symlink_to(tmp_path / "precious")
        uri = {"uri": str(tmp_path / "precious" / "file")}
        call.returns({"data": {"artifacts": [uri]}})

    async def main():
        async with open_cluster(make=evil, use=use) as cluster:
            run = await cluster.run(document)
            await delete(cluster, run.run_id)
            assert (tmp_path / "precious" / "file").read_text() == "x"

    go(main())


# Any order of any references

OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.integers(0, 3), st.integers(0, 2)),
        st.tuples(st.just("read"), st.integers(0, 3), st.integers(0, 20)),
        st.tuples(st.just("delete"), st.integers(0, 3), st.just(0)),
    ),
    max_size=25,
)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(operations=OPERATIONS)
def test_files_stay_exactly_as_long_as_something_refers_to_them(tmp_path_factory, operations):
    home = tmp_path_factory.mktemp("home")
    database = Database.sqlite(home / "db")
    database.create(tables.metadata)
    files = LocalStepFiles(home)
    root = home / "artifacts"
    refers: dict[int, set[str]] = {}
    generation = dict.fromkeys(range(4), 0)
    known: list[ArtifactRow] = []

    def run_id(number: int) -> str:
        return f"run-{number}-{generation[number]}"

    async def write(fn):
        return await database.write(fn)

    async def main() -> None:
        for act, number, other in operations:
            current = run_id(number)
            if act != "delete" and number not in refers:
                refers[number] = set()
                row = RunRow(current, "e", "ns", "n", "{}", True, 1, state=RuntimeState.SUCCEEDED)
                await write(lambda c, row=row: runs.insert(c, row))
                await write(
                    lambda c, key=current: c.execute(
                        tables.runs.update()
                        .where(tables.runs.c.run_id == key)
                        .values(artifact_root=str(root))
                    )
                )
            if act == "write":
                uri = root / current / "task" / str(other)
                uri.parent.mkdir(parents=True, exist_ok=True)
                uri.write_text(current)
                row = ArtifactRow(
                    new_uid(), "ns", "a", ArtifactType.Artifact, str(uri), 1, producer_run_id=current
                )
                known.append(row)
                refers[number].add(str(uri))
                await write(lambda c, row=row: artifacts.insert(c, [row]))
                await write(
                    lambda c, row=row, key=current: artifacts.link(c, [link(row, key, IOType.OUTPUT)])
                )
            elif act == "read" and known:
                row = known[other % len(known)]
                if not any(row.uri in uris for uris in refers.values()):
                    continue
                exists = await database.read(lambda c, row=row: artifacts.get(c, row.artifact_id))
                if exists is None:
                    continue
                refers[number].add(row.uri)
                await write(
                    lambda c, row=row, key=current: artifacts.link(
                        c, [link(row, key, IOType.COMPONENT_INPUT)]
                    )
                )
            elif act == "delete" and number in refers:
                del refers[number]
                generation[number] += 1
                await write(lambda c, key=current: runs.delete(c, key))
                for item in await database.read(garbage.pending):
                    kept = await database.read(lambda c, item=item: garbage.needed(c, item.uri))
                    files.remove(item.uri, "ns", kept)
            wanted = {uri for uris in refers.values() for uri in uris}
            assert {str(path) for path in root.rglob("*") if path.is_file()} == wanted
        await database.close()

    asyncio.run(main())


def link(row: ArtifactRow, run_id: str, kind: IOType) -> ArtifactLink:
    return ArtifactLink(new_uid(), row.artifact_id, run_id, "task", kind, "key")
