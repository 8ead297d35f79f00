"""The pipeline IR as a language of the engine: `language.Prepared` for its runs.

Made by the engine for every run whose specification is IR; the machine, the steps and everything pure beside them are
its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from sampan.components.pipelines.api import ir
from sampan.components.pipelines.api.errors import FailedPreconditionError
from sampan.components.pipelines.api.ir_cache import Documents
from sampan.components.pipelines.api.ir_model import Pipeline, PipelineConfig, Value
from sampan.components.pipelines.api.settings import PipelineSettings
from sampan.components.pipelines.api.states import RuntimeState
from sampan.components.pipelines.engine.conditions import Expressions
from sampan.components.pipelines.engine.context import Lookups, RunContext
from sampan.components.pipelines.engine.language import Machine, Retry, RunFacts
from sampan.components.pipelines.engine.machine import RunMachine
from sampan.components.pipelines.engine.overrides import changed, replaced
from sampan.components.pipelines.engine.placeholders import JobContext
from sampan.components.pipelines.engine.podspec import resource_name
from sampan.components.pipelines.engine.restoring import restored
from sampan.components.pipelines.engine.resume_plan import plan
from sampan.components.pipelines.engine.resumption import Decision, Resumption
from sampan.components.pipelines.engine.retry import retry
from sampan.components.pipelines.engine.reuse import Reuse, Source
from sampan.components.pipelines.engine.run_locks import Lock
from sampan.components.pipelines.engine.step_files import StepFiles
from sampan.components.pipelines.engine.surviving import forgotten_artifacts, lost_results
from sampan.components.pipelines.engine.workspace import claim_name
from sampan.components.pipelines.store.artifacts import ArtifactRow
from sampan.components.pipelines.store.runs import RunRow
from sampan.components.pipelines.store.tasks import TaskRow
from sampan.lib.clock import from_micros, rfc3339
from sampan.lib.ids import new_uid


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a run in any language is given by the engine."""

    files: StepFiles
    lookups: Lookups
    now: Callable[[], int]
    """Microseconds."""
    settings: PipelineSettings = field(default_factory=PipelineSettings)
    documents: Documents = field(default_factory=Documents)
    resumed: Ended | None = None
    """The run that this one goes on from."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A run that is over, as it is stored."""

    run: RunRow
    rows: Sequence[TaskRow]
    artifacts: Mapping[str, ArtifactRow]


class PreparedIr:
    """One run of a pipeline: `language.Prepared`. Its machine, and its plan, can be had once."""

    def __init__(self, context: RunContext, parameters: Mapping[str, Value]) -> None:
        self.context = context
        self._parameters = parameters
        job = context.job
        claims = (claim_name(job),) if context.pipeline.config.workspace_size else ()
        locks = _locks(context.pipeline.config, job.namespace)
        root = job.pipeline_root
        self.facts = RunFacts(
            context.run_id,
            job.namespace,
            context.files,
            artifact_root=root,
            pipeline_name=job.pipeline_name,
            claims=claims,
            locks=locks,
        )

    def machine(self) -> RunMachine:
        return RunMachine(self.context)

    def connect(self, post: Callable[[Callable[[Machine], None]], None]) -> None:
        """The IR has no such events."""

    def begin(self, machine: Machine) -> None:
        assert isinstance(machine, RunMachine)
        machine.start(self._parameters)

    def plan(self) -> list[Decision]:
        """What the run, which goes on from another, would do. Blocks."""
        return plan(self.context, self._parameters)

    def lost(self, rows: Sequence[TaskRow], artifacts: Mapping[str, ArtifactRow]) -> Mapping[str, str]:
        pipeline = self.context.pipeline
        nodes = restored(pipeline, rows, artifacts)
        return lost_results(pipeline, self.context.files, nodes) | forgotten_artifacts(nodes, rows)

    def retry(self, rows: Sequence[TaskRow], now: int, lost: Mapping[str, str]) -> Retry:
        return retry(self.context, rows, now, lost)


