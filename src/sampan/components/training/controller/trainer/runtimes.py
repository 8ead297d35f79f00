"""The reconciler of runtimes: takes the mark off that earlier versions of the trainer kept used ones by.

A TrainJob keeps a copy of its runtime, so that a runtime may be changed and deleted whoever uses it. Source:
kubeflow/trainer pkg/controller/{trainingruntime,clustertrainingruntime}_controller.go, v2.3.
"""

from __future__ import annotations

from sampan.client.protocol import Client
from sampan.kube import meta
from sampan.kube.kinds import Resource
from sampan.reconcile.apply import remove_finalizer
from sampan.reconcile.cache import Caches
from sampan.reconcile.controller import Controller, own
from sampan.reconcile.reconciler import DONE, Request, Result

FINALIZER = "trainer.kubeflow.org/resource-in-use"


class RuntimeReconciler:
    def __init__(self, client: Client, caches: Caches, resource: Resource) -> None:
        self._client = client
        self._resource = resource
        self._runtimes = caches.of(resource)

    def controller(self) -> Controller[Request]:
        return Controller(self._resource.singular, self.reconcile, [own(self._runtimes)], workers=1)

    async def reconcile(self, request: Request) -> Result:
        runtime = self._runtimes.get(request.namespace, request.name)
        if runtime is not None and FINALIZER in meta.finalizers(runtime):
            await remove_finalizer(self._client, self._resource, runtime, FINALIZER)
        return DONE
