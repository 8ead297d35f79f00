"""Memoization: results kept in a ConfigMap, by a key that the template names.

Source: docs/memoization.md, workflow/controller/cache, argo-workflows v3.7.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sampan.client.protocol import Client
from sampan.components.pipelines.api.argo.durations import seconds
from sampan.components.pipelines.api.argo.errors import ArgoError
from sampan.components.pipelines.engine.argo.configmaps import ReadConfigMap
from sampan.components.pipelines.engine.argo.leaves import Leaves
from sampan.components.pipelines.engine.argo.node import ArgoNode, Phase, Results
from sampan.components.pipelines.engine.argo.tree import Tree
from sampan.components.pipelines.engine.errors import StepError
from sampan.kube.errors import AlreadyExistsError, ApiError, ConflictError, NotFoundError
from sampan.kube.kinds import CONFIG_MAPS
from sampan.lib.clock import from_micros, parse_rfc3339, rfc3339, to_micros
from sampan.lib.threads import Threads

CACHE_LABEL = {"workflows.argoproj.io/configmap-type": "Cache"}
_KEY = re.compile(r"^[a-zA-Z0-9][-a-zA-Z0-9._]*$")
_MOST_TRIES = 5


class Memos:
    def __init__(self, tree: Tree, leaves: Leaves) -> None:
        self._tree = tree
        self._leaves = leaves
        tree.on_end(self._keep)

    def look(self, node: ArgoNode, memoize: Mapping[str, Any]) -> bool:
        """Whether the node must run. False while that is being found out, and when the result was found.

        Raises ArgoError.
        """
        key = str(memoize.get("key", ""))
        if not _KEY.match(key):
            raise ArgoError(f"memoize.key {key!r}: letters, digits, '-', '_' and '.' are allowed")
        config_map = str(((memoize.get("cache") or {}).get("configMap") or {}).get("name", ""))
        found = self._leaves.ask(node, ReadConfigMap(node.id, config_map))
        if found is None:
            return False
        node.memo = {"key": key, "cache": config_map, "hit": False}
        entry = _entry(found.get("data") or {}, key)
        if entry is None or self._is_old(entry, memoize.get("maxAge")):
            return True
        node.memo["hit"] = True
        node.outputs = _results(entry.get("outputs") or {})
        self._tree.finish(node, Phase.SUCCEEDED, "")
        return False

    def _is_old(self, entry: Mapping[str, Any], longest: Any) -> bool:
        if not longest:
            return False
        try:
            made = to_micros(parse_rfc3339(str(entry.get("creationTimestamp", ""))))
        except ValueError:
            return True
        return self._tree.context.now() - made > seconds(longest) * 1e6

    def _keep(self, node: ArgoNode) -> None:
        if node.memo and not node.memo.get("hit") and node.phase is Phase.SUCCEEDED:
            now = rfc3339(from_micros(self._tree.context.now()))
            entry = {
                "nodeID": node.id,
                "outputs": _written(node.outputs),
                "creationTimestamp": now,
                "lastHitTimestamp": now,
            }
            text = json.dumps(entry, ensure_ascii=False)
            self._leaves.write(KeepMemo(f"memo:{node.id}", node.memo["cache"], node.memo["key"], text))


@dataclass(frozen=True, slots=True)
class KeepMemo:
    """`turn.Operation`: writes one entry of a cache."""

    task_id: str
    config_map: str
    key: str
    entry: str

    @property
    def name(self) -> str:
        return f"memo/{self.config_map}"

    async def perform(self, client: Client, namespace: str, asking: Threads) -> dict[str, Any]:
        try:
            for _ in range(_MOST_TRIES):
                try:
                    await self._write(client, namespace)
                    return {}
                except (ConflictError, AlreadyExistsError):
                    continue
        except ApiError as error:
            raise StepError(f"the cache {self.config_map}: {error.message}") from None
        raise StepError(f"the cache {self.config_map} is written by others all the time")

    async def _write(self, client: Client, namespace: str) -> None:
        try:
            found = await client.get(CONFIG_MAPS, self.config_map, namespace)
        except NotFoundError:
            fresh = {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": self.config_map, "namespace": namespace, "labels": dict(CACHE_LABEL)},
                "data": {self.key: self.entry},
            }
            await client.create(CONFIG_MAPS, fresh)
            return
        changed = {**found, "data": {**(found.get("data") or {}), self.key: self.entry}}
        await client.replace(CONFIG_MAPS, changed)


def _entry(data: Mapping[str, Any], key: str) -> dict[str, Any] | None:
    try:
        found = json.loads(data.get(key) or "null")
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _written(outputs: Results) -> dict[str, Any]:
    """Outputs as Argo writes them."""
    found: dict[str, Any] = {}
    if outputs.parameters:
        found["parameters"] = [{"name": name, "value": value} for name, value in outputs.parameters.items()]
    if outputs.artifacts:
        found["artifacts"] = [{"name": name, **artifact} for name, artifact in outputs.artifacts.items()]
    if outputs.result is not None:
        found["result"] = outputs.result
    if outputs.exit_code is not None:
        found["exitCode"] = outputs.exit_code
    return found


def _results(written: Mapping[str, Any]) -> Results:
    parameters = {
        str(item.get("name")): str(item.get("value", "")) for item in written.get("parameters") or ()
    }
    artifacts = {
        str(item.get("name")): {key: value for key, value in item.items() if key != "name"}
        for item in written.get("artifacts") or ()
    }
    return Results(parameters, artifacts, written.get("result"), written.get("exitCode"))
