"""The claims that a JobSet makes: what may be said of them, and which claims of others stand in their way.

For `jobsets`, and for admission, which knows what is there already. Source: kubernetes-sigs/jobset
pkg/webhooks/jobset_webhook.go (validateVolumeClaimPolicies), api/jobset/v1alpha2/jobset_types.go, v0.12.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sampan.kube import meta, names, owners
from sampan.kube.admission import AdmissionRequest, Reader
from sampan.kube.errors import invalid
from sampan.kube.fielderrors import FieldErrors
from sampan.kube.kinds import JOB_SETS, PERSISTENT_VOLUME_CLAIMS
from sampan.kube.meta import Object

_PATH = "spec.volumeClaimPolicies"
_MOST = 50
"""Policies, and templates of each."""
_NAME_LIMIT = 63


def validate(job_set: Object, errors: FieldErrors) -> None:
    policies = meta.spec(job_set).get("volumeClaimPolicies") or ()
    if len(policies) > _MOST:
        errors.too_many(_PATH, len(policies), _MOST)
    for at, policy in enumerate(policies):
        kept = policy["retentionPolicy"]["whenDeleted"]
        if kept not in ("Delete", "Retain"):
            errors.unsupported(f"{_PATH}[{at}].retentionPolicy.whenDeleted", kept, ("Delete", "Retain"))
        if len(templates := policy.get("templates") or ()) > _MOST:
            errors.too_many(f"{_PATH}[{at}].templates", len(templates), _MOST)
        if any(meta.namespace(each) for each in templates):
            errors.invalid(
                f"{_PATH}[{at}]", "object", "namespace cannot be set for VolumeClaimPolicies templates"
            )
    mounts, volumes, seen = _mounts(job_set), list(_volumes(job_set)), set()
    for path, _, template in _templates(job_set):
        where, name = f"{path}.name", meta.name(template)
        if name in seen:
            errors.invalid(where, name, "names must be unique for VolumeClaimPolicies template")
        seen.add(name)
        errors.each(where, name, names.dns_subdomain(name))
        if len(claim_name(job_set, template)) > _NAME_LIMIT:
            errors.invalid(where, name, "VolumeClaimPolicies template name is too long")
        for volume_path, volume in volumes:
            if volume == name:
                detail = f"volume name conflicts with VolumeClaimPolicy template name: {name}"
                errors.invalid(volume_path, name, detail)
        if name not in mounts:
            detail = (
                f"replicatedJob containers don't have a matching volumeMount: {name} from VolumeClaimPolicies"
            )
            errors.invalid("spec.replicatedJobs", "", detail)


def admit(request: AdmissionRequest, job_set: Object, old: Object | None, reader: Reader) -> None:
    """A claim that is nobody's, a user's own or one that an earlier set has left, is taken by who would keep it, too.

    Upstream compares all of its spec, which its server has filled in meanwhile: here what the template says counts.
    Raises InvalidError.
    """
    errors = FieldErrors()
    for path, policy, template in () if old is not None else _templates(job_set):
        name = claim_name(job_set, template)
        there = reader.get(PERSISTENT_VOLUME_CLAIMS, name, request.namespace)
        if there is None or owners.controller_of(there) is not None:
            # A set's own claim is on its way out when another set of the name is made.
            continue
        wanted, has = meta.spec(template), meta.spec(there)
        if any(has.get(key) != value for key, value in wanted.items()):
            detail = f"spec does not match existing PVC {name} in namespace {request.namespace}"
            errors.invalid(f"{path}.spec", wanted, detail)
        if policy["retentionPolicy"]["whenDeleted"] != "Retain":
            where = f"{path.rpartition('.')[0]}.retentionPolicy.whenDeleted"
            errors.invalid(
                where,
                policy["retentionPolicy"]["whenDeleted"],
                "retentionPolicy must be retain when PVC exists",
            )
    if errors:
        raise invalid(JOB_SETS.group, JOB_SETS.kind, request.name, errors.causes)


def claim_name(job_set: Object, template: Object) -> str:
    return f"{meta.name(template)}-{meta.name(job_set)}"


def _templates(job_set: Object) -> Iterator[tuple[str, Object, Object]]:
    """Each with its path, as upstream writes it, and its policy."""
    for policy_at, policy in enumerate(meta.spec(job_set).get("volumeClaimPolicies") or ()):
        for at, template in enumerate(policy.get("templates") or ()):
            yield f"{_PATH}[{policy_at}].template[{at}]", policy, template


def _pods(job_set: Object) -> Iterator[tuple[str, Object]]:
    path = "spec.replicatedJobs[{}].template.spec.template.spec"
    for at, replicated in enumerate(meta.spec(job_set).get("replicatedJobs") or ()):
        yield path.format(at), replicated["template"]["spec"]["template"]["spec"]


def _mounts(job_set: Object) -> set[Any]:
    return {
        mount.get("name")
        for _, pod in _pods(job_set)
        for key in ("containers", "initContainers")
        for container in pod.get(key) or ()
        for mount in container.get("volumeMounts") or ()
    }


def _volumes(job_set: Object) -> Iterator[tuple[str, Any]]:
    for path, pod in _pods(job_set):
        for at, volume in enumerate(pod.get("volumes") or ()):
            yield f"{path}.volumes[{at}].name", volume.get("name")
