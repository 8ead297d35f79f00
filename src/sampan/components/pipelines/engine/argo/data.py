"""Data templates: the keys below a place of the artifact store, through a chain of expressions.

Source: docs/data-sourcing-and-transformation.md, argo-workflows v3.7.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sampan.client.protocol import Client
from sampan.components.pipelines.api.argo.errors import ArgoError
from sampan.components.pipelines.api.argo.expressions.functions import to_json
from sampan.components.pipelines.api.argo.tags import Variables, substitute
from sampan.components.pipelines.engine.argo.context import ArgoContext
from sampan.components.pipelines.engine.errors import StepError
from sampan.lib.threads import Threads

_STORES = ("s3", "gcs", "oss", "azure")
_MOST_KEYS = 1_000_000


@dataclass(frozen=True, slots=True)
class DataCall:
    """`turn.Operation`: gives `result`, a list as JSON."""

    task_id: str
    folder: str
    prefix: str
    steps: tuple[str, ...]
    variables: Variables

    @classmethod
    def of(
        cls, context: ArgoContext, task_id: str, template: Mapping[str, Any], variables: Variables
    ) -> DataCall:
        """Raises ArgoError."""
        wanted = template["data"]
        source = substitute((wanted.get("source") or {}).get("artifactPaths") or {}, variables)
        location = next((source[store] for store in _STORES if isinstance(source.get(store), Mapping)), None)
        if location is None:
            raise ArgoError("data.source.artifactPaths: name a place of the artifact store, such as s3")
        steps = tuple(str(step.get("expression", "")) for step in wanted.get("transformation") or ())
        prefix = str(location.get("key") or location.get("blob") or "")
        if ".." in prefix.split("/"):
            raise ArgoError(f"data.source.artifactPaths: the key {prefix!r} leads elsewhere")
        return cls(task_id, context.keys, prefix.strip("/"), steps, variables)

    @property
    def name(self) -> str:
        return "data"

    async def perform(self, client: Client, namespace: str, asking: Threads) -> dict[str, Any]:
        try:
            value: Any = await asyncio.to_thread(self._keys)
            for step in self.steps:
                value = self.variables.with_layer({"data": value}).evaluate(step)
            return {"result": to_json(value)}
        except (ArgoError, OSError) as error:
            raise StepError(f"data: {error}") from None

    def _keys(self) -> list[str]:
        base = Path(self.folder)
        found = []
        for path in sorted((base / self.prefix).rglob("*")) if base.exists() else ():
            if path.is_file():
                found.append(str(path.relative_to(base)))
            if len(found) > _MOST_KEYS:
                raise ArgoError(f"more than {_MOST_KEYS:,} keys")
        return found
