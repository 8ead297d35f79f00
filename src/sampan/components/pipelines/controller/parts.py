"""Argo's controllers put together: caches, reconcilers, their start and end. Made by the component's door, by name."""

from __future__ import annotations

from sampan.client.protocol import Object
from sampan.components import Services
from sampan.components.pipelines.api.workflow_kinds import COMPLETED_LABEL, CRON_WORKFLOWS, WORKFLOWS
from sampan.components.pipelines.controller import expressions
from sampan.components.pipelines.controller.cronworkflows import CronCaches, CronWorkflowReconciler, Judge
from sampan.components.pipelines.controller.language import ArgoLanguage
from sampan.components.pipelines.controller.ports import WorkflowEngine
from sampan.components.pipelines.controller.workflows import Around, WorkflowReconciler
from sampan.kube import meta
from sampan.reconcile.cache import Cache
from sampan.reconcile.manager import Manager


class Controllers:
    """For one event loop. `stop` leaves everything as it stands."""

    def __init__(self, around: Around, when: Judge, stops: Judge) -> None:
        """`when` and `stops` evaluate these fields of CronWorkflows."""
        workflows = Cache(around.client, WORKFLOWS, keep=kept)
        caches = CronCaches(Cache(around.client, CRON_WORKFLOWS), workflows)
        crons = CronWorkflowReconciler(around.client, around.clock, caches, when, stops)
        self._workflows = WorkflowReconciler(around, workflows)
        self._manager = Manager([self._workflows.controller(), crons.controller()])

    async def start(self) -> None:
        """Returns when the caches are complete."""
        await self._manager.start()
        await self._workflows.start()

    async def stop(self) -> None:
        await self._manager.stop()


def controllers(services: Services, engine: WorkflowEngine) -> Controllers:
    around = Around(services.client, services.database, services.clock, engine, ArgoLanguage())
    return Controllers(around, expressions.when, expressions.holds)


def kept(workflow: Object) -> Object:
    """Of a Workflow that is over, what still counts: the nodes and templates of thousands would fill the memory."""
    if (
        meta.labels(workflow).get(COMPLETED_LABEL) != "true"
        or meta.status(workflow).get("phase") == "Running"
    ):
        return workflow
    metadata = {key: value for key, value in meta.metadata(workflow).items() if key != "managedFields"}
    spec = {key: value for key, value in meta.spec(workflow).items() if key != "templates"}
    left_out = ("nodes", "compressedNodes", "storedTemplates")
    status = {key: value for key, value in meta.status(workflow).items() if key not in left_out}
    stored = status.get("storedWorkflowTemplateSpec")
    if isinstance(stored, dict):
        status["storedWorkflowTemplateSpec"] = {k: v for k, v in stored.items() if k != "templates"}
    return {**workflow, "metadata": metadata, "spec": spec, "status": status}
