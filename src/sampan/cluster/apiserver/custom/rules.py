"""x-kubernetes-validations: the CEL rules of a schema, run over an object. Bounded for all of them together.

Source: apiextensions-apiserver/pkg/apiserver/schema/cel/validation.go and pkg/apis/apiextensions/validation, v1.31.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sampan.cluster.apiserver import cel
from sampan.cluster.apiserver.cel import checking
from sampan.cluster.apiserver.cel.conversions import duration
from sampan.cluster.apiserver.cel.data import Optional, some
from sampan.cluster.apiserver.custom.structural import MISSING, Node, Schema
from sampan.cluster.apiserver.custom.values import type_of
from sampan.kube.errors import Cause
from sampan.kube.fielderrors import FieldErrors
from sampan.lib.clock import parse_rfc3339

_MESSAGE_LIMIT = 5120
_NOWHERE = "<nil>"
_REASONS = {
    "FieldValueInvalid": ("FieldValueInvalid", 'Invalid value: "{type}": {message}'),
    "FieldValueForbidden": ("FieldValueForbidden", "Forbidden: {message}"),
    "FieldValueRequired": ("FieldValueRequired", "Required value: {message}"),
    "FieldValueDuplicate": ("FieldValueDuplicate", 'Duplicate value: "{type}"'),
}


@lru_cache(maxsize=4096)
def _program(text: str) -> cel.Program:
    return cel.compile_expression(text)


@lru_cache(maxsize=4096)
def _mentions_old(text: str) -> bool:
    tree = [_program(text).tree]
    while tree:
        node = tree.pop()
        if node.kind == "ident" and node.name == "oldSelf":
            return True
        tree += node.args
        if node.target is not None:
            tree.append(node.target)
    return False


# When the definition is written.


def check(rule: Mapping[str, Any], schema: Mapping[str, Any], path: str, errors: FieldErrors) -> None:
    """Whether the rule can be run at this place of the schema."""
    names = dict.fromkeys(("self", "oldSelf"), Node(dict(schema), embedded=_is_root(path)))
    if rule.get("optionalOldSelf"):
        names["oldSelf"] = Node({})
    text = rule.get("rule") or ""
    if not text.strip():
        errors.required(f"{path}.rule", "rule is not specified")
        return
    _compiled(text, names, f"{path}.rule", errors)
    if expression := rule.get("messageExpression"):
        _compiled(expression, names, f"{path}.messageExpression", errors)
    if "\n" in text and not (rule.get("message") or rule.get("messageExpression")):
        errors.required(f"{path}.message", "message must be specified if rule contains line breaks")
    if "\n" in (rule.get("message") or ""):
        errors.invalid(f"{path}.message", rule["message"], "message must not contain line breaks")
    reason = rule.get("reason")
    if reason and reason not in _REASONS:
        errors.unsupported(f"{path}.reason", reason, tuple(_REASONS))
    field_path = rule.get("fieldPath")
    if field_path and not field_path.startswith((".", "[")):
        errors.invalid(f"{path}.fieldPath", field_path, "fieldPath must be a valid path")


def _is_root(path: str) -> bool:
    return ".properties[" not in path and ".items" not in path and ".additionalProperties" not in path


def _compiled(text: str, names: checking.Names, path: str, errors: FieldErrors) -> None:
    try:
        checking.check(_program(text).tree, names)
    except (cel.CelError, RecursionError) as error:
        errors.invalid(path, text, f"compilation failed: {error}")


# When an object is written.


@dataclass(slots=True)
class _Run:
    errors: FieldErrors
    budget: cel.Budget
    update: bool


def validate(root: Node, obj: Any, old: Any, errors: FieldErrors) -> None:
    """`old` is the object as it was, None when there was none. The object already is as the schema says."""
    run = _Run(errors, cel.Budget(), old is not None)
    try:
        _walk(run, root, obj, MISSING if old is None else old, "")
    except cel.OverBudgetError as error:
        text = f"{error}, no further validation rules will be run"
        errors.causes.append(Cause("FieldValueInvalid", _NOWHERE, f'Invalid value: "": {text}'))


def _walk(run: _Run, node: Node, value: Any, old: Any, path: str) -> Any:
    """Runs the rules at and below; returns the value as CEL sees it."""
    if node.has_rules:
        if isinstance(value, dict):
            for key, each in value.items():
                child = node.property(key)
                where = f"{path}.{key}" if path else key
                if child is None:
                    child, where = node.additional, f"{path}[{key}]"
                if child is not None and child.has_rules:
                    before = old.get(key, MISSING) if isinstance(old, dict) else MISSING
                    _walk(run, child, each, before, where)
        elif isinstance(value, list) and node.items is not None and node.items.has_rules:
            before_by_key = _by_key(node, old)
            for at, each in enumerate(value):
                before = before_by_key.get(_key(node, each), MISSING) if before_by_key else MISSING
                _walk(run, node.items, each, before, f"{path}[{at}]")
    if node.rules and value is not None:
        _rules(run, node, value, old, path)
    return value


def _by_key(node: Node, old: Any) -> dict[Any, Any]:
    """Items can be told apart, and so have a before, where the list is a map of its items."""
    if node.list_type != "map" or not isinstance(old, list):
        return {}
    return {_key(node, each): each for each in old}


def _key(node: Node, item: Any) -> Any:
    return tuple(str(item.get(key)) for key in node.map_keys) if isinstance(item, dict) else None


def _rules(run: _Run, node: Node, value: Any, old: Any, path: str) -> None:
    unchanged = old is not MISSING and old == value
    seen = cel_value(node, value)
    before = MISSING if old is MISSING else cel_value(node, old)
    for rule in node.rules:
        text = rule.get("rule") or ""
        optional = rule.get("optionalOldSelf") is True
        variables = {"self": seen}
        if _safely_mentions_old(text):
            if optional:
                variables["oldSelf"] = Optional() if before is MISSING else some(before)
            elif before is MISSING:
                continue
            else:
                variables["oldSelf"] = before
        elif unchanged:
            # What was let in before the rule came may stay as it is.
            continue
        _rule(run, rule, variables, node, path)


def _safely_mentions_old(text: str) -> bool:
    try:
        return _mentions_old(text)
    except cel.CelError:
        return False


def _rule(run: _Run, rule: Schema, variables: dict[str, Any], node: Node, path: str) -> None:
    text = rule["rule"]
    try:
        passed = _program(text).run(variables, run.budget)
        if passed is True:
            return
        problem = "" if passed is False else "rule does not evaluate to bool evaluating rule: "
    except cel.CelError as error:
        problem = f"{error} evaluating rule: "
    message = rule.get("message") or f"failed rule: {' '.join(text.split())}"
    if not problem and (expression := rule.get("messageExpression")):
        message = _message(run, expression, variables) or message
    where = f"{path}{rule.get('fieldPath') or ''}".removeprefix(".") or _NOWHERE
    reason, form = _REASONS.get(rule.get("reason") or "", _REASONS["FieldValueInvalid"])
    shown = node.type or type_of(variables["self"])
    run.errors.causes.append(Cause(reason, where, form.format(type=shown, message=problem + message)))


def _message(run: _Run, expression: str, variables: dict[str, Any]) -> str:
    try:
        found = _program(expression).run(variables, run.budget)
    except cel.CelError:
        return ""
    fine = isinstance(found, str) and found.strip() and "\n" not in found and len(found) <= _MESSAGE_LIMIT
    return found.strip() if fine else ""


# How CEL sees a value of the schema: with numbers, times and bytes as what they are.


def cel_value(node: Node, value: Any) -> Any:
    if not _has_special(node):
        return value
    if isinstance(value, dict):
        found = {}
        for key, each in value.items():
            child = node.child(key)
            found[key] = each if child is None else cel_value(child, each)
        return found
    if isinstance(value, list):
        items = node.items
        return value if items is None else [cel_value(items, each) for each in value]
    if node.type == "number" and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if node.type == "integer" and isinstance(value, float):
        return int(value)
    if isinstance(value, str):
        return _text_value(node.raw.get("format") or "", value)
    return value


def _text_value(format_: str, value: str) -> Any:
    try:
        if format_ in ("date-time", "datetime"):
            return parse_rfc3339(value)
        if format_ == "date":
            return parse_rfc3339(f"{value}T00:00:00Z")
        if format_ == "duration":
            return duration(value)
        if format_ == "byte":
            return base64.b64decode(value)
    except (ValueError, binascii.Error, cel.CelError):
        return value
    return value


def _has_special(node: Node) -> bool:
    found = node.marks.get("special")
    if found is None:
        found = node.marks["special"] = _special(node.raw)
    return found


def _special(raw: Schema) -> bool:
    if raw.get("type") == "number" or raw.get("format") in (
        "date-time",
        "datetime",
        "date",
        "duration",
        "byte",
    ):
        return True
    below = [*(raw.get("properties") or {}).values(), raw.get("items"), raw.get("additionalProperties")]
    return any(isinstance(each, dict) and _special(each) for each in below)
