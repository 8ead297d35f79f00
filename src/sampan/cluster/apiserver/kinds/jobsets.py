"""JobSets: what upstream's custom resource and its webhooks default and refuse.

Source: kubernetes-sigs/jobset api/jobset/v1alpha2/jobset_types.go, pkg/webhooks/jobset_webhook.go, v0.11.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sampan.cluster.apiserver.kinds import jobsetclaims as claims
from sampan.cluster.apiserver.kinds.jobspecs import validate_manager
from sampan.cluster.apiserver.kinds.templates import read
from sampan.cluster.apiserver.strategy import Column, Strategy
from sampan.cluster.apiserver.tables import AGE, NAME
from sampan.kube import conditions, kinds, meta, names
from sampan.kube.fielderrors import FieldErrors
from sampan.kube.meta import Object

_REASONS = (
    "BackoffLimitExceeded",
    "DeadlineExceeded",
    "FailedIndexes",
    "MaxFailedIndexesExceeded",
    "PodFailurePolicy",
)
_RESTART_JOB = ("RestartJob", "RestartJobAndIgnoreMaxRestarts")
_ACTIONS = ("FailJobSet", "RestartJobSet", "RestartJobSetAndIgnoreMaxRestarts", *_RESTART_JOB)
_STRATEGIES = ("Recreate", "BlockingRecreate", "InPlaceRestart")
_RULE_NAME = re.compile(r"[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?")
_RULE_NAME_LIMIT = 128
_LABEL_LIMIT = 63
_PODS_LIMIT = 2**31 - 1
_DEPENDS_LIMIT = 5
_IMMUTABLE = "Value is immutable"
_CHANGEABLE_WHILE_SUSPENDED = ("nodeSelector", "tolerations", "schedulingGates")


def _default(job_set: Object) -> None:
    spec = job_set.setdefault("spec", {})
    spec.setdefault("successPolicy", {"operator": "All"})
    spec.setdefault("startupPolicy", {"startupPolicyOrder": "AnyOrder"})
    network = spec.setdefault("network", {})
    for key in ("enableDNSHostnames", "publishNotReadyAddresses"):
        if network.get(key) is None:
            network[key] = True
    for replicated in spec.get("replicatedJobs") or ():
        replicated.setdefault("replicas", 1)
        replicated["groupName"] = replicated.get("groupName") or "default"
        job_spec = replicated.setdefault("template", {}).setdefault("spec", {})
        job_spec.setdefault("completionMode", "Indexed")
        pod_spec = job_spec.setdefault("template", {}).setdefault("spec", {})
        pod_spec["restartPolicy"] = pod_spec.get("restartPolicy") or "OnFailure"
    if (policy := spec.get("failurePolicy")) is not None:
        policy["restartStrategy"] = policy.get("restartStrategy") or "Recreate"
        for at, rule in enumerate(policy.get("rules") or ()):
            rule["name"] = rule.get("name") or f"failurePolicyRule{at}"
    for policy in spec.get("volumeClaimPolicies") or ():
        policy.setdefault("retentionPolicy", {}).setdefault("whenDeleted", "Delete")


def _validate(job_set: Object, errors: FieldErrors) -> None:
    spec = job_set["spec"]
    replicated = spec.get("replicatedJobs") or []
    known = [str(each.get("name") or "") for each in replicated]
    if (spec.get("ttlSecondsAfterFinished") or 0) < 0:
        errors.invalid(
            "spec.ttlSecondsAfterFinished",
            spec["ttlSecondsAfterFinished"],
            "spec.ttlSecondsAfterFinished in body should be greater than or equal to 0",
        )
    _validate_order(spec, replicated, errors)
    _validate_network(spec["network"], errors)
    if manager := spec.get("managedBy"):
        validate_manager(manager, "spec.managedBy", errors)
    for at, each in enumerate(replicated):
        _validate_replicated(job_set, each, f"spec.replicatedJobs[{at}]", known[: at + 1], errors)
    for name in {name for name in known if known.count(name) > 1}:
        errors.duplicate("spec.replicatedJobs", {"name": name})
    _validate_success(spec["successPolicy"], known, errors)
    if (policy := spec.get("failurePolicy")) is not None:
        _validate_failure(policy, known, errors)
    if (coordinator := spec.get("coordinator")) is not None:
        _validate_coordinator(job_set, coordinator, replicated, errors)
    claims.validate(job_set, errors)


def _validate_order(spec: Object, replicated: Sequence[Object], errors: FieldErrors) -> None:
    order = spec["startupPolicy"].get("startupPolicyOrder")
    if order not in ("AnyOrder", "InOrder"):
        errors.unsupported("spec.startupPolicy.startupPolicyOrder", order, ("AnyOrder", "InOrder"))
    depends = any("dependsOn" in each for each in replicated)
    if order == "InOrder" and depends:
        errors.invalid("spec", "object", "StartupPolicy and DependsOn APIs are mutually exclusive")
    if replicated and replicated[0].get("dependsOn") is not None:
        errors.forbidden(
            "spec.replicatedJobs[0].dependsOn", "DependsOn can't be set for the first ReplicatedJob"
        )


def _validate_network(network: Object, errors: FieldErrors) -> None:
    subdomain = network.get("subdomain")
    if subdomain:
        field = "spec.network.subdomain"
        errors.each(field, subdomain, names.dns_subdomain(subdomain))
        too_long = ".spec.network.subdomain is too long, must be less than 63 characters"
        errors.each(field, subdomain, _label_problems(subdomain, too_long))


def _label_problems(value: str, too_long: str) -> list[str]:
    """Of a DNS label; `too_long` says what is too long about it."""
    return [
        too_long if problem.startswith("must be no more than") else problem
        for problem in names.dns_1035_label(value)
    ]


def _validate_replicated(
    job_set: Object, replicated: Object, path: str, known: Sequence[str], errors: FieldErrors
) -> None:
    name, replicas = known[-1], replicated["replicas"]
    job_spec = replicated["template"]["spec"]
    if replicas < 0:
        errors.invalid(
            f"{path}.replicas", replicas, f"{path}.replicas in body should be greater than or equal to 0"
        )
        return
    if (job_spec.get("parallelism") or 1) * replicas > _PODS_LIMIT:
        errors.invalid(
            f"{path}.replicas",
            replicas,
            f"the product of replicas and parallelism must not exceed {_PODS_LIMIT} for replicatedJob '{name}'",
        )
    too_long = ".spec.replicatedJob[].groupName is too long, must be less than 63 characters"
    group = replicated["groupName"]
    errors.each(f"{path}.groupName", group, _label_problems(group, too_long))
    longest_job = (
        f"{meta.name(job_set)}-{name}-{replicas - 1}" if replicas else f"{meta.name(job_set)}-{name}-0"
    )
    too_long = "JobSet name is too long, job names generated for this JobSet will exceed 63 characters"
    errors.each(f"{path}.name", longest_job, _label_problems(longest_job, too_long))
    if job_spec["completionMode"] == "Indexed" and job_spec.get("completions"):
        longest_pod = f"{longest_job}-{job_spec['completions'] - 1}-abcde"
        too_long = "JobSet name is too long, pod names generated for this JobSet will exceed 63 characters"
        errors.each(f"{path}.name", longest_job, _label_problems(longest_pod, too_long))
    depends = replicated.get("dependsOn") or ()
    if len(depends) > _DEPENDS_LIMIT:
        errors.too_many(f"{path}.dependsOn", len(depends), _DEPENDS_LIMIT)
    for at, needed in enumerate(depends):
        where = f"{path}.dependsOn[{at}]"
        if needed.get("name") not in known:
            detail = f"replicatedJob: {name} cannot depend on replicatedJob: {needed.get('name')}"
            errors.invalid(f"{where}.name", needed.get("name"), detail)
        if needed.get("status") not in ("Ready", "Complete"):
            errors.unsupported(f"{where}.status", needed.get("status"), ("Ready", "Complete"))


def _validate_success(policy: Object, known: Sequence[str], errors: FieldErrors) -> None:
    if policy.get("operator") not in ("All", "Any"):
        errors.unsupported("spec.successPolicy.operator", policy.get("operator"), ("All", "Any"))
    for name in policy.get("targetReplicatedJobs") or ():
        if name not in known:
            detail = f"invalid replicatedJob name '{name}' does not appear in .spec.ReplicatedJobs"
            errors.invalid("spec.successPolicy.targetReplicatedJobs", name, detail)


def _validate_failure(policy: Object, known: Sequence[str], errors: FieldErrors) -> None:
    path = "spec.failurePolicy"
    strategy = policy["restartStrategy"]
    if strategy not in _STRATEGIES:
        errors.unsupported(f"{path}.restartStrategy", strategy, _STRATEGIES)
    elif strategy == "InPlaceRestart":
        detail = "InPlaceRestart restart strategy cannot be set when InPlaceRestart feature gate is disabled"
        errors.forbidden(f"{path}.restartStrategy", detail)
    rules = policy.get("rules") or ()
    for at, rule in enumerate(rules):
        _validate_rule(rule, f"{path}.rules[{at}]", known, errors)
    for name in dict.fromkeys(rule["name"] for rule in rules):
        same = [at for at, rule in enumerate(rules) if rule["name"] == name]
        if len(same) > 1:
            listed = " ".join(map(str, same))
            detail = (
                f"rule names are not unique, rules with indices [{listed}] all have the same name '{name}'"
            )
            errors.invalid(f"{path}.rules", name, detail)


def _validate_rule(rule: Object, path: str, known: Sequence[str], errors: FieldErrors) -> None:
    name, action = rule["name"], rule.get("action")
    if len(name) > _RULE_NAME_LIMIT:
        errors.invalid(
            f"{path}.name",
            name,
            f"invalid failure policy rule name of length {len(name)}, the rule name must be at least 1 characters "
            f"long and at most {_RULE_NAME_LIMIT} characters long",
        )
    if not _RULE_NAME.fullmatch(name):
        errors.invalid(
            f"{path}.name",
            name,
            f"invalid failure policy rule name '{name}', a failure policy rule name must start with an alphabetic "
            "character, optionally followed by a string of alphanumeric characters or '_,:', and must end with an "
            "alphanumeric character or '_'",
        )
    if action not in _ACTIONS:
        errors.unsupported(f"{path}.action", action, _ACTIONS)
    elif action in _RESTART_JOB:
        detail = (
            "RestartJob and RestartJobAndIgnoreMaxRestarts failure policy actions are not allowed when RestartJob "
            "feature gate is disabled"
        )
        errors.forbidden(f"{path}.action", detail)
    for target in rule.get("targetReplicatedJobs") or ():
        if target not in known:
            detail = f"invalid replicatedJob name '{target}' in failure policy does not appear in .spec.ReplicatedJobs"
            errors.invalid(f"{path}.targetReplicatedJobs", target, detail)
    for reason in rule.get("onJobFailureReasons") or ():
        if reason not in _REASONS:
            detail = f"invalid job failure reason '{reason}' in failure policy is not a recognized job failure reason"
            errors.invalid(f"{path}.onJobFailureReasons", reason, detail)


def _validate_coordinator(
    job_set: Object, coordinator: Object, replicated: Sequence[Object], errors: FieldErrors
) -> None:
    path, name = "spec.coordinator", coordinator.get("replicatedJob")
    job_index, pod_index = coordinator.get("jobIndex") or 0, coordinator.get("podIndex") or 0
    found = next((each for each in replicated if each.get("name") == name), None)
    if found is None:
        detail = f"coordinator replicatedJob {name} does not exist"
        errors.invalid(f"{path}.replicatedJob", name, detail)
        return
    job_spec = found["template"]["spec"]
    completions = job_spec.get("completions")
    if not 0 <= job_index < found["replicas"]:
        detail = f"coordinator job index {job_index} is invalid for replicatedJob {name}"
        errors.invalid(f"{path}.jobIndex", job_index, detail)
    elif job_spec["completionMode"] != "Indexed" or completions is None:
        detail = "job for coordinator pod must be indexed completion mode, and completions number must be set"
        errors.invalid(f"{path}.replicatedJob", name, detail)
    elif not 0 <= pod_index < completions:
        detail = (
            f"coordinator pod index {pod_index} is invalid for replicatedJob {name} job index {job_index}"
        )
        errors.invalid(f"{path}.podIndex", pod_index, detail)
    subdomain = job_set["spec"]["network"].get("subdomain") or meta.name(job_set)
    endpoint = f"{meta.name(job_set)}-{name}-{job_index}-{pod_index}.{subdomain}"
    if len(endpoint) > _LABEL_LIMIT:
        label = "jobset.sigs.k8s.io/coordinator"
        detail = (
            f'spec will lead to invalid label value "{endpoint}" for coordinator label "{label}" (long JobSet / '
            f"ReplicatedJob / SubDomain name?): must be no more than {_LABEL_LIMIT} characters"
        )
        errors.invalid(path, endpoint, detail)


def _validate_update(new: Object, old: Object, errors: FieldErrors) -> None:
    after, before = new["spec"], old["spec"]
    for key in ("network", "successPolicy", "failurePolicy", "startupPolicy", "volumeClaimPolicies"):
        # As upstream, whose rules compare two values: what was not there may be added, what was may be taken away.
        if key in before and key in after and after[key] != before[key]:
            errors.invalid(f"spec.{key}", after[key], _IMMUTABLE)
    suspended = bool(before.get("suspend") or after.get("suspend"))
    if _fixed(after, suspended) != _fixed(before, suspended):
        errors.invalid("spec.replicatedJobs", after.get("replicatedJobs"), "field is immutable")
    if after.get("managedBy") != before.get("managedBy"):
        errors.invalid("spec.managedBy", after.get("managedBy"), "field is immutable")


def _fixed(spec: Object, suspended: bool) -> list[Any]:
    """The replicated jobs, without what may change while the set is suspended."""
    replicated = spec.get("replicatedJobs") or []
    return [_without_changeable(each) for each in replicated] if suspended else replicated


def _without_changeable(replicated: Object) -> Object:
    job_spec = replicated["template"]["spec"]
    template = job_spec["template"]
    metadata = {
        key: value for key, value in meta.metadata(template).items() if key not in ("labels", "annotations")
    }
    pod_spec = {
        key: value for key, value in template["spec"].items() if key not in _CHANGEABLE_WHILE_SUSPENDED
    }
    fixed = {**template, "metadata": metadata, "spec": pod_spec}
    return {**replicated, "template": {**replicated["template"], "spec": {**job_spec, "template": fixed}}}


def _completed(job_set: Object, _: datetime) -> str:
    return str((conditions.find(job_set, "Completed") or {}).get("status") or "")


STRATEGY = Strategy(
    resource=kinds.JOB_SETS,
    default=_default,
    validate=_validate,
    validate_update=_validate_update,
    generations=True,
    unconditional_update=False,
    columns=(
        NAME,
        Column("TerminalState", read("status.terminalState", ""), description="Final state of JobSet"),
        Column("Restarts", read("status.restarts", ""), description="Number of restarts"),
        Column("Completed", _completed),
        Column("Suspended", read("spec.suspend", ""), description="JobSet suspended"),
        AGE,
    ),
)
