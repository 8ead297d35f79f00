"""Another object like one that is there: what of it goes into the copy, and under which name. Pure."""

from __future__ import annotations

import copy
import re
from collections.abc import Collection, Mapping
from typing import Any

from sampan.kube import meta
from sampan.kube.meta import Object

_LAST_APPLIED = "kubectl.kubernetes.io/last-applied"


def copy_of(obj: Mapping[str, Any], name: str, notes: Collection[str] = ()) -> Object:
    """What is to be created. `notes` are annotations that controllers make of the one object."""
    metadata = meta.metadata(obj)
    kept: Object = {"name": name, "namespace": metadata.get("namespace")}
    if labels := metadata.get("labels"):
        kept["labels"] = dict(labels)
    if annotations := own_annotations(obj, notes):
        kept["annotations"] = annotations
    return {
        "apiVersion": obj.get("apiVersion"),
        "kind": obj.get("kind"),
        "metadata": kept,
        "spec": copy.deepcopy(meta.spec(obj)),
    }


def own_annotations(obj: Mapping[str, Any], notes: Collection[str] = ()) -> dict[str, str]:
    """Those that people have written, without what clients and controllers note of this one object."""
    return {
        key: value
        for key, value in meta.annotations(obj).items()
        if key not in notes and not key.startswith(_LAST_APPLIED)
    }


def next_name(name: str, taken: Collection[str], most: int = 63) -> str:
    """`name`, or the next one that nobody has: `search`, `search-2`; of at most so many characters."""
    if name not in taken:
        return name
    found = re.fullmatch(r"(.*?)-(\d{1,4})", name)
    base, number = (found[1], int(found[2])) if found else (name, 1)
    while True:
        number += 1
        suffix = f"-{number}"
        made = base[: most - len(suffix)].rstrip("-.") + suffix
        if made not in taken:
            return made
