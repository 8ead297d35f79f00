"""On clusters whose nodes are not this machine nobody of ours can keep models there: says so, once for each cache."""

from __future__ import annotations

from sampan.components.serving.controller.around import Around
from sampan.kube import meta
from sampan.kube.kinds import Resource
from sampan.reconcile.controller import Controller, own
from sampan.reconcile.events import EventRecorder
from sampan.reconcile.reconciler import DONE, Request, Result


class ElsewhereReconciler:
    def __init__(self, around: Around, kind: Resource) -> None:
        self._kind = kind
        self._caches = around.caches.of(kind)
        self._recorder = EventRecorder(around.client, around.clock, "localmodel-controller")

    def controller(self) -> Controller[Request]:
        name = self._kind.kind.lower()
        return Controller(name, self.reconcile, [own(self._caches)], workers=1, close=self._recorder.close)

    async def reconcile(self, request: Request) -> Result:
        cache = self._caches.get(request.namespace, request.name)
        if cache is not None and not meta.is_deleting(cache) and not meta.status(cache):
            self._recorder.warning(
                cache,
                "NotActedOn",
                "models are kept on nodes in the embedded cluster only: install KServe's localmodel controller and its "
                "agent on this cluster; until then InferenceServices fetch their models",
            )
        return DONE
