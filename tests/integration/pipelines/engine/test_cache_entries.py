"""The cache as a list: what is in it, how often it was reused, forgetting, and how old a result may be."""

from __future__ import annotations

import pytest

from sampan.components.pipelines.api.settings import PipelineSettings
from sampan.components.pipelines.store import cache_entries, runs, tables, usage
from sampan.components.pipelines.store.cache_entries import EntryFilter

ALL = EntryFilter("default")


@pytest.fixture
def document(spec):
    spec.step("make", artifacts={"data": "system.Dataset"})
    return spec.done({"make": spec.task("make", cachingOptions={"enableCache": True})})


def make(call):
    call.writes("data", "content")
    call.returns()


def entries(cluster, wanted=ALL, offset=0, limit=10):
    return cluster.database.read_now(lambda c: cache_entries.list_entries(c, wanted, offset, limit))


def test_entries_say_what_they_are_and_are_forgotten(open_cluster, go, document):
    async def main():
        async with open_cluster(make=make) as cluster:
            first = await cluster.run(document)
            for _ in range(2):
                await cluster.run(document)
            (entry,), total = entries(cluster)
            assert total == 1
            assert (entry.task, entry.pipeline, entry.run_id) == ("make", "test-pipeline", first.run_id)
            assert (entry.size_bytes, entry.hits) == (7, 2)
            assert entry.last_hit_at >= entry.created_at
            for nothing in (
                EntryFilter("other"),
                EntryFilter("default", pipeline="x"),
                EntryFilter("default", task="x"),
                EntryFilter("default", before=1),
            ):
                assert entries(cluster, nothing) == ([], 0)
                assert await cluster.database.write(lambda c, w=nothing: cache_entries.forget_all(c, w)) == 0
            assert (
                await cluster.database.write(lambda c: cache_entries.forget(c, "other", entry.task_id)) == 0
            )
            assert (
                await cluster.database.write(lambda c: cache_entries.forget(c, "default", entry.task_id)) == 3
            )
            assert cluster.states((await cluster.run(document)).run_id)["root/make"] == "SUCCEEDED"
            wanted = EntryFilter("default", pipeline="test-pipeline", task="make")
            assert await cluster.database.write(lambda c: cache_entries.forget_all(c, wanted)) == 1
            assert entries(cluster) == ([], 0)

    go(main())


def test_a_result_lives_on_in_runs_that_have_reused_it(open_cluster, go, document):
    async def main():
        async with open_cluster(make=make) as cluster:
            first = await cluster.run(document)
            second = await cluster.run(document)
            await cluster.database.write(lambda c: runs.delete(c, first.run_id))
            third = await cluster.run(document)
            assert cluster.states(second.run_id) == cluster.states(third.run_id)
            row = cluster.tasks(third.run_id)["root/make"]
            assert (row.state, row.cached_from_task_id) == (
                "CACHED",
                cluster.tasks(second.run_id)["root/make"].cached_from_task_id,
            )

    go(main())


def test_a_result_that_is_too_old_is_not_reused(open_cluster, go, document):
    async def main():
        async with open_cluster(PipelineSettings(cache_max_age_hours=1), make=make) as cluster:
            await cluster.run(document)
            assert cluster.states((await cluster.run(document)).run_id)["root/make"] == "CACHED"
            await cluster.database.write(lambda c: c.execute(tables.tasks.update().values(finished_at=1)))
            assert cluster.states((await cluster.run(document)).run_id)["root/make"] == "SUCCEEDED"

    go(main())


def test_disk_use_is_told_by_run_experiment_and_pipeline(open_cluster, go, document):
    async def main():
        async with open_cluster(make=make) as cluster:
            run = await cluster.run(document)
            await cluster.run(document)

            def used(by):
                return cluster.database.read_now(lambda c: usage.of_namespace(c, "default", usage.By(by), 10))

            assert used("run") == ([usage.Usage(run.run_id, "a run", 7, 1, 1)], 7)
            assert used("experiment") == ([usage.Usage("e", "", 7, 1, 1)], 7)
            assert used("pipeline") == ([usage.Usage("test-pipeline", "test-pipeline", 7, 1, 1)], 7)
            (kept, other) = cluster.database.read_now(usage.ended_runs)
            assert {kept.size_bytes, other.size_bytes} == {0, 7}

    go(main())
