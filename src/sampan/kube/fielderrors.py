"""Collecting what is wrong with an object, field by field, in Kubernetes' words.

Source: k8s.io/apimachinery/pkg/util/validation/field/errors.go, v1.31.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from sampan.kube.errors import Cause


class FieldErrors:
    """Grows while an object is validated; empty means valid."""

    def __init__(self) -> None:
        self.causes: list[Cause] = []

    def __bool__(self) -> bool:
        return bool(self.causes)

    def required(self, field: str, detail: str = "") -> None:
        self._add("FieldValueRequired", field, "Required value", detail)

    def invalid(self, field: str, value: Any, detail: str) -> None:
        self._add("FieldValueInvalid", field, f"Invalid value: {_shown(value)}", detail)

    def invalid_as_a_whole(self, field: str, detail: str) -> None:
        """Of an object that is too much to show."""
        self._add("FieldValueInvalid", field, "Invalid value", detail)

    def too_long(self, field: str, limit: int) -> None:
        self._add("FieldValueTooLong", field, "Too long", f"may not be more than {limit} bytes")

    def too_many(self, field: str, count: int, limit: int) -> None:
        items = "item" if limit == 1 else "items"
        self._add("FieldValueTooMany", field, f"Too many: {count}", f"must have at most {limit} {items}")

    def wrong_type(self, field: str, value: Any, detail: str) -> None:
        self._add("FieldValueTypeInvalid", field, f"Invalid value: {_shown(value)}", detail)

    def duplicate(self, field: str, value: Any) -> None:
        self._add("FieldValueDuplicate", field, f"Duplicate value: {_shown(value)}")

    def forbidden(self, field: str, detail: str) -> None:
        self._add("FieldValueForbidden", field, "Forbidden", detail)

    def unsupported(
        self, field: str, value: Any, supported: Iterable[str], *, in_order: bool = False
    ) -> None:
        """`in_order`: as given, which is how a schema's enum is told."""
        listed = supported if in_order else sorted(supported)
        choices = ", ".join(json.dumps(choice, ensure_ascii=False) for choice in listed)
        self._add(
            "FieldValueNotSupported",
            field,
            f"Unsupported value: {_shown(value)}",
            f"supported values: {choices}",
        )

    def not_found(self, field: str, value: Any) -> None:
        self._add("FieldValueNotFound", field, f"Not found: {_shown(value)}")

    def each(self, field: str, value: Any, problems: Iterable[str]) -> None:
        """One `invalid` for each of a name rule's findings."""
        for problem in problems:
            self.invalid(field, value, problem)

    def _add(self, reason: str, field: str, what: str, detail: str = "") -> None:
        self.causes.append(Cause(reason, field, f"{what}: {detail}" if detail else what))


def _shown(value: Any) -> str:
    if value is None:
        return "null"
    text = json.dumps(value, separators=(",", ":"), default=str, ensure_ascii=False)
    # An object of megabytes would make an error of megabytes.
    return text if len(text) <= 512 else text[:509] + "..."
