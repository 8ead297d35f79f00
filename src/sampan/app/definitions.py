"""Installs the components' CustomResourceDefinitions, on our own API server and on a cluster alike.

Called by `platform` and `remote` before the components start. What somebody else has installed stays as it is: another
controller, say, knows why. Nothing is ever removed; ours are brought up to date.

On our server they are applied as kubectl applies on the server's side: who later applies upstream's definitions in that
way takes ours over without a conflict, and then they are somebody else's. Others are sent what they may be too old for
in part; they drop that from what is created, but would refuse to apply it.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Sequence
from typing import Any

from sampan.client.protocol import Client, Object, PatchType, WriteOptions
from sampan.kube import conditions, meta
from sampan.kube.errors import AlreadyExistsError, ApiError, ConflictError, NotFoundError
from sampan.kube.kinds import Resource
from sampan.kube.schema import Schema
from sampan.lib.log import get_logger

log = get_logger(__name__)

DEFINITIONS = Resource(
    "apiextensions.k8s.io",
    "v1",
    "CustomResourceDefinition",
    "customresourcedefinitions",
    namespaced=False,
    short_names=("crd", "crds"),
)
OURS = {"app.kubernetes.io/managed-by": "sampan"}
DIGEST = "sampan.dev/definition"
"""An annotation: which of ours was installed."""
_CLIENT_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_MANAGER = "kubectl"
_TRIES, _PAUSE_SECONDS = 50, 0.2

Form = Callable[[Object], Object]
"""A definition as the server there is to have it."""


async def install(
    client: Client, definitions: Sequence[Object], other_form: Form | None = None
) -> frozenset[str]:
    """The names of those that are not ours: somebody else's, or not there and not for us to make.

    `other_form` is for servers that are not ours.
    """
    foreign = await asyncio.gather(*(_is_foreign(client, each, other_form) for each in definitions))
    return frozenset(meta.name(each) for each, its in zip(definitions, foreign, strict=True) if its)


def for_other_servers(read_schema: Callable[[], Schema]) -> Form:
    """For API servers that do not know how ours names built-in types (decision 36)."""

    def form(definition: Object) -> Object:
        # Seldom needed, and with it comes half an API server.
        from sampan.cluster.apiserver.custom.references import References, written_out

        references = References(read_schema())
        spec = definition["spec"]
        versions = [
            {
                **version,
                "schema": {
                    "openAPIV3Schema": _without_empty_defaults(
                        written_out(version["schema"]["openAPIV3Schema"], references)
                    )
                },
            }
            for version in spec["versions"]
        ]
        return {**definition, "spec": {**spec, "versions": versions}}

    return form


def _without_empty_defaults(schema: Any) -> Any:
    """Kubernetes 1.20 takes a default that is the empty text for none, and refuses that."""
    if isinstance(schema, dict):
        kept = {key: _without_empty_defaults(value) for key, value in schema.items()}
        if kept.get("default") == "" and kept.get("type") == "string":
            del kept["default"]
        return kept
    return [_without_empty_defaults(each) for each in schema] if isinstance(schema, list) else schema


async def _is_foreign(client: Client, definition: Object, other_form: Form | None) -> bool:
    name = meta.name(definition)
    digest = _digest(definition)
    try:
        found = await _there(client, name)
        if found is not None and not _is_ours(found):
            return True
        if found is None or meta.annotations(found).get(DIGEST) != digest:
            await _write(client, definition, digest, found, other_form)
    except AlreadyExistsError:
        return True
    except ConflictError as error:
        log.warning("a definition was changed by others and stays", name=name, error=error.message)
    except ApiError as error:
        log.warning("a definition cannot be installed", name=name, error=error.message)
        return True
    return False


async def _there(client: Client, name: str) -> Object | None:
    try:
        return await client.get(DEFINITIONS, name)
    except NotFoundError:
        return None


def _is_ours(found: Object) -> bool:
    labels = meta.labels(found)
    ours = all(labels.get(key) == value for key, value in OURS.items())
    # Applied by a client, theirs has kept our labels.
    return ours and _CLIENT_APPLIED not in meta.annotations(found)


async def _write(
    client: Client, definition: Object, digest: str, found: Object | None, other_form: Form | None
) -> None:
    made = definition if other_form is None else other_form(definition)
    metadata = {
        **meta.metadata(made),
        "labels": {**meta.labels(made), **OURS},
        "annotations": {**meta.annotations(made), DIGEST: digest},
    }
    made = {**made, "metadata": metadata}
    if other_form is None:
        options = WriteOptions(field_manager=_MANAGER)
        await client.patch(DEFINITIONS, meta.name(made), made, patch_type=PatchType.APPLY, options=options)
    elif found is None:
        await client.create(DEFINITIONS, made)
        await _wait_until_served(client, meta.name(made))
    else:
        metadata["resourceVersion"] = meta.resource_version(found)
        await client.replace(DEFINITIONS, made)


async def _wait_until_served(client: Client, name: str) -> None:
    """Other servers take a moment; components read their kinds when they start."""
    for _ in range(_TRIES):
        if conditions.is_true(await client.get(DEFINITIONS, name), "Established"):
            return
        await asyncio.sleep(_PAUSE_SECONDS)
    log.warning("a definition is not served yet", name=name)


def _digest(definition: Object) -> str:
    text = json.dumps(definition["spec"], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
