"""No object may stop a controller, not even one that validation should have refused.

Hostile objects are put straight into the storage, as a bug in validation or another version would leave them. What
becomes of them does not matter; what matters is that everybody else's objects are still taken care of.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Iterator
from contextlib import suppress
from copy import deepcopy
from typing import Any

import pytest

from sampan.cluster.apiserver.lifecycle import check_shape
from sampan.cluster.apiserver.storage import Key
from sampan.cluster.apiserver.strategy import custom
from sampan.kube import conditions, meta
from sampan.kube.errors import BadRequestError
from sampan.kube.kinds import (
    CONFIG_MAPS,
    CONTROLLER_REVISIONS,
    CRON_JOBS,
    DAEMON_SETS,
    DEPLOYMENTS,
    JOB_SETS,
    JOBS,
    NODES,
    PERSISTENT_VOLUME_CLAIMS,
    PODS,
    REPLICA_SETS,
    STATEFUL_SETS,
    Resource,
)
from sampan.lib import ids

HOSTILE: tuple[Any, ...] = (
    None, True, 0, -1, 2**70, 1.5, "", "x", "-9", "1e99", "9" * 400, "☠", "../../etc", [], [None], [[]], {}, {"": None},
    {"metadata": None}, [{"name": None}], [{"uid": [], "controller": True, "kind": "Job", "apiVersion": "batch/v1"}],
)  # fmt: skip

CONTAINER = {"name": "main", "image": "busybox", "resources": {"requests": {"cpu": "1"}}}
POD_SPEC = {
    "containers": [CONTAINER],
    "initContainers": [{"name": "i", "restartPolicy": "Always", "resources": {"limits": {"cpu": "1"}}}],
    "tolerations": [{"key": "k", "operator": "Exists"}],
    "affinity": {
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [{"matchExpressions": [{"key": "a", "operator": "Gt", "values": ["1"]}]}]
            }
        }
    },
    "volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}],
    "priority": 1,
    "nodeSelector": {"a": "b"},
}
POD_STATUS = {
    "phase": "Failed",
    "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}],
    "containerStatuses": [{"name": "main", "restartCount": 1, "state": {"terminated": {"exitCode": 1}}}],
}
JOB_SPEC = {
    "parallelism": 1,
    "completions": 2,
    "completionMode": "Indexed",
    "backoffLimitPerIndex": 1,
    "activeDeadlineSeconds": 5,
    "ttlSecondsAfterFinished": 5,
    "podFailurePolicy": {"rules": [{"action": "Ignore", "onExitCodes": {"operator": "In", "values": [1]}}]},
    "successPolicy": {"rules": [{"succeededIndexes": "0"}]},
    "template": {"metadata": {"labels": {"a": "b"}}, "spec": POD_SPEC},
}
JOB_STATUS = {
    "conditions": [{"type": "Complete", "status": "False"}],
    "uncountedTerminatedPods": {"failed": ["u"]},
    "completedIndexes": "0",
    "startTime": "2026-01-01T00:00:00Z",
    "failed": 1,
}
METADATA = {
    "labels": {"batch.kubernetes.io/job-name": "poison"},
    "annotations": {"batch.kubernetes.io/job-completion-index": "0"},
    "finalizers": ["batch.kubernetes.io/job-tracking"],
    "ownerReferences": [
        {"apiVersion": "batch/v1", "kind": "Job", "name": "poison", "uid": "u", "controller": True}
    ],
    "deletionTimestamp": "2026-01-01T00:00:00Z",
}
SELECTED = {
    "replicas": 1,
    "minReadySeconds": 1,
    "revisionHistoryLimit": 1,
    "selector": {
        "matchLabels": {"a": "b"},
        "matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}],
    },
    "template": {"metadata": {"labels": {"a": "b"}}, "spec": POD_SPEC},
}
SET_STATUS = {
    "replicas": 1,
    "availableReplicas": 1,
    "observedGeneration": 1,
    "collisionCount": 1,
    "currentRevision": "r",
    "conditions": [{"type": "Progressing", "status": "True", "lastUpdateTime": "2026-01-01T00:00:00Z"}],
}
OWNED = {
    "labels": {"a": "b", "controller-revision-hash": "r", "jobset.sigs.k8s.io/restart-attempt": "0"},
    "annotations": {
        "deployment.kubernetes.io/revision": "1",
        "deployment.kubernetes.io/desired-replicas": "1",
        "controller.kubernetes.io/pod-deletion-cost": "1",
    },
    "ownerReferences": [
        {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": "u", "controller": True}
    ],
}
APPS: tuple[tuple[Resource, dict[str, Any]], ...] = (
    (
        DEPLOYMENTS,
        {
            "metadata": {"annotations": {"deployment.kubernetes.io/revision": "1"}},
            "spec": {
                **SELECTED,
                "strategy": {
                    "type": "RollingUpdate",
                    "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": 1},
                },
                "progressDeadlineSeconds": 60,
            },
            "status": SET_STATUS,
        },
    ),
    (REPLICA_SETS, {"metadata": OWNED, "spec": SELECTED, "status": SET_STATUS}),
    (PODS, {"metadata": OWNED, "spec": POD_SPEC, "status": POD_STATUS}),
    (
        STATEFUL_SETS,
        {
            "spec": {
                **SELECTED,
                "ordinals": {"start": 1},
                "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}},
                "volumeClaimTemplates": [
                    {"metadata": {"name": "v"}, "spec": {"accessModes": ["ReadWriteOnce"]}}
                ],
            },
            "status": SET_STATUS,
        },
    ),
    (
        DAEMON_SETS,
        {
            "spec": {
                **SELECTED,
                "updateStrategy": {
                    "type": "RollingUpdate",
                    "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": 1},
                },
            },
            "status": SET_STATUS,
        },
    ),
    (CONTROLLER_REVISIONS, {"metadata": OWNED, "data": {"spec": {"template": {}}}, "revision": 1}),
    (
        CRON_JOBS,
        {
            "spec": {
                "schedule": "* * * * *",
                "timeZone": "UTC",
                "startingDeadlineSeconds": 60,
                "successfulJobsHistoryLimit": 1,
                "jobTemplate": {"metadata": {"labels": {"a": "b"}}, "spec": {"template": {"spec": POD_SPEC}}},
            },
            "status": {"active": [{"name": "a", "uid": "u"}], "lastScheduleTime": "2026-01-01T00:00:00Z"},
        },
    ),
    (
        JOB_SETS,
        {
            "spec": {
                "replicatedJobs": [
                    {"name": "a", "replicas": 1, "template": {"spec": {"template": {"spec": POD_SPEC}}}},
                    {"name": "b", "dependsOn": [{"name": "a", "status": "Ready"}], "template": {"spec": {}}},
                ],
                "network": {"enableDNSHostnames": True, "subdomain": "x"},
                "failurePolicy": {"maxRestarts": 1, "rules": [{"name": "r", "action": "FailJobSet"}]},
                "coordinator": {"replicatedJob": "a", "jobIndex": 0},
            },
            "status": {"restarts": 0, "conditions": [{"type": "Suspended", "status": "True"}]},
        },
    ),
)
VICTIMS: tuple[tuple[Resource, dict[str, Any]], ...] = (
    (PODS, {"metadata": METADATA, "spec": POD_SPEC, "status": POD_STATUS}),
    (PODS, {"metadata": {"labels": {}}, "spec": POD_SPEC, "status": {"conditions": []}}),
    (JOBS, {"metadata": {"labels": {}}, "spec": JOB_SPEC, "status": JOB_STATUS}),
    (
        NODES,
        {"spec": {"taints": [{"key": "k", "effect": "NoSchedule"}]}, "status": {"allocatable": {"cpu": "9"}}},
    ),
    (
        PERSISTENT_VOLUME_CLAIMS,
        {"spec": {"resources": {"requests": {"storage": "1Gi"}}, "selector": {"matchLabels": {"a": "b"}}}},
    ),
    (CONFIG_MAPS, {"metadata": METADATA}),
)


def paths(value: Any, prefix: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*prefix, key)
        yield from paths(inner, (*prefix, key))


def replaced(value: Any, path: tuple[Any, ...], hostile: Any) -> Any:
    if not path:
        return hostile
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = replaced(value[path[0]], path[1:], hostile)
    return copy


def poisons() -> Iterator[tuple[Resource, dict[str, Any]]]:
    """Every field of every victim, each with a few of the hostile values.

    The server itself counts on the shape of metadata and checks it for every kind, before any validation.
    """
    chance = random.Random(11)
    for number, (resource, victim) in enumerate((*VICTIMS, *APPS)):
        for path in paths(victim):
            for hostile in chance.sample(HOSTILE, 2 if number < len(VICTIMS) else 1):
                poisoned = replaced(victim, path, hostile)
                with suppress(BadRequestError):
                    check_shape(custom(resource), deepcopy(poisoned), "team")
                    yield resource, poisoned


async def plant(cluster, resource: Resource, obj: dict[str, Any], name: str) -> None:
    metadata = obj.get("metadata")
    identity = {"name": name, "uid": ids.new_uid(), "creationTimestamp": "2026-01-01T00:00:00Z"}
    if resource.namespaced:
        identity["namespace"] = "team"
    whole = {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        **obj,
        "metadata": {**(metadata if isinstance(metadata, dict) else {}), **identity},
    }
    key = Key(resource.key, identity.get("namespace", ""), name)
    await cluster.api.storage.write(lambda txn: txn.put(key, whole, None))


@pytest.mark.parametrize("restarted", [False, True])
def test_everybody_else_is_taken_care_of(run, restarted, caplog):
    caplog.set_level(logging.CRITICAL)  # what is logged about each of them is not the point here

    async def poison(cluster):
        # Side by side, so that they share commits.
        await asyncio.gather(
            *(
                plant(cluster, resource, obj, f"poison-{number}")
                for number, (resource, obj) in enumerate(poisons())
            )
        )

    async def work(cluster):
        await cluster.client.create(
            NODES, {"metadata": {"name": "node"}, "status": {"allocatable": {"cpu": "9"}}}
        )
        template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": "busybox"}]}}
        await cluster.create(JOBS, "work", spec={"template": template, "completions": 3, "parallelism": 3})
        await cluster.create(
            PERSISTENT_VOLUME_CLAIMS,
            "data",
            spec={"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
        )
        labels = {"app": "web"}
        kept = {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "main", "image": "a"}]},
            },
        }
        await cluster.create(DEPLOYMENTS, "web", spec=kept)
        await cluster.create(STATEFUL_SETS, "db", spec={**kept, "serviceName": "db"})
        agents = {"app": "agent"}
        template_of_agent = {**kept["template"], "metadata": {"labels": agents}}
        agent = {"selector": {"matchLabels": agents}, "template": template_of_agent}
        await cluster.create(DAEMON_SETS, "agent", spec=agent)
        every_minute = {"schedule": "* * * * *", "jobTemplate": {"spec": {"template": template}}}
        await cluster.create(CRON_JOBS, "tick", spec=every_minute)
        last = {"status": {"lastScheduleTime": "2026-01-01T00:00:00Z"}}
        await cluster.client.patch(CRON_JOBS, "tick", last, "team", subresource="status")
        replicated = {"name": "a", "template": {"spec": {"template": template}}}
        await cluster.create(JOB_SETS, "train", spec={"replicatedJobs": [replicated]})
        parent = await cluster.create(CONFIG_MAPS, "parent")
        reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "parent", "uid": meta.uid(parent)}
        await cluster.create(CONFIG_MAPS, "child", metadata={"ownerReferences": [reference]})
        await cluster.client.delete(CONFIG_MAPS, "parent", "team")

        async def placed_and_done():
            for pod in await cluster.list(PODS, "job-name=work"):
                if pod["spec"].get("nodeName") and meta.status(pod).get("phase") != "Succeeded":
                    await cluster.finish(pod)
            return conditions.is_true(await cluster.get(JOBS, "work"), "Complete")

        await cluster.until(placed_and_done)

        async def everybody_has_pods() -> bool:
            sets = await cluster.list(PODS, "app=web")
            agents = await cluster.list(PODS, "app=agent")
            made = await cluster.list(JOBS, "jobset.sigs.k8s.io/jobset-name=train")
            ticked = meta.status(await cluster.get(CRON_JOBS, "tick"))["lastScheduleTime"]
            return len(sets) >= 2 and bool(agents) and bool(made) and ticked > "2026-01-02"

        await cluster.until(everybody_has_pods)
        await cluster.gone(CONFIG_MAPS, "child")

        async def bound():
            return (await cluster.get(PERSISTENT_VOLUME_CLAIMS, "data")).get("status", {}).get(
                "phase"
            ) == "Bound"

        await cluster.until(bound)

    async def both(cluster):
        await poison(cluster)
        await work(cluster)

    if restarted:
        run(poison, scheduler=True)
        run(work, scheduler=True)
    else:
        run(both, scheduler=True)
