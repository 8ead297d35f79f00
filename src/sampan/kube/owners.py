"""Who owns an object: its ownerReferences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sampan.kube import meta


def owner_references(obj: Mapping[str, Any]) -> list[dict[str, Any]]:
    return meta.metadata(obj).get("ownerReferences") or []


def controller_of(obj: Mapping[str, Any]) -> dict[str, Any] | None:
    """The one reference that manages the object, if any."""
    return next((each for each in owner_references(obj) if each.get("controller") is True), None)


def is_controlled_by(obj: Mapping[str, Any], owner: Mapping[str, Any]) -> bool:
    reference = controller_of(obj)
    return reference is not None and reference.get("uid") == meta.uid(owner)


def owner_reference(owner: Mapping[str, Any], *, controller: bool = True) -> dict[str, Any]:
    """A reference to `owner`, which has been created; as a controller it blocks foreground deletion."""
    reference = {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": meta.name(owner),
        "uid": meta.uid(owner),
    }
    if controller:
        reference |= {"controller": True, "blockOwnerDeletion": True}
    return reference


def with_controller(obj: Mapping[str, Any], owner: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of `obj`, as deep as it has to be, that `owner` controls."""
    reference = owner_reference(owner)
    others = [each for each in owner_references(obj) if each.get("uid") != reference["uid"]]
    return {**obj, "metadata": {**meta.metadata(obj), "ownerReferences": [*others, reference]}}
