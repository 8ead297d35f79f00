"""Roles, ClusterRoles and their bindings: defaults, validation, columns.

Source: pkg/apis/rbac/validation/validation.go, pkg/apis/rbac/v1/defaults.go,
pkg/printers/internalversion/printers.go, v1.33.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sampan.cluster.apiserver.strategy import Column, Strategy
from sampan.cluster.apiserver.tables import AGE, NAME
from sampan.kube import names, rbac
from sampan.kube.fielderrors import FieldErrors
from sampan.kube.meta import Object

_SUBJECT_KINDS = ("ServiceAccount", "User", "Group")


def _validate_role(role: Object, errors: FieldErrors) -> None:
    _validate_rules(role, errors, namespaced=True)


def _validate_cluster_role(role: Object, errors: FieldErrors) -> None:
    _validate_rules(role, errors, namespaced=False)
    aggregation = role.get("aggregationRule")
    if aggregation is not None and not _objects(aggregation.get("clusterRoleSelectors")):
        errors.required(
            "aggregationRule.clusterRoleSelectors",
            "at least one clusterRoleSelector required if aggregationRule is non-nil",
        )


def _validate_rules(role: Object, errors: FieldErrors, *, namespaced: bool) -> None:
    for at, rule in enumerate(_objects(role.get("rules"))):
        where = f"rules[{at}]"
        if not rule.get("verbs"):
            errors.required(f"{where}.verbs", "verbs must contain at least one value")
        if urls := rule.get("nonResourceURLs"):
            if namespaced:
                text = "namespaced rules cannot apply to non-resource URLs"
                errors.invalid(f"{where}.nonResourceURLs", urls, text)
            if rule.get("apiGroups") or rule.get("resources") or rule.get("resourceNames"):
                text = "rules cannot apply to both regular resources and non-resource URLs"
                errors.invalid(f"{where}.nonResourceURLs", urls, text)
            continue
        if not rule.get("apiGroups"):
            errors.required(f"{where}.apiGroups", "resource rules must supply at least one api group")
        if not rule.get("resources"):
            errors.required(f"{where}.resources", "resource rules must supply at least one resource")


def _objects(value: Any) -> list[Object]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _default_binding(binding: Object) -> None:
    reference = binding.get("roleRef")
    if isinstance(reference, dict) and not reference.get("apiGroup"):
        reference["apiGroup"] = rbac.GROUP
    for subject in _objects(binding.get("subjects")):
        if not subject.get("apiGroup") and subject.get("kind") in ("User", "Group"):
            subject["apiGroup"] = rbac.GROUP


def _validate_role_binding(binding: Object, errors: FieldErrors) -> None:
    _validate_reference(binding, ("Role", "ClusterRole"), errors)
    _validate_subjects(binding, errors, namespaced=True)


def _validate_cluster_binding(binding: Object, errors: FieldErrors) -> None:
    _validate_reference(binding, ("ClusterRole",), errors)
    _validate_subjects(binding, errors, namespaced=False)


def _validate_reference(binding: Object, kinds: Iterable[str], errors: FieldErrors) -> None:
    reference = binding.get("roleRef")
    reference = reference if isinstance(reference, dict) else {}
    if reference.get("apiGroup") != rbac.GROUP:
        errors.unsupported("roleRef.apiGroup", reference.get("apiGroup") or "", (rbac.GROUP,))
    if reference.get("kind") not in tuple(kinds):
        errors.unsupported("roleRef.kind", reference.get("kind") or "", kinds)
    name = reference.get("name") or ""
    if not name:
        errors.required("roleRef.name")
    else:
        errors.each("roleRef.name", name, names.path_segment(str(name)))


def _validate_subjects(binding: Object, errors: FieldErrors, *, namespaced: bool) -> None:
    for at, subject in enumerate(_objects(binding.get("subjects"))):
        where, name = f"subjects[{at}]", subject.get("name") or ""
        kind, group = subject.get("kind") or "", subject.get("apiGroup") or ""
        if not name:
            errors.required(f"{where}.name")
        if kind not in _SUBJECT_KINDS:
            errors.unsupported(f"{where}.kind", kind, _SUBJECT_KINDS)
        elif kind == "ServiceAccount":
            if name:
                errors.each(f"{where}.name", name, names.dns_subdomain(str(name)))
            if group:
                errors.unsupported(f"{where}.apiGroup", group, ("",))
            if not namespaced and not subject.get("namespace"):
                errors.required(f"{where}.namespace")
        elif group != rbac.GROUP:
            errors.unsupported(f"{where}.apiGroup", group, (rbac.GROUP,))


def _validate_binding_update(new: Object, old: Object, errors: FieldErrors) -> None:
    if new.get("roleRef") != old.get("roleRef"):
        errors.invalid("roleRef", new.get("roleRef"), "cannot change roleRef")


def _created(obj: Object, _: datetime) -> str:
    return str(obj["metadata"].get("creationTimestamp") or "")


def _role_of(binding: Object, _: datetime) -> str:
    reference = binding.get("roleRef") or {}
    return f"{reference.get('kind', '')}/{reference.get('name', '')}"


def _bound(kind: str) -> Any:
    def read(binding: Object, _: datetime) -> str:
        found = []
        for subject in _objects(binding.get("subjects")):
            if subject.get("kind") == kind:
                namespace = f"{subject.get('namespace', '')}/" if kind == "ServiceAccount" else ""
                found.append(f"{namespace}{subject.get('name', '')}")
        return ", ".join(found)

    return read


_ROLE_COLUMNS = (NAME, Column("Created At", _created, type="date"))
_BINDING_COLUMNS = (
    NAME,
    Column("Role", _role_of),
    AGE,
    Column("Users", _bound("User"), priority=1),
    Column("Groups", _bound("Group"), priority=1),
    Column("ServiceAccounts", _bound("ServiceAccount"), priority=1),
)

STRATEGIES: tuple[Strategy, ...] = (
    Strategy(
        resource=rbac.ROLES, name_rule=names.path_segment, validate=_validate_role, columns=_ROLE_COLUMNS
    ),
    Strategy(
        resource=rbac.ROLE_BINDINGS,
        name_rule=names.path_segment,
        default=_default_binding,
        validate=_validate_role_binding,
        validate_update=_validate_binding_update,
        columns=_BINDING_COLUMNS,
    ),
    Strategy(
        resource=rbac.CLUSTER_ROLES,
        name_rule=names.path_segment,
        validate=_validate_cluster_role,
        columns=_ROLE_COLUMNS,
    ),
    Strategy(
        resource=rbac.CLUSTER_ROLE_BINDINGS,
        name_rule=names.path_segment,
        default=_default_binding,
        validate=_validate_cluster_binding,
        validate_update=_validate_binding_update,
        columns=_BINDING_COLUMNS,
    ),
)
