"""Argo Workflows as a language of the engine: `language.Prepared` for the runs of a document."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from sampan.components.pipelines.api.argo.document import ArgoDocument, load
from sampan.components.pipelines.api.argo.tags import as_text
from sampan.components.pipelines.api.argo.validate import validate
from sampan.components.pipelines.engine.argo.claims import volumes
from sampan.components.pipelines.engine.argo.context import ArgoContext
from sampan.components.pipelines.engine.argo.locks import Locks
from sampan.components.pipelines.engine.argo.machine import ArgoMachine
from sampan.components.pipelines.engine.argo.rerun import rerun
from sampan.components.pipelines.engine.ir_language import Surroundings
from sampan.components.pipelines.engine.language import Machine, Retry, RunFacts
from sampan.components.pipelines.store.artifacts import ArtifactRow
from sampan.components.pipelines.store.runs import RunRow
from sampan.components.pipelines.store.tasks import TaskRow
from sampan.lib.ids import new_uid

Event = Callable[[ArgoMachine], None]


class PreparedArgo:
    def __init__(self, context: ArgoContext) -> None:
        self.context = context
        self.facts = RunFacts(
            context.run_id,
            context.namespace,
            context.files,
            artifact_root=context.root,
            pipeline_name=context.document.name,
        )
        self._post: Callable[[Callable[[Machine], None]], None] | None = None

    def machine(self) -> ArgoMachine:
        return ArgoMachine(self.context, self._wake)

    def connect(self, post: Callable[[Callable[[Machine], None]], None]) -> None:
        self._post = post

    def begin(self, machine: Machine) -> None:
        assert isinstance(machine, ArgoMachine)
        machine.start()

    def lost(self, rows: Sequence[TaskRow], artifacts: Mapping[str, ArtifactRow]) -> Mapping[str, str]:
        return {}

    def retry(self, rows: Sequence[TaskRow], now: int, lost: Mapping[str, str]) -> Retry:
        return rerun(rows, now)

    def _wake(self, task_id: str) -> None:
        """A lock that a node of this run waits for may have come free, in another run's turn."""
        if self._post is not None:
            self._post(event_of(lambda machine: machine.look_at(task_id)))


def event_of(event: Event) -> Callable[[Machine], None]:
    """An event that only this language's machine knows."""

    def on(machine: Machine) -> None:
        assert isinstance(machine, ArgoMachine)
        event(machine)

    return on


def prepare(run: RunRow, spec: Mapping[str, Any], around: Surroundings, locks: Locks) -> PreparedArgo:
    """Blocks: a large document takes a while to read. Raises InvalidArgumentError."""
    document = load(spec)
    # Values of arguments come with the run.
    validate(document, has_arguments=False)
    config = msgspec.json.decode(run.runtime_config or b"{}")
    metadata = document.metadata
    name = str(metadata.get("name") or f"{document.name}-{run.run_id[:5]}")
    uid = str(metadata.get("uid") or "")
    owner = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "name": name, "uid": uid}
    context = ArgoContext(
        run_id=run.run_id,
        namespace=run.namespace,
        name=name,
        uid=uid or run.run_id,
        document=document,
        parameters={key: as_text(value) for key, value in (config.get("parameters") or {}).items()},
        files=around.files,
        root=around.files.pipeline_root(config.get("pipeline_root") or "", run.namespace, document.name),
        keys=around.files.pipeline_root("", run.namespace, "argo-keys"),
        locks=locks,
        now=around.now,
        new_id=new_uid,
        service_account=run.service_account,
        created_at=run.created_at,
        scheduled_at=run.scheduled_at,
        captures=_captures(document),
        volumes=(*(document.spec.get("volumes") or ()), *volumes(name, document.spec)),
        owner={**owner, "controller": True, "blockOwnerDeletion": True} if uid else None,
        allow_private=around.settings.allow_private_urls,
    )
    return PreparedArgo(context)


def _captures(document: ArgoDocument) -> bool:
    """Whether anything in the document reads what a container prints."""
    text = json.dumps([document.workflow, document.templates], ensure_ascii=False)
    return ".outputs.result" in text or "outputs['result']" in text or "outputs.result" in text
