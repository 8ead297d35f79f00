"""Reading objects that may hold anything: what is not of the type asked for reads as nothing.

Schemas see to types where objects are stored; defaults and checks come before that, and clusters of others may have
definitions of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sampan.kube.meta import Object


def mapping(value: Any) -> Object:
    return value if isinstance(value, dict) else {}


def child(value: Any, *keys: str) -> Object:
    """Of nested objects."""
    for key in keys:
        value = mapping(value).get(key)
    return mapping(value)


def mappings(value: Any) -> list[Object]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def texts(value: Any) -> list[str]:
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def by_text(value: Any) -> dict[str, str]:
    """Such as labels."""
    return {
        key: each for key, each in mapping(value).items() if isinstance(key, str) and isinstance(each, str)
    }


def whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def named(values: Any, name: str) -> Mapping[str, Any] | None:
    """The first item of a list with this name."""
    return next((each for each in mappings(values) if each.get("name") == name), None)
