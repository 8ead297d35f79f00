"""The ConfigMaps, Secrets and claims that a pod names, read once for each start of a container.

`fetch` does the reading; what it found is then plain data for the pure parts (`env`, `volumes`).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sampan.client.protocol import Object, Reader
from sampan.cluster.node.tokens import Key, Tokens, key_of
from sampan.cluster.node.watching import Reference
from sampan.kube import meta, pods
from sampan.kube.errors import NotFoundError
from sampan.kube.kinds import CONFIG_MAPS, PERSISTENT_VOLUME_CLAIMS, SECRETS, Resource

PERSISTENT_VOLUMES = Resource(
    "", "v1", "PersistentVolume", "persistentvolumes", namespaced=False, singular="persistentvolume"
)


class ContainerConfigError(Exception):
    """The container cannot be made from what its pod says. `reason` is the waiting reason of its status."""

    def __init__(self, message: str, reason: str = "CreateContainerConfigError") -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason


@dataclass(frozen=True, slots=True)
class References:
    """What was found, by name. A missing object is missing here."""

    namespace: str
    config_maps: Mapping[str, Object] = field(default_factory=dict)
    secrets: Mapping[str, Object] = field(default_factory=dict)
    claims: Mapping[str, Object] = field(default_factory=dict)
    """The PersistentVolume that each claim is bound to."""
    tokens: Mapping[Key, str] = field(default_factory=dict)

    def config_map(self, name: str) -> dict[str, bytes] | None:
        found = self.config_maps.get(name)
        if found is None:
            return None
        data = {key: str(value).encode() for key, value in (found.get("data") or {}).items()}
        return data | _decoded(found.get("binaryData") or {})

    def secret(self, name: str) -> dict[str, bytes] | None:
        found = self.secrets.get(name)
        return None if found is None else _decoded(found.get("data") or {})


async def fetch(client: Reader, pod: Object, tokens: Tokens | None = None) -> References:
    """Raises ApiError."""
    namespace = meta.namespace(pod)
    config_maps, secrets, claims = _names(pod)
    return References(
        namespace,
        await _get_all(client, CONFIG_MAPS, namespace, config_maps),
        await _get_all(client, SECRETS, namespace, secrets),
        await _volumes_of(client, namespace, claims),
        {} if tokens is None else await _tokens_of(pod, tokens),
    )


async def claimed_volumes(client: Reader, pod: Object) -> Mapping[str, Object]:
    """The PersistentVolume of each claim among the pod's volumes, by the claim's name. Raises ApiError."""
    _, _, claims = _names(pod)
    return await _volumes_of(client, meta.namespace(pod), claims)


def shown(pod: Object) -> frozenset[Reference]:
    """The ConfigMaps and Secrets that the pod's volumes show as files: what they hold may change."""
    namespace = meta.namespace(pod)
    found: set[Reference] = set()
    for source in _volume_sources(pod):
        if config_map := (source.get("configMap") or {}).get("name"):
            found.add(("ConfigMap", namespace, str(config_map)))
        secret = source.get("secret") or {}
        if name := secret.get("secretName") or secret.get("name"):
            found.add(("Secret", namespace, str(name)))
    return frozenset(found)


def shows_itself(pod: Object) -> bool:
    """Whether files of the pod tell of its own labels and annotations."""
    return any("downwardAPI" in source for source in _volume_sources(pod))


async def _tokens_of(pod: Object, tokens: Tokens) -> dict[Key, str]:
    wanted = [each["serviceAccountToken"] for each in _volume_sources(pod) if "serviceAccountToken" in each]
    return {key_of(pod, each): await tokens.get(pod, each) for each in wanted}


def _names(pod: Object) -> tuple[set[str], set[str], set[str]]:
    config_maps: set[str] = set()
    secrets: set[str] = set()
    claims: set[str] = set()
    for container in pods.all_containers(pod):
        for source in container.get("envFrom") or ():
            config_maps.add((source.get("configMapRef") or {}).get("name", ""))
            secrets.add((source.get("secretRef") or {}).get("name", ""))
        for entry in container.get("env") or ():
            source = entry.get("valueFrom") or {}
            config_maps.add((source.get("configMapKeyRef") or {}).get("name", ""))
            secrets.add((source.get("secretKeyRef") or {}).get("name", ""))
    for source in _volume_sources(pod):
        config_maps.add((source.get("configMap") or {}).get("name", ""))
        secret = source.get("secret") or {}
        secrets.add(secret.get("secretName") or secret.get("name", ""))
        claims.add((source.get("persistentVolumeClaim") or {}).get("claimName", ""))
    return config_maps - {""}, secrets - {""}, claims - {""}


def _volume_sources(pod: Object) -> Iterator[Mapping[str, Any]]:
    for volume in meta.spec(pod).get("volumes") or ():
        yield volume
        yield from (volume.get("projected") or {}).get("sources") or ()
        if "ephemeral" in volume:
            yield {"persistentVolumeClaim": {"claimName": f"{meta.name(pod)}-{volume['name']}"}}


async def _get_all(client: Reader, resource: Resource, namespace: str, names: set[str]) -> dict[str, Object]:
    found: dict[str, Object] = {}
    for name in names:
        try:
            found[name] = await client.get(resource, name, namespace)
        except NotFoundError:
            # Whether that matters is for the place that names it: references may be optional.
            continue
    return found


async def _volumes_of(client: Reader, namespace: str, claims: set[str]) -> dict[str, Object]:
    found: dict[str, Object] = {}
    bound = await _get_all(client, PERSISTENT_VOLUME_CLAIMS, namespace, claims)
    for name, claim in bound.items():
        volume = meta.spec(claim).get("volumeName")
        if volume:
            try:
                found[name] = await client.get(PERSISTENT_VOLUMES, volume)
            except NotFoundError:
                continue
    return found


def _decoded(data: Mapping[str, str]) -> dict[str, bytes]:
    try:
        return {key: base64.b64decode(value or "") for key, value in data.items()}
    except binascii.Error:
        return {}
