"""What belongs to an object, and what belongs to that: asked for when somebody wants to see or to delete it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sampan.dashboard.kubernetes import tables
from sampan.dashboard.kubernetes.described import Object, namespace_of
from sampan.dashboard.kubernetes.kinds import Catalogue, Kind
from sampan.dashboard.kubernetes.related import OWNABLE
from sampan.ui.api import Api, ApiFailureError

_MOST_EACH = "500"


@dataclass(frozen=True, slots=True)
class Dependent:
    kind: Kind
    name: str
    namespace: str
    created: str
    depth: int
    """0 for what belongs to the object itself."""


async def find(api: Api, catalogue: Catalogue, obj: Object) -> list[Dependent]:
    """Each after what it belongs to. Kinds that the user may not see are left out."""
    namespace = namespace_of(obj)
    group = str(obj.get("apiVersion") or "").rpartition("/")[0]
    kinds = [kind for key in OWNABLE if (kind := catalogue.lookup(key)) is not None and kind.namespaced]
    # A kind that is not Kubernetes' own often makes others of its group.
    kinds += [
        each
        for each in catalogue.kinds.values()
        if group not in ("", "apps", "batch")
        and each.group == group
        and each.namespaced
        and each not in kinds
    ]
    answers = await asyncio.gather(*(_listed(api, kind, namespace) for kind in kinds))
    return list(
        tree(str((obj.get("metadata") or {}).get("uid") or ""), dict(zip(kinds, answers, strict=True)))
    )


async def _listed(api: Api, kind: Kind, namespace: str) -> Sequence[Any]:
    try:
        found = await api.get(kind.path(namespace), {"limit": _MOST_EACH}, accept=tables.METADATA)
    except ApiFailureError:
        return ()
    return found.get("items") or ()


def tree(uid: str, found: Mapping[Kind, Sequence[Any]]) -> Iterator[Dependent]:
    """Pure. In a circle of owners each is named once."""
    below: dict[str, list[tuple[Kind, Any]]] = {}
    for kind, items in found.items():
        for item in items:
            for owner in (item.get("metadata") or {}).get("ownerReferences") or ():
                below.setdefault(str(owner.get("uid")), []).append((kind, item))
    seen = {uid}

    def walk(owner: str, depth: int) -> Iterator[Dependent]:
        for kind, item in below.get(owner, ()):
            metadata = item["metadata"]
            its = str(metadata.get("uid") or "")
            if its in seen:
                continue
            seen.add(its)
            yield Dependent(
                kind,
                str(metadata.get("name") or ""),
                str(metadata.get("namespace") or ""),
                str(metadata.get("creationTimestamp") or ""),
                depth,
            )
            yield from walk(its, depth + 1)

    yield from walk(uid, 0)
