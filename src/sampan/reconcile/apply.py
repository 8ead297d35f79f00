"""Writing to the API as a reconciler should: only when something changes, and safe to repeat.

Children have deterministic names, so that a reconciler that was interrupted finds what it had made. Status
and finalizers carry the resourceVersion or a test, so that a decision made on an outdated object fails with a
ConflictError and is made again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from sampan.client.protocol import DeleteOptions, Object, PatchType, Propagation, Reader, Writer
from sampan.kube import meta, owners
from sampan.kube.errors import AlreadyExistsError, ConflictError, InvalidError, NotFoundError
from sampan.kube.kinds import Resource
from sampan.reconcile.reconciler import TerminalError

_ATTEMPTS = 5


class ReadWriter(Reader, Writer, Protocol):
    """All that applying needs of a client."""


async def apply_child(
    client: ReadWriter, resource: Resource, owner: Object, desired: Object, observed: Object | None
) -> Object:
    """Makes the child what `desired` says, under the control of `owner`; returns it as it is now.

    `observed` is the child as the caller's cache has it. Only fields that `desired` names are compared and
    written: defaults of the API and fields of other writers stay. Raises TerminalError when somebody else
    controls an object of that name.
    """
    namespace, name = meta.namespace(desired), meta.name(desired)
    references = [owners.owner_reference(owner)]
    wanted = {**desired, "metadata": {**desired["metadata"], "ownerReferences": references}}
    if observed is None:
        try:
            return await client.create(resource, wanted)
        except AlreadyExistsError:
            observed = await client.get(resource, name, namespace or None)
    if not owners.is_controlled_by(observed, owner):
        raise TerminalError(
            f'{resource.kind} "{name}" exists and belongs to {_described(owners.controller_of(observed))}; '
            f"delete it, so that {_described(owner | {'name': meta.name(owner)})} can make its own"
        )
    if is_part(wanted, observed):
        return observed
    return await client.patch(resource, name, wanted, namespace or None)


async def update_status(client: Writer, resource: Resource, obj: Object, status: Mapping[str, Any]) -> Object:
    """Writes `status` if it differs from that of `obj`; returns the object as it is now. ConflictError."""
    change = merge_difference(obj.get("status") or {}, status)
    if not change:
        return obj
    patch = {
        "metadata": {"resourceVersion": meta.resource_version(obj), "uid": meta.uid(obj)},
        "status": change,
    }
    name, namespace = meta.name(obj), meta.namespace(obj) or None
    return await client.patch(resource, name, patch, namespace, subresource="status")


async def add_finalizer(client: ReadWriter, resource: Resource, obj: Object, finalizer: str) -> Object:
    """Adds `finalizer` unless `obj` has it. ConflictError when the object changed meanwhile."""
    held = meta.finalizers(obj)
    if finalizer in held:
        return obj
    patch = {"metadata": {"resourceVersion": meta.resource_version(obj), "finalizers": [*held, finalizer]}}
    return await client.patch(resource, meta.name(obj), patch, meta.namespace(obj) or None)


async def remove_finalizer(client: ReadWriter, resource: Resource, obj: Object, finalizer: str) -> None:
    """Removes `finalizer` from that very object, whatever else happens to it; fine if it is gone."""
    name, namespace, uid = meta.name(obj), meta.namespace(obj) or None, meta.uid(obj)
    for _ in range(_ATTEMPTS):
        held = meta.finalizers(obj)
        if meta.uid(obj) != uid or finalizer not in held:
            return
        # The last one takes the list along: Kubernetes shows no empty lists.
        last = len(held) == 1
        path = "/metadata/finalizers" if last else f"/metadata/finalizers/{held.index(finalizer)}"
        patch = [
            {"op": "test", "path": "/metadata/uid", "value": uid},
            {"op": "test", "path": path, "value": held if last else finalizer},
            {"op": "remove", "path": path},
        ]
        try:
            await client.patch(resource, name, patch, namespace, patch_type=PatchType.JSON)
            return
        except NotFoundError:
            return
        except (ConflictError, InvalidError) as error:
            try:
                obj = await client.get(resource, name, namespace)
            except NotFoundError:
                return
            # A test fails when the list changed under us; when it did not, it is the object that is invalid.
            if isinstance(error, InvalidError) and meta.finalizers(obj) == held:
                raise
    raise ConflictError(f'finalizers of {resource.key} "{name}" keep changing')


async def delete_if_present(
    client: Writer,
    resource: Resource,
    obj: Object,
    propagation: Propagation | None = Propagation.BACKGROUND,
) -> bool:
    """Deletes that very object, not a later one of its name; whether there was something to delete."""
    options = DeleteOptions(propagation=propagation, uid=meta.uid(obj))
    try:
        await client.delete(resource, meta.name(obj), meta.namespace(obj) or None, options)
    except (NotFoundError, ConflictError):
        return False
    return True


def is_part(wanted: Any, observed: Any) -> bool:
    """Whether everything that `wanted` names is so in `observed`: mappings in part, lists in full length."""
    if isinstance(wanted, Mapping):
        return isinstance(observed, Mapping) and all(
            (value is None and key not in observed) or (key in observed and is_part(value, observed[key]))
            for key, value in wanted.items()
        )
    if isinstance(wanted, Sequence) and not isinstance(wanted, str):
        return (
            isinstance(observed, Sequence)
            and len(wanted) == len(observed)
            and all(map(is_part, wanted, observed))
        )
    return bool(wanted == observed)


def merge_difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """The merge patch that turns `old` into `new`; empty when they are equal."""
    change: dict[str, Any] = {key: None for key in old if key not in new}
    for key, value in new.items():
        before = old.get(key)
        if isinstance(value, Mapping) and isinstance(before, Mapping):
            if inner := merge_difference(before, value):
                change[key] = inner
        elif key not in old or before != value:
            change[key] = value
    return change


def _described(owner: Mapping[str, Any] | None) -> str:
    return f'{owner.get("kind")} "{owner.get("name")}"' if owner else "nobody"
