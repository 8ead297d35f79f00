"""Installs the components' CustomResourceDefinitions, on our own API server and on a cluster alike.

Called by `platform` and `remote` before the components start. What is there already stays as it is: whoever installed
it, another controller say, knows why. Nothing is ever removed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from sampan.client.protocol import Client, Object
from sampan.kube import meta
from sampan.kube.errors import AlreadyExistsError, ApiError, NotFoundError
from sampan.kube.kinds import Resource
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


async def install(client: Client, definitions: Sequence[Object]) -> frozenset[str]:
    """The names of those that are not ours: somebody else's, or not there and not for us to make."""
    foreign = await asyncio.gather(*(_is_foreign(client, each) for each in definitions))
    return frozenset(meta.name(each) for each, its in zip(definitions, foreign, strict=True) if its)


async def _is_foreign(client: Client, definition: Object) -> bool:
    name = meta.name(definition)
    try:
        try:
            found = await client.get(DEFINITIONS, name)
        except NotFoundError:
            labels = {**meta.labels(definition), **OURS}
            metadata = {**meta.metadata(definition), "labels": labels}
            found = await client.create(DEFINITIONS, {**definition, "metadata": metadata})
    except AlreadyExistsError:
        return True
    except ApiError as error:
        log.warning("a definition cannot be installed", name=name, error=error.message)
        return True
    return any(meta.labels(found).get(key) != value for key, value in OURS.items())
