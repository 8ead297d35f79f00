"""TrainJobs and runtimes that nobody should write: each costs its own job, and no other.

Here are no admission hooks, as on a cluster that is not ours: what they would refuse reaches the controllers.
"""

from __future__ import annotations

from typing import Any

from sampan.components.training.api.kinds import TRAIN_JOBS, TRAINING_RUNTIMES
from sampan.kube import meta
from sampan.kube.errors import BadRequestError, InvalidError, NotFoundError

_REF = {"runtimeRef": {"name": "r"}}
ODD: dict[str, dict[str, Any]] = {
    "no-spec": {},
    "no-runtime": {"trainer": {"numNodes": 1}},
    "negative": {**_REF, "trainer": {"numNodes": -1}},
    "none": {**_REF, "trainer": {"numNodes": 0}},
    "words": {**_REF, "trainer": {"numNodes": "many"}},
    "procs": {**_REF, "trainer": {"numProcPerNode": "some"}},
    "resources": {**_REF, "trainer": {"resourcesPerNode": {"requests": {"cpu": "lots"}}}},
    "env": {**_REF, "trainer": {"env": [{"name": "PET_NNODES", "value": "9"}, {"name": "a=b"}]}},
    "patches": {
        **_REF,
        "runtimePatches": [{"manager": "m", "trainingRuntimeSpec": {"template": {"spec": 7}}}],
    },
    "nobody": {**_REF, "podTemplateOverrides": [{"targetJobs": [{"name": "nobody"}], "spec": {}}]},
    "storage": {**_REF, "initializer": {"dataset": {"storageUri": "gopher://\x00"}}},
    "x" * 64: {**_REF},
    "deadline": {**_REF, "activeDeadlineSeconds": -5},
    "other-group": {"runtimeRef": {"name": "r", "apiGroup": "apps", "kind": "Deployment"}},
    "empty-runtime": {"runtimeRef": {"name": "empty", "kind": "TrainingRuntime"}},
    "no-node": {"runtimeRef": {"name": "no-node", "kind": "TrainingRuntime"}},
    "no-containers": {"runtimeRef": {"name": "no-containers", "kind": "TrainingRuntime"}},
}
_POD = {"spec": {"containers": [{"name": "other", "image": "a"}]}}
RUNTIMES = {
    "empty": {"template": {"spec": {}}},
    "no-node": {
        "template": {"spec": {"replicatedJobs": [{"name": "x", "template": {"spec": {"template": _POD}}}]}}
    },
    "no-containers": {
        "mlPolicy": {"numNodes": 1, "torch": {}},
        "template": {
            "spec": {
                "replicatedJobs": [
                    {"name": "node", "template": {"spec": {"template": {"spec": {"containers": []}}}}}
                ]
            }
        },
    },
}


async def made(cluster: Any, resource: Any, name: str, spec: Any) -> str:
    """Its name, or empty when the API itself refuses it."""
    body = {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": {"name": name, "namespace": "team"},
        "spec": spec,
    }
    try:
        return meta.name(await cluster.client.create(resource, body))
    except (BadRequestError, InvalidError):
        return ""


def test_odd_jobs_are_refused_or_say_why_and_harm_nobody(run) -> None:
    async def scenario(cluster) -> None:
        await cluster.runtime()
        for name, spec in RUNTIMES.items():
            await made(cluster, TRAINING_RUNTIMES, name, spec)
        accepted = [name for name, spec in ODD.items() if await made(cluster, TRAIN_JOBS, name, spec)]
        assert accepted
        await cluster.job("sound")
        for pod in await cluster.until_pods(2, "sound"):
            await cluster.finish(pod)
        await cluster.until_condition("Complete", name="sound")

        async def all_said() -> bool:
            return not [name for name in accepted if not await says_why_or_starts(cluster, name)]

        await cluster.until(all_said)
        await cluster.job("afterwards")
        await cluster.until_pods(2, "afterwards")

    run(scenario)


async def says_why_or_starts(cluster: Any, name: str) -> bool:
    job = await cluster.get(TRAIN_JOBS, name)
    told = [
        each["message"]
        for each in meta.status(job).get("conditions") or ()
        if each["type"] in ("Failed", "Created", "Complete")
    ]
    return bool(told and all(told)) or bool(await cluster.pods(name))


def test_jobs_that_are_deleted_as_they_start_leave_nothing(run) -> None:
    async def scenario(cluster) -> None:
        await cluster.runtime()
        for n in range(5):
            await cluster.job(f"j{n}")
            await cluster.client.delete(TRAIN_JOBS, f"j{n}", "team")

        async def nothing() -> bool:
            return not any([await cluster.pods(f"j{n}") for n in range(5)])

        async def gone() -> bool:
            try:
                await cluster.client.get(TRAIN_JOBS, "j4", "team")
            except NotFoundError:
                return True
            return False

        await cluster.until(gone)
        await cluster.until(nothing)
        await cluster.job("sound")
        await cluster.until_pods(2, "sound")

    run(scenario)