def prepare(run: RunRow, spec: Mapping[str, Any], around: Surroundings) -> PreparedIr:
    """Blocks: a large spec takes a while to read. Raises InvalidArgumentError."""
    document = around.documents.of(run.spec, spec)
    config = msgspec.json.decode(run.runtime_config or b"{}")
    parameters = ir.bind_parameters(document, config.get("parameters") or {})
    pipeline = document.pipeline
    job = _job(run, pipeline, config, around.files)
    context = RunContext(
        run_id=run.run_id,
        pipeline=pipeline,
        job=job,
        graphs={},
        expressions=Expressions(),
        files=around.files,
        lookups=around.lookups,
        now=around.now,
        new_id=new_uid,
        cache=around.settings.cache,
        service_account=run.service_account or around.settings.service_account,
        deadline_seconds=pipeline.config.active_deadline_seconds or around.settings.default_deadline_seconds,
        step_timeout_seconds=around.settings.default_step_timeout_seconds,
        pauses=run.pause_on_failure,
        reuse=Reuse(_source(around.resumed, around.files), pipeline, job) if around.resumed else None,
    )
    return PreparedIr(context, parameters)


def _locks(config: PipelineConfig, namespace: str) -> tuple[Lock, ...]:
    named = ((config.semaphore_key, True), (config.mutex_name, False))
    return tuple(Lock(namespace, key, is_semaphore) for key, is_semaphore in named if key)


def resumed(source: RunRow, wanted: Resumption) -> tuple[dict[str, Any], dict[str, Any]]:
    """The document and the runtime configuration of the run that goes on from `source`. Blocks.

    Parameters that the new version does not have any more are left behind. Raises InvalidArgumentError.
    """
    own = msgspec.json.decode(source.spec)
    if "pipeline_spec" not in own:
        raise FailedPreconditionError(
            f"run {source.run_id} is no run of a KFP pipeline, whose tasks could be compared; retry it instead"
        )
    document = ir.load(wanted.spec if wanted.spec is not None else own)
    ir.validate(document)
    spec = changed(document.to_json(), wanted.steps) if wanted.steps else document.to_json()
    config = msgspec.json.decode(source.runtime_config or b"{}")
    declared = document.pipeline.root.input_parameters
    kept = {name: value for name, value in (config.get("parameters") or {}).items() if name in declared}
    config["parameters"] = kept | dict(wanted.parameters)
    ir.bind_parameters(document, config["parameters"])
    return spec, config


def continued(run: RunRow, rows: Sequence[TaskRow], wanted: Resumption) -> dict[str, Any] | None:
    """The document with which a paused run goes on; None where it stays as it is. Blocks.

    Of a new version only the steps that have failed are taken. Raises InvalidArgumentError, FailedPreconditionError.
    """
    document = ir.load(msgspec.json.decode(run.spec))
    spec = document.to_json()
    if wanted.spec is not None:
        new = ir.load(wanted.spec)
        ir.validate(new)
        failed = [row.scope_path for row in rows if row.state is RuntimeState.PAUSED]
        spec = replaced(spec, new.to_json(), failed)
    if wanted.steps:
        spec = changed(spec, wanted.steps)
    if spec == document.to_json():
        return None
    ir.validate(ir.load(spec))
    return spec


def _source(ended: Ended, files: StepFiles) -> Source:
    document = ir.load(msgspec.json.decode(ended.run.spec))
    pipeline = document.pipeline
    nodes = restored(pipeline, ended.rows, ended.artifacts)
    lost = lost_results(pipeline, files, nodes) | forgotten_artifacts(nodes, ended.rows)
    config = msgspec.json.decode(ended.run.runtime_config or b"{}")
    return Source(_job(ended.run, pipeline, config, files), pipeline, nodes, lost)


def _job(run: RunRow, pipeline: Pipeline, config: Mapping[str, Any], files: StepFiles) -> JobContext:
    root = config.get("pipeline_root") or pipeline.default_pipeline_root
    created = rfc3339(from_micros(run.created_at))
    return JobContext(
        run_id=run.run_id,
        display_name=run.display_name,
        resource_name=resource_name(pipeline.name, run.run_id),
        pipeline_name=pipeline.name,
        namespace=run.namespace,
        pipeline_root=files.artifact_root(root, run.namespace, pipeline.name),
        create_time=created,
        schedule_time=rfc3339(from_micros(run.scheduled_at)) if run.scheduled_at else created,
    )
