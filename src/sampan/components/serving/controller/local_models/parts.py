"""The controllers of models that are kept on nodes, with what they stand on. For `controller.parts`."""

from __future__ import annotations

from collections.abc import Sequence

from sampan.components.serving.controller.around import Around
from sampan.components.serving.controller.local_models.agent import NodeAgent
from sampan.components.serving.controller.local_models.caches import CacheReconciler
from sampan.components.serving.controller.local_models.elsewhere import ElsewhereReconciler
from sampan.kube.kinds import Resource
from sampan.reconcile.cache import Cache
from sampan.reconcile.manager import Runnable


def caches(around: Around, kind: Resource, configs: Cache) -> Sequence[Runnable]:
    """Of one of the two kinds of them."""
    if not around.is_embedded:
        return (ElsewhereReconciler(around, kind).controller(),)
    return (CacheReconciler(around, kind, configs).controller(),)


def agent(around: Around, configs: Cache) -> Sequence[Runnable]:
    return (NodeAgent(around, configs).controller(),) if around.is_embedded else ()
