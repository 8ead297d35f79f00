"""Objects that a component brings along, such as runtimes and templates, for people to read, use and change.

One that is not there is made; one of ours that nobody else has written to follows our newest; any other is its owner's.
Called by components before or right after the server is ready.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Sequence

from sampan.client.protocol import Client, Object, PatchType, WriteOptions
from sampan.kube import meta
from sampan.kube.errors import ApiError, NotFoundError
from sampan.kube.kinds import Resource
from sampan.lib.log import get_logger

log = get_logger(__name__)

MARK = "sampan.dev/shipped"
"""An annotation: which of ours it is, so that the next start sees whether there is a newer one."""


async def ship(client: Client, manager: str, wanted: Sequence[tuple[Resource, Object]]) -> None:
    """As the field manager `manager`. What cannot be made is told of and left out."""
    await asyncio.gather(*(_try(client, manager, resource, obj) for resource, obj in wanted))


async def _try(client: Client, manager: str, resource: Resource, wanted: Object) -> None:
    try:
        await _ensure(client, manager, resource, wanted)
    except ApiError as error:
        log.warning("cannot be shipped", kind=resource.kind, name=meta.name(wanted), error=error.message)


async def _ensure(client: Client, manager: str, resource: Resource, wanted: Object) -> None:
    name, namespace = meta.name(wanted), meta.namespace(wanted) or None
    mark = hashlib.sha256(json.dumps(wanted, sort_keys=True).encode()).hexdigest()[:16]
    try:
        there = await client.get(resource, name, namespace)
    except NotFoundError:
        there = None
    if there is not None and (meta.annotations(there).get(MARK) == mark or not _is_untouched(there, manager)):
        return
    marked = {**wanted, "metadata": {**meta.metadata(wanted), "annotations": {MARK: mark}}}
    options = WriteOptions(field_manager=manager, force=True)
    await client.patch(resource, name, marked, namespace, patch_type=PatchType.APPLY, options=options)


def _is_untouched(obj: Object, manager: str) -> bool:
    """Of ours, and written to by nobody else."""
    managers = {each.get("manager") for each in meta.metadata(obj).get("managedFields") or ()}
    return MARK in meta.annotations(obj) and managers <= {manager}
