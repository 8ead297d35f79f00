"""Reading ConfigMaps: an operation, and what is found in its answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sampan.client.protocol import Client
from sampan.components.pipelines.api.argo.errors import ArgoError
from sampan.components.pipelines.api.argo.tags import as_text
from sampan.components.pipelines.engine.errors import StepError
from sampan.kube.errors import ApiError, NotFoundError
from sampan.kube.kinds import CONFIG_MAPS
from sampan.lib.threads import Threads


@dataclass(frozen=True, slots=True)
class ReadConfigMap:
    """`turn.Operation`: gives `{"name": …, "data": {…} or None}`."""

    task_id: str
    config_map: str
    elsewhere: str = ""
    """Its namespace, where that is not the workflow's."""

    @property
    def name(self) -> str:
        return f"configmap/{self.elsewhere}/{self.config_map}"

    async def perform(self, client: Client, namespace: str, asking: Threads) -> dict[str, Any]:
        try:
            found = await client.get(CONFIG_MAPS, self.config_map, self.elsewhere or namespace)
        except NotFoundError:
            return {"name": self.config_map, "data": None}
        except ApiError as error:
            raise StepError(f"ConfigMap {self.config_map}: {error.message}") from None
        return {"name": self.config_map, "data": found.get("data") or {}}


def value_of(found: Mapping[str, Any], reference: Mapping[str, Any], default: Any, what: str) -> str | None:
    """The value of the reference's key; the default, or None for an optional one, where there is none.

    Raises ArgoError.
    """
    key = str(reference.get("key", ""))
    data = found["data"]
    if data is not None and key in data:
        return str(data[key])
    if default is not None:
        return as_text(default)
    if reference.get("optional"):
        return None
    if data is None:
        raise ArgoError(f"{what}: there is no ConfigMap {found['name']}")
    raise ArgoError(f"{what}: ConfigMap {found['name']} has no key {key}")
