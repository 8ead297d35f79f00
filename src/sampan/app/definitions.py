"""Installs the components' CustomResourceDefinitions, on our own API server and on a cluster alike.

Called by `platform` and `remote` before the components start. What somebody else has installed stays as it is: another
controller, say, knows why. Nothing is ever removed; ours are brought up to date.

They are applied as kubectl applies on the server's side: who later applies upstream's definitions in that way takes
ours over without a conflict, and then they are somebody else's.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Sequence

from sampan.client.protocol import Client, Object, PatchType, WriteOptions
from sampan.kube import meta
from sampan.kube.errors import ApiError, ConflictError, NotFoundError
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

Form = Callable[[Object], Object]
"""A definition as the server there is to have it."""


async def install(
    client: Client, definitions: Sequence[Object], form: Form = lambda definition: definition
) -> frozenset[str]:
    """The names of those that are not ours: somebody else's, or not there and not for us to make."""
    foreign = await asyncio.gather(*(_is_foreign(client, each, form) for each in definitions))
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
                "schema": {"openAPIV3Schema": written_out(version["schema"]["openAPIV3Schema"], references)},
            }
            for version in spec["versions"]
        ]
        return {**definition, "spec": {**spec, "versions": versions}}

    return form


async def _is_foreign(client: Client, definition: Object, form: Form) -> bool:
    name = meta.name(definition)
    digest = _digest(definition)
    try:
        try:
            found = await client.get(DEFINITIONS, name)
        except NotFoundError:
            await _apply(client, definition, form, digest)
            return False
        if not _is_ours(found):
            return True
        if meta.annotations(found).get(DIGEST) != digest:
            await _apply(client, definition, form, digest)
    except ConflictError as error:
        log.warning("a definition was changed by others and stays", name=name, error=error.message)
    except ApiError as error:
        log.warning("a definition cannot be installed", name=name, error=error.message)
        return True
    return False


def _is_ours(found: Object) -> bool:
    labels = meta.labels(found)
    ours = all(labels.get(key) == value for key, value in OURS.items())
    # Applied by a client, theirs has kept our labels.
    return ours and _CLIENT_APPLIED not in meta.annotations(found)


async def _apply(client: Client, definition: Object, form: Form, digest: str) -> None:
    made = form(definition)
    metadata = {
        **meta.metadata(made),
        "labels": {**meta.labels(made), **OURS},
        "annotations": {**meta.annotations(made), DIGEST: digest},
    }
    options = WriteOptions(field_manager=_MANAGER)
    patch = {**made, "metadata": metadata}
    await client.patch(DEFINITIONS, meta.name(made), patch, patch_type=PatchType.APPLY, options=options)


def _digest(definition: Object) -> str:
    text = json.dumps(definition["spec"], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
