"""Reading and writing an object's metadata. Objects are plain dicts; a missing field reads as empty."""

from collections.abc import Mapping
from typing import Any, TypeAlias

Object: TypeAlias = dict[str, Any]


def metadata(obj: Mapping[str, Any]) -> dict[str, Any]:
    """The metadata itself where it is a mapping, else an empty one."""
    meta = obj.get("metadata")
    return meta if isinstance(meta, dict) else {}


def name(obj: Mapping[str, Any]) -> str:
    return str(metadata(obj).get("name") or "")


def namespace(obj: Mapping[str, Any]) -> str:
    return str(metadata(obj).get("namespace") or "")


def uid(obj: Mapping[str, Any]) -> str:
    return str(metadata(obj).get("uid") or "")


def resource_version(obj: Mapping[str, Any]) -> str:
    return str(metadata(obj).get("resourceVersion") or "")


def generation(obj: Mapping[str, Any]) -> int:
    return int(metadata(obj).get("generation") or 0)


def labels(obj: Mapping[str, Any]) -> dict[str, str]:
    return _mapping(metadata(obj).get("labels"))


def annotations(obj: Mapping[str, Any]) -> dict[str, str]:
    return _mapping(metadata(obj).get("annotations"))


def finalizers(obj: Mapping[str, Any]) -> list[str]:
    held = metadata(obj).get("finalizers")
    return held if isinstance(held, list) else []


def is_deleting(obj: Mapping[str, Any]) -> bool:
    return bool(metadata(obj).get("deletionTimestamp"))


def spec(obj: Mapping[str, Any]) -> dict[str, Any]:
    return _mapping(obj.get("spec"))


def status(obj: Mapping[str, Any]) -> dict[str, Any]:
    return _mapping(obj.get("status"))


def _mapping(value: Any) -> dict[str, Any]:
    """What is of another type reads as empty: who stored it may have been a version that did not look."""
    return value if isinstance(value, dict) else {}


def add_finalizer(obj: Object, finalizer: str) -> bool:
    """Whether it had to be added."""
    held: list[str] = obj.setdefault("metadata", {}).setdefault("finalizers", [])
    if finalizer in held:
        return False
    held.append(finalizer)
    return True


def remove_finalizer(obj: Object, finalizer: str) -> bool:
    """Whether it was there. An emptied list is removed."""
    meta = metadata(obj)
    held = meta.get("finalizers") or []
    if finalizer not in held:
        return False
    meta["finalizers"] = [each for each in held if each != finalizer]
    if not meta["finalizers"]:
        del meta["finalizers"]
    return True


def lookup(obj: Mapping[str, Any], path: str) -> Any:
    """The value at a dotted path such as `spec.nodeName`, or None."""
    value: Any = obj
    for part in path.split("."):
        if not isinstance(value, Mapping):
            return None
        value = value.get(part)
    return value
