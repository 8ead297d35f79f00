"""Jobs of Training Operator: one table of what each kind asks of its roles, and what all ask.

Source: kubeflow/training-operator 1.9 pkg/webhooks and pkg/common/util/webhooks.go. Beyond upstream, whose webhook of
PyTorchJob compares a job with itself and that of JAXJob does not look: managedBy may not change in any kind.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sampan.components.training.api.contracts import CONTRACTS, Contract
from sampan.components.training.engine.validation.reading import at, each, number
from sampan.kube import meta, names
from sampan.kube.fielderrors import FieldErrors
from sampan.kube.meta import Object

MANAGERS = ("kubeflow.org/training-operator", "kueue.x-k8s.io/multikueue")


@dataclass(frozen=True, slots=True)
class _Rules:
    knows_roles: bool = True
    """Whether a role that the kind does not have is refused."""
    single: str = ""
    """The role of which there is exactly one, where it is there."""
    needs_single: bool = False
    one_of: tuple[str, ...] = ()
    """Roles of which a job may have one."""
    at_least_one: bool = False
    """Whether the other roles need a replica."""
    quotes_container: bool = False


_RULES: Mapping[str, _Rules] = {
    "TFJob": _Rules(knows_roles=False, one_of=("Chief", "Master")),
    "PyTorchJob": _Rules(single="Master", at_least_one=True),
    "XGBoostJob": _Rules(single="Master", needs_single=True),
    "JAXJob": _Rules(),
    "PaddleJob": _Rules(quotes_container=True),
}


def check(job: Object, old: Object | None, errors: FieldErrors) -> None:
    kind = str(job.get("kind") or "")
    contract, rules = CONTRACTS[kind], _RULES[kind]
    for problem in names.dns_1035_label(meta.name(job)):
        errors.invalid("metadata.name", meta.name(job), f"should match: {problem}")
    check_manager(job, old, MANAGERS, errors)
    if kind == "PyTorchJob":
        _elastic(meta.spec(job), errors)
    _roles(contract, rules, meta.spec(job), errors)


def check_manager(job: Object, old: Object | None, known: tuple[str, ...], errors: FieldErrors) -> None:
    """That spec.runPolicy.managedBy stays what it is, and is somebody."""
    manager = at(job, "spec", "runPolicy").get("managedBy")
    path = "spec.runPolicy.managedBy"
    if old is not None and at(old, "spec", "runPolicy").get("managedBy") != manager:
        errors.invalid(path, manager, "field is immutable")
    if manager is not None and manager not in known:
        errors.unsupported(path, manager, known)


def _elastic(spec: Mapping[str, Any], errors: FieldErrors) -> None:
    policy = spec.get("elasticPolicy")
    if not isinstance(policy, Mapping):
        return
    if "Worker" not in at(spec, "pytorchReplicaSpecs"):
        errors.required("spec.pytorchReplicaSpecs[Worker]", "must be configured if elastic policy is used")
    if policy.get("nProcPerNode") is not None and spec.get("nprocPerNode") is not None:
        errors.forbidden("spec.elasticPolicy.nProcPerNode", "must not be used with spec.nprocPerNode")


def _roles(contract: Contract, rules: _Rules, spec: Mapping[str, Any], errors: FieldErrors) -> None:
    path = f"spec.{contract.replica_specs}"
    roles = spec.get(contract.replica_specs)
    if not isinstance(roles, Mapping):
        errors.required(path, "must be required")
        roles = {}
    for role, replica in roles.items():
        place = f"{path}[{role}]"
        if rules.knows_roles and role not in contract.roles:
            errors.unsupported(place, role, contract.roles, in_order=True)
        _containers(contract, rules, replica, f"{place}.template.spec.containers", errors)
        replicas = number(at(replica).get("replicas"))
        if role == rules.single:
            if replicas != 1:
                errors.forbidden(f"{place}.replicas", "must be 1")
        elif rules.at_least_one and replicas is not None and replicas < 1:
            errors.forbidden(f"{place}.replicas", "must be at least 1")
    if sum(role in rules.one_of for role in roles) > 1:
        errors.forbidden(path, f"must not have more than 1 {' or '.join(rules.one_of)} role")
    if rules.needs_single and rules.single not in roles:
        errors.required(f"{path}[{rules.single}]", "must be present")


def _containers(contract: Contract, rules: _Rules, replica: Any, path: str, errors: FieldErrors) -> None:
    containers = list(each(replica, "template", "spec", "containers"))
    if not containers:
        errors.required(path, "must be specified")
    for place, container in enumerate(containers):
        if not container.get("image"):
            errors.required(f"{path}[{place}].image", "must be required")
    if not any(container.get("name") == contract.container for container in containers):
        name = f'"{contract.container}"' if rules.quotes_container else contract.container
        errors.required(path, f"must have at least one container with name {name}")
