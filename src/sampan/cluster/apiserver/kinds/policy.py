"""ResourceQuotas, LimitRanges and PriorityClasses: defaults, validation, columns.

Source: pkg/apis/core/validation/validation.go, pkg/apis/core/v1/defaults.go,
pkg/apis/scheduling/validation/validation.go, pkg/printers/internalversion/printers.go, v1.33.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from sampan.cluster.apiserver.strategy import Column, Strategy
from sampan.cluster.apiserver.tables import AGE, NAME
from sampan.kube import kinds, meta, names, quantities
from sampan.kube.fielderrors import FieldErrors
from sampan.kube.meta import Object

_SCOPES = (
    "BestEffort",
    "CrossNamespacePodAffinity",
    "NotBestEffort",
    "NotTerminating",
    "PriorityClass",
    "Terminating",
    "VolumeAttributesClass",
)
_LIMIT_TYPES = ("Container", "Pod", "PersistentVolumeClaim")
_ORDERED = (
    ("min", "max"),
    ("min", "default"),
    ("min", "defaultRequest"),
    ("default", "max"),
    ("defaultRequest", "max"),
    ("defaultRequest", "default"),
)
_CALLED = {
    "min": "min value",
    "max": "max value",
    "default": "default value",
    "defaultRequest": "default request value",
}
HIGHEST_OF_USERS = 1_000_000_000
SYSTEM_CLASSES = {
    "system-node-critical": 2_000_001_000,
    "system-cluster-critical": 2_000_000_000,
}


def parsed(value: Any) -> Decimal | None:
    try:
        return quantities.parse(value)
    except (ValueError, TypeError, ArithmeticError):
        return None


def _prepare_quota(quota: Object) -> None:
    quota["status"] = {}


def _validate_quota(quota: Object, errors: FieldErrors) -> None:
    spec = meta.spec(quota)
    for name, value in (spec.get("hard") or {}).items():
        errors.each(f"spec.hard[{name}]", name, names.qualified_name(name))
        _check_amount(f"spec.hard[{name}]", value, errors)
    scopes = spec.get("scopes") or []
    for scope in scopes:
        if scope not in _SCOPES:
            errors.invalid("spec.scopes", scopes, "unsupported scope")
    for a, b in (("BestEffort", "NotBestEffort"), ("Terminating", "NotTerminating")):
        if a in scopes and b in scopes:
            errors.invalid("spec.scopes", scopes, "conflicting scopes")
    for at, each in enumerate((spec.get("scopeSelector") or {}).get("matchExpressions") or ()):
        where = f"spec.scopeSelector.matchExpressions[{at}]"
        operator, values = each.get("operator"), each.get("values") or ()
        if each.get("scopeName") not in _SCOPES:
            errors.invalid(f"{where}.scopeName", each.get("scopeName"), "unsupported scope")
        if operator not in ("In", "NotIn", "Exists", "DoesNotExist"):
            errors.invalid(f"{where}.operator", operator, "not a valid selector operator")
        elif operator in ("In", "NotIn") and not values:
            text = "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector"
            errors.required(f"{where}.values", text)
        elif operator in ("Exists", "DoesNotExist") and values:
            text = "must be no value when `operator` is 'Exists' or 'DoesNotExist' for scope selector"
            errors.invalid(f"{where}.values", list(values), text)


def _check_amount(field: str, value: Any, errors: FieldErrors) -> None:
    amount = parsed(value)
    if amount is None:
        errors.invalid(field, value, "must be a quantity")
    elif amount < 0:
        errors.invalid(field, str(value), "must be greater than or equal to 0")


def _validate_quota_update(new: Object, old: Object, errors: FieldErrors) -> None:
    before, after = (sorted(meta.spec(each).get("scopes") or ()) for each in (old, new))
    if before != after:
        errors.invalid("spec.scopes", meta.spec(new).get("scopes"), "field is immutable")


def _used(quota: Object, *, limits: bool) -> str:
    hard = meta.spec(quota).get("hard") or {}
    used = meta.status(quota).get("used") or {}
    shown = [
        f"{name}: {used.get(name, '0')}/{hard[name]}"
        for name in sorted(hard)
        if name.startswith("limits.") is limits
    ]
    return ", ".join(shown)


def _default_limits(limit_range: Object) -> None:
    """For containers what is missing follows from what is there: default from max, defaultRequest from that or min."""
    for item in (limit_range.get("spec") or {}).get("limits") or ():
        if item.get("type") != "Container":
            continue
        default = {**(item.get("max") or {}), **(item.get("default") or {})}
        request = {**(item.get("min") or {}), **default, **(item.get("defaultRequest") or {})}
        if default:
            item["default"] = default
        if request:
            item["defaultRequest"] = request


def _validate_limits(limit_range: Object, errors: FieldErrors) -> None:
    seen: set[str] = set()
    for at, item in enumerate(meta.spec(limit_range).get("limits") or ()):
        where, kind = f"spec.limits[{at}]", str(item.get("type") or "")
        if kind not in _LIMIT_TYPES:
            errors.each(f"{where}.type", kind, names.qualified_name(kind))
        if kind in seen:
            errors.duplicate(f"{where}.type", kind)
        seen.add(kind)
        if kind == "PersistentVolumeClaim" and not any(
            "storage" in (item.get(key) or {}) for key in ("min", "max")
        ):
            text = "either minimum or maximum storage value is required, but neither was provided"
            errors.required(f"{where}.limits", text)
        if kind == "Pod":
            for key in ("default", "defaultRequest"):
                if item.get(key):
                    errors.forbidden(f"{where}.{key}", "may not be specified when `type` is 'Pod'")
        _validate_limit(item, where, errors)


def _validate_limit(item: Object, where: str, errors: FieldErrors) -> None:
    amounts: dict[str, dict[str, Decimal]] = {}
    for key in ("min", "max", "default", "defaultRequest", "maxLimitRequestRatio"):
        for name, value in (item.get(key) or {}).items():
            _check_amount(f"{where}.{key}[{name}]", value, errors)
            amount = parsed(value)
            if amount is not None:
                amounts.setdefault(name, {})[key] = amount
    for name, found in amounts.items():
        for low, high in _ORDERED:
            if low in found and high in found and found[low] > found[high]:
                least, most = item[low][name], item[high][name]
                text = f"{_CALLED[low]} {least} is greater than {_CALLED[high]} {most}"
                errors.invalid(f"{where}.{low}[{name}]", str(least), text)
        if "maxLimitRequestRatio" in found and found["maxLimitRequestRatio"] < 1:
            ratio = str(item["maxLimitRequestRatio"][name])
            errors.invalid(f"{where}.maxLimitRequestRatio[{name}]", ratio, f"ratio {ratio} is less than 1")


def _default_priority(priority: Object) -> None:
    priority.setdefault("preemptionPolicy", "PreemptLowerPriority")
    priority.setdefault("value", 0)


def _validate_priority(priority: Object, errors: FieldErrors) -> None:
    name, value = meta.name(priority), priority.get("value")
    if name.startswith("system-"):
        if SYSTEM_CLASSES.get(name) != value:
            why = f"{name} is not a known system priority class"
            if name in SYSTEM_CLASSES:
                why = f"value of {name} PriorityClass must be {SYSTEM_CLASSES[name]}"
            errors.forbidden(
                "metadata.name",
                f"priority class names with 'system-' prefix are reserved for system use only. error: {why}",
            )
    elif not isinstance(value, int) or value > HIGHEST_OF_USERS:
        errors.forbidden("value", f"maximum allowed value of a user defined priority is {HIGHEST_OF_USERS}")
    policies = ("Never", "PreemptLowerPriority")
    if priority.get("preemptionPolicy") not in policies:
        errors.unsupported("preemptionPolicy", priority.get("preemptionPolicy"), policies)


def _validate_priority_update(new: Object, old: Object, errors: FieldErrors) -> None:
    for field in ("value", "preemptionPolicy"):
        if new.get(field) != old.get(field):
            errors.forbidden(field, "may not be changed in an update.")


def _created(obj: Object, _: datetime) -> str:
    return str(obj["metadata"].get("creationTimestamp") or "")


STRATEGIES: tuple[Strategy, ...] = (
    Strategy(
        resource=kinds.RESOURCE_QUOTAS,
        prepare_create=_prepare_quota,
        validate=_validate_quota,
        validate_update=_validate_quota_update,
        returns_deleted=True,
        columns=(
            NAME,
            Column("Request", lambda quota, _: _used(quota, limits=False)),
            Column("Limit", lambda quota, _: _used(quota, limits=True)),
            AGE,
        ),
    ),
    Strategy(
        resource=kinds.LIMIT_RANGES,
        default=_default_limits,
        validate=_validate_limits,
        columns=(NAME, Column("Created At", _created, type="date")),
    ),
    Strategy(
        resource=kinds.PRIORITY_CLASSES,
        default=_default_priority,
        validate=_validate_priority,
        validate_update=_validate_priority_update,
        protected_names=frozenset(SYSTEM_CLASSES),
        columns=(
            NAME,
            Column("Value", lambda obj, _: obj.get("value", 0), type="integer"),
            Column("Global-Default", lambda obj, _: bool(obj.get("globalDefault")), type="boolean"),
            AGE,
            Column("PreemptionPolicy", lambda obj, _: obj.get("preemptionPolicy", "")),
        ),
    ),
)
