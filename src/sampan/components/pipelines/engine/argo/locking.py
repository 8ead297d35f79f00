"""A node asks for its mutexes and semaphores: `synchronization` of a template, or of the workflow for its root."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sampan.components.pipelines.api.argo.errors import ArgoError
from sampan.components.pipelines.engine.argo.configmaps import ReadConfigMap, value_of
from sampan.components.pipelines.engine.argo.leaves import Leaves
from sampan.components.pipelines.engine.argo.locks import Want
from sampan.components.pipelines.engine.argo.node import ArgoNode
from sampan.components.pipelines.engine.argo.tree import Tree


class Locking:
    def __init__(self, tree: Tree, leaves: Leaves) -> None:
        self._tree = tree
        self._leaves = leaves

    def has_locks(self, node: ArgoNode, wanted: Mapping[str, Any] | None) -> bool:
        """Whether the node holds all that `wanted` asks for; else it is looked at again. Raises ArgoError."""
        if not wanted or node.kept.get("locks"):
            return True
        locks = self._wanted(node, wanted)
        if locks is None:
            return False
        spec = self._tree.context.document.spec
        want = Want(
            run_id=self._tree.context.run_id,
            owner=node.id,
            locks=tuple(locks),
            priority=int(spec.get("priority") or 0),
            created_at=self._tree.context.created_at,
            wake=lambda: self._leaves.wake(node),
        )
        registry = self._tree.context.locks
        if not registry.acquire(want):
            self._tree.say(node, f"Waiting for {registry.blocked_by(want)} lock")
            return False
        node.kept["locks"] = [name for name, _ in locks]
        return True

    def _wanted(self, node: ArgoNode, wanted: Mapping[str, Any]) -> list[tuple[str, int]] | None:
        """Names and limits; None while a limit is being read."""
        own = self._tree.context.namespace
        found = [
            (f"{mutex.get('namespace') or own}/Mutex/{mutex.get('name', '')}", 1)
            for mutex in _listed(wanted, "mutex", "mutexes")
        ]
        for semaphore in _listed(wanted, "semaphore", "semaphores"):
            reference = semaphore.get("configMapKeyRef") or {}
            namespace = str(semaphore.get("namespace") or own)
            name, key = str(reference.get("name", "")), str(reference.get("key", ""))
            data = self._leaves.ask(node, ReadConfigMap(node.id, name, namespace if namespace != own else ""))
            if data is None:
                return None
            limit = value_of(data, reference, None, f"semaphore {name}")
            if limit is None or not limit.strip().isdigit():
                raise ArgoError(f"semaphore {name}: key {key} of the ConfigMap holds no number")
            found.append((f"{namespace}/ConfigMap/{name}/{key}", int(limit)))
        return found


def _listed(wanted: Mapping[str, Any], one: str, many: str) -> list[Mapping[str, Any]]:
    single = wanted.get(one)
    return [*([single] if single else ()), *(wanted.get(many) or ())]
