"""Certificates that model stores are trusted by, copied from KServe's namespace into those of endpoints, whose pods can
mount no others. Called by `storage`.

Source: kserve/kserve v0.20.0 pkg/controller/v1beta1/inferenceservice/reconcilers/cabundleconfigmap. Not so here: what
is missing is said in the endpoint's condition.
"""

from __future__ import annotations

from sampan.client.protocol import Client, PatchType, WriteOptions
from sampan.components.serving.api import labels
from sampan.components.serving.api.reading import mapping, text
from sampan.components.serving.engine.storage.config import StorageConfig
from sampan.components.serving.engine.storage.errors import INVALID_SPEC, StorageError
from sampan.components.serving.engine.storage.initializer import CA_CONFIG_MAP
from sampan.kube.errors import NotFoundError
from sampan.kube.kinds import CONFIG_MAPS
from sampan.kube.meta import Object

_FILE = "cabundle.crt"


class CaBundles:
    def __init__(self, client: Client) -> None:
        self._client = client

    async def keep(self, namespace: str, config: StorageConfig) -> None:
        """Raises StorageError, ApiError."""
        name = config.ca_bundle_config_map
        if not name or namespace == labels.NAMESPACE:
            return
        source = await self._get(name, labels.NAMESPACE)
        if source is None:
            raise StorageError(
                INVALID_SPEC,
                f'failed to get configmap {name} from the cluster: configmaps "{name}" not found in the namespace '
                f"{labels.NAMESPACE}, though {labels.CONFIG} names it (storageInitializer.caBundleConfigMapName)",
            )
        certificates = text(mapping(source.get("data")).get(_FILE))
        if not certificates:
            raise StorageError(
                INVALID_SPEC, f"specified cabundle file {_FILE} not found in cabundle configmap {name}"
            )
        copy = await self._get(CA_CONFIG_MAP, namespace)
        if copy is not None and mapping(copy.get("data")).get(_FILE) == certificates:
            return
        wanted = {
            "apiVersion": CONFIG_MAPS.api_version,
            "kind": CONFIG_MAPS.kind,
            "metadata": {"name": CA_CONFIG_MAP, "namespace": namespace},
            "data": {_FILE: certificates},
        }
        options = WriteOptions(field_manager="sampan-serving", force=True)
        await self._client.patch(
            CONFIG_MAPS, CA_CONFIG_MAP, wanted, namespace, patch_type=PatchType.APPLY, options=options
        )

    async def _get(self, name: str, namespace: str) -> Object | None:
        try:
            return await self._client.get(CONFIG_MAPS, name, namespace)
        except NotFoundError:
            return None
