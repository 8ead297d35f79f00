"""Whether the CEL of webhooks and policies can be run, looked at when it is written. Called by `admissions`.

Source: kubernetes/pkg/apis/admissionregistration/validation/validation.go, v1.34.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sampan.cluster.apiserver import cel
from sampan.cluster.apiserver.cel import checking
from sampan.kube.fielderrors import FieldErrors
from sampan.kube.meta import Object

_POLICY_NAMES = ("object", "oldObject", "request", "authorizer", "namespaceObject")


def check_conditions(conditions: Iterable[Any], path: str, known: Iterable[str], errors: FieldErrors) -> None:
    seen: set[str] = set()
    for at, condition in enumerate(conditions):
        where, name = f"{path}.matchConditions[{at}]", condition.get("name") or ""
        if not name:
            errors.required(f"{where}.name")
        elif name in seen:
            errors.duplicate(f"{where}.name", name)
        seen.add(name)
        _check(condition.get("expression"), f"{where}.expression", known, errors)


def check_policy(spec: Object, errors: FieldErrors) -> None:
    known = _POLICY_NAMES if spec.get("paramKind") is None else (*_POLICY_NAMES, "params")
    check_conditions(spec.get("matchConditions") or (), "spec", known, errors)
    known = (*known, "variables")
    for at, variable in enumerate(spec.get("variables") or ()):
        if not variable.get("name"):
            errors.required(f"spec.variables[{at}].name")
        _check(variable.get("expression"), f"spec.variables[{at}].expression", known, errors)
    for at, validation in enumerate(spec.get("validations") or ()):
        for key in ("expression", "messageExpression"):
            # A missing expression is told of already.
            if str(validation.get(key) or "").strip():
                _check(validation[key], f"spec.validations[{at}].{key}", known, errors)
    for at, annotation in enumerate(spec.get("auditAnnotations") or ()):
        path = f"spec.auditAnnotations[{at}].valueExpression"
        _check(annotation.get("valueExpression"), path, known, errors)


def _check(text: Any, path: str, known: Iterable[str], errors: FieldErrors) -> None:
    if not str(text or "").strip():
        errors.required(path)
        return
    try:
        checking.check(cel.compile_expression(str(text)).tree, dict.fromkeys(known))
    except (cel.CelError, RecursionError) as error:
        errors.invalid(path, text, f"compilation failed: {error}")
