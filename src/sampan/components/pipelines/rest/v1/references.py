"""Resource references: how v1 says which namespace, experiment, pipeline or version something belongs to. Pure.

Source: kubeflow/pipelines 2.17, backend/src/apiserver/server/api_util.go and list_request_util.go.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sampan.components.pipelines.api.errors import InvalidArgumentError
from sampan.components.pipelines.api.wire import present
from sampan.components.pipelines.api.wire_messages_v1 import ResourceType

References = Iterable[Mapping[str, Any]]


def referred(references: References, kind: ResourceType) -> str:
    """The id of the first reference to something of that kind, or nothing."""
    for reference in references:
        key = reference.get("key", {})
        if key.get("type") == kind.name and key.get("id"):
            return str(key["id"])
    return ""


def checked(references: References, path: str, allowed: Iterable[ResourceType]) -> None:
    """Raises InvalidArgumentError for a reference to what this message cannot belong to."""
    names = [kind.name for kind in allowed]
    for index, reference in enumerate(references):
        kind = reference.get("key", {}).get("type", ResourceType.UNKNOWN_RESOURCE_TYPE.name)
        if kind not in names:
            raise InvalidArgumentError(
                f"{path}.resource_references[{index}].key.type must be one of {', '.join(names)}, not {kind}"
            )


def queried(query: Mapping[str, str], name: str) -> tuple[ResourceType | None, str]:
    """The resource key in a query (`name.type`, `name.id`). Raises InvalidArgumentError."""
    text, key = query.get(f"{name}.type", ""), query.get(f"{name}.id", "")
    if not text:
        if key:
            raise InvalidArgumentError(f"{name}.type must say of what kind {name}.id is, such as EXPERIMENT")
        return None, ""
    for kind in ResourceType:
        if text in (kind.name, str(kind.value)) and kind is not ResourceType.UNKNOWN_RESOURCE_TYPE:
            return kind, key
    names = ", ".join(kind.name for kind in ResourceType if kind is not ResourceType.UNKNOWN_RESOURCE_TYPE)
    raise InvalidArgumentError(f"{name}.type must be one of {names}, not {text[:40]!r}")


def reference(kind: ResourceType, key: str, relationship: str, name: str = "") -> dict[str, Any]:
    """One in an answer."""
    return present(key=present(type=kind.name, id=key), name=name, relationship=relationship)
