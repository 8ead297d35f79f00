"""The Jobs of a JobSet, made from its templates, and what resuming changes about them. Pure.

Source: pkg/controllers/jobset_controller.go (constructJob, labelAndAnnotateObject, resumeJob), v0.11.
"""

from __future__ import annotations

import hashlib
from copy import deepcopy
from typing import Any

from sampan.client.protocol import Object
from sampan.cluster.workloads.jobset import spec as names
from sampan.cluster.workloads.jobset.spec import (
    has_hostnames,
    is_suspended,
    replicas,
    replicated_jobs,
    restarts,
    subdomain,
)
from sampan.kube import meta, owners


def job_name(job_set: Object, replicated: Object, index: int) -> str:
    return f"{meta.name(job_set)}-{replicated['name']}-{index}"


def claim_name(job_set: Object, template: Object) -> str:
    return f"{meta.name(template)}-{meta.name(job_set)}"


def desired(job_set: Object, replicated: Object, index: int) -> Object:
    template = replicated.get("template") or {}
    fields = deepcopy(meta.spec(template))
    pod_template = fields.setdefault("template", {})
    pod_spec = pod_template.setdefault("spec", {})
    marks = _marks(job_set, replicated, index)
    job: Object = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": job_name(job_set, replicated, index),
            "namespace": meta.namespace(job_set),
            "labels": {**meta.labels(template), **marks},
            "annotations": {**meta.annotations(template), **marks},
            "ownerReferences": [owners.owner_reference(job_set)],
        },
        "spec": fields,
    }
    pod_template["metadata"] = {
        **meta.metadata(pod_template),
        "labels": {**meta.labels(pod_template), **marks},
        "annotations": {**meta.annotations(pod_template), **marks},
    }
    if has_hostnames(job_set):
        pod_spec["subdomain"] = subdomain(job_set)
    fields["suspend"] = is_suspended(job_set)
    _add_volumes(job_set, pod_spec)
    return job


def _marks(job_set: Object, replicated: Object, index: int) -> dict[str, str]:
    """Labels of the Job and of its pods, and annotations too."""
    name = job_name(job_set, replicated, index)
    everything = replicated_jobs(job_set)
    group = str(replicated.get("groupName") or "")
    same_group = [each for each in everything if str(each.get("groupName") or "") == group]
    key = f"{meta.namespace(job_set)}/{name}".encode()
    marks = {
        names.NAME: meta.name(job_set),
        names.UID: meta.uid(job_set),
        names.REPLICATED_JOB: str(replicated["name"]),
        names.ATTEMPT: str(restarts(job_set)),
        names.REPLICAS: str(replicas(replicated)),
        names.GLOBAL_REPLICAS: str(sum(map(replicas, everything))),
        names.JOB_INDEX: str(index),
        names.JOB_KEY: hashlib.sha1(key, usedforsecurity=False).hexdigest(),
        names.GLOBAL_INDEX: str(_before(everything, replicated) + index),
        names.GROUP: group,
        names.GROUP_REPLICAS: str(sum(map(replicas, same_group))),
        names.GROUP_INDEX: str(_before(same_group, replicated) + index),
    }
    if coordinator := meta.spec(job_set).get("coordinator"):
        marks[names.COORDINATOR] = _endpoint(job_set, coordinator)
    return marks


def _before(among: Any, replicated: Object) -> int:
    """How many Jobs come before those of `replicated`."""
    count = 0
    for each in among:
        if each["name"] == replicated["name"]:
            break
        count += replicas(each)
    return count


def _endpoint(job_set: Object, coordinator: Object) -> str:
    job, pod = int(coordinator.get("jobIndex") or 0), int(coordinator.get("podIndex") or 0)
    return f"{meta.name(job_set)}-{coordinator.get('replicatedJob')}-{job}-{pod}.{subdomain(job_set)}"


def _add_volumes(job_set: Object, pod_spec: Object) -> None:
    mounted = {
        mount.get("name")
        for key in ("containers", "initContainers")
        for container in pod_spec.get(key) or ()
        for mount in container.get("volumeMounts") or ()
    }
    for policy in meta.spec(job_set).get("volumeClaimPolicies") or ():
        for template in policy.get("templates") or ():
            if meta.name(template) in mounted:
                claim = {"claimName": claim_name(job_set, template)}
                volume = {"name": meta.name(template), "persistentVolumeClaim": claim}
                pod_spec["volumes"] = [*(pod_spec.get("volumes") or ()), volume]


def claims(job_set: Object) -> list[Object]:
    """The PersistentVolumeClaims of the set."""
    found = []
    for policy in meta.spec(job_set).get("volumeClaimPolicies") or ():
        for template in policy.get("templates") or ():
            metadata: Object = {
                "name": claim_name(job_set, template),
                "namespace": meta.namespace(job_set),
                "labels": {**meta.labels(template), names.NAME: meta.name(job_set)},
                "annotations": dict(meta.annotations(template)),
            }
            if (policy.get("retentionPolicy") or {}).get("whenDeleted") == "Delete":
                metadata["ownerReferences"] = [owners.owner_reference(job_set)]
            found.append({"metadata": metadata, "spec": deepcopy(meta.spec(template))})
    return found


def service(job_set: Object) -> Object:
    """The headless Service that gives the pods their names."""
    network = meta.spec(job_set).get("network") or {}
    publish = network.get("publishNotReadyAddresses")
    return {
        "metadata": {
            "name": subdomain(job_set),
            "namespace": meta.namespace(job_set),
            "ownerReferences": [owners.owner_reference(job_set)],
        },
        "spec": {
            "clusterIP": "None",
            "selector": {names.NAME: meta.name(job_set)},
            "publishNotReadyAddresses": True if publish is None else bool(publish),
        },
    }


def resumed(job: Object, replicated: Object) -> Object:
    """The change that resumes `job`, with what others, such as a queue, changed in the set's template meanwhile."""
    template = meta.spec(replicated.get("template") or {}).get("template") or {}
    mine, theirs = meta.spec(job)["template"], template
    metadata = {
        "labels": {**meta.labels(mine), **meta.labels(theirs)},
        "annotations": {**meta.annotations(mine), **meta.annotations(theirs)},
    }
    change: dict[str, Any] = {}
    before, after = meta.spec(mine), meta.spec(theirs)
    if after.get("nodeSelector"):
        change["nodeSelector"] = {**(before.get("nodeSelector") or {}), **after["nodeSelector"]}
    for key in ("tolerations", "schedulingGates"):
        if after.get(key):
            held = before.get(key) or []
            change[key] = [*held, *(each for each in after[key] if each not in held)]
    return {"suspend": False, "template": {"metadata": metadata, "spec": change}}
