"""Pods of ended runs go after a time that the pipeline or a setting says; everything else of the run stays."""

from __future__ import annotations

import pytest

from sampan.components.pipelines.engine.completed_pods import TTL_ANNOTATION, CompletedPods, overdue
from sampan.components.pipelines.store import tables
from sampan.kube.kinds import PODS
from sampan.lib.clock import SystemClock

HOUR = 3_600_000_000


def pod(run="r", phase="Succeeded", ttl=None):
    annotations = {} if ttl is None else {TTL_ANNOTATION: ttl}
    return {
        "metadata": {"labels": {"pipeline/runid": run}, "annotations": annotations},
        "status": {"phase": phase},
    }


@pytest.mark.parametrize(
    ("one", "state", "hours", "age", "goes"),
    [
        (pod(), "SUCCEEDED", 24, 25, True),
        (pod(), "SUCCEEDED", 24, 23, False),
        (pod(), "SUCCEEDED", 0, 9999, False),
        (pod(run="other"), "SUCCEEDED", 1, 9999, False),
        (pod(phase="Running"), "SUCCEEDED", 1, 9999, False),
        (pod(ttl="[3600, 0, 0]"), "FAILED", 24, 2, True),
        (pod(ttl="[0, 3600, 0]"), "SUCCEEDED", 24, 2, True),
        (pod(ttl="[0, 3600, 0]"), "FAILED", 24, 2, False),
        (pod(ttl="[0, 0, 3600]"), "FAILED", 0, 2, True),
        (pod(ttl="[999999, 3600, 0]"), "SUCCEEDED", 24, 2, True),
        (pod(ttl="nonsense"), "SUCCEEDED", 1, 2, True),
    ],
)
def test_when_a_pod_goes(one, state, hours, age, goes):
    now = 10**6 * HOUR
    assert overdue([one], {"r": (state, now - age * HOUR)}, hours, now) == ([one] if goes else [])


def test_pods_go_and_rows_stay(open_cluster, go, spec):
    spec.step("make")
    document = spec.done({"make": spec.task("make")})
    document = {
        "pipeline_spec": document,
        "platform_spec": {
            "platforms": {"kubernetes": {"pipelineConfig": {"resourceTtlOnCompletion": 3600}}},
        },
    }

    async def main():
        async with open_cluster(make=lambda call: call.returns()) as cluster:
            run = await cluster.run(document)
            (found,) = (await cluster.client.list(PODS)).items
            assert found["metadata"]["annotations"][TTL_ANNOTATION] == "[3600, 0, 0]"
            sweeping = CompletedPods(cluster.client, cluster.database, SystemClock(), 0)
            assert await sweeping.collect() == 0
            await cluster.database.write(lambda c: c.execute(tables.runs.update().values(finished_at=1)))
            assert await sweeping.collect() == 1
            await cluster.until_no_pods()
            assert cluster.states(run.run_id)["root/make"] == "SUCCEEDED"

    go(main())
