"""How a run comes to be, whoever asks for it: a request, a schedule, a trigger.

What it would do is checked, its row is stored, and it is handed to the engine. No HTTP here; names and permissions
are checked by the caller. Light to import: the reader of the IR and the engine are handed in, and load late.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from sampan.components.pipelines.api.caching_options import without_caching
from sampan.components.pipelines.api.errors import (
    FailedPreconditionError,
    InvalidArgumentError,
    NotFoundError,
)
from sampan.components.pipelines.api.macros import Macros
from sampan.components.pipelines.api.states import StorageState
from sampan.components.pipelines.store import experiments, pipelines, runs
from sampan.components.pipelines.store.runs import RunRow
from sampan.lib.clock import Clock, to_micros
from sampan.lib.ids import new_uid
from sampan.lib.log import get_logger
from sampan.store.database import Database

log = get_logger(__name__)

_WORKFLOW = '{"workflow"'
"""How the stored specification of a Workflow begins."""
_BEGIN_SECONDS = 2.0
"""How long a caller waits for its run to begin. The run is stored already; a full disk can hold the rest up."""


class Prepare(Protocol):
    """Reads and checks a pipeline's specification. Blocks: called in a thread."""

    def __call__(self, source: bytes | Mapping[str, Any], parameters: Mapping[str, Any] | None) -> str:
        """The specification as it is stored: JSON, `{"pipeline_spec": …, "platform_spec": …}`.

        `source` is a file's text, or an object; `parameters` are a run's, None checks the specification
        alone. Raises InvalidArgumentError naming the path in the specification, or the parameter.
        """
        ...


@dataclass(frozen=True, slots=True)
class PipelineSource:
    """What is to run: a specification, a version, or with a pipeline alone, its latest version."""

    pipeline_spec: Mapping[str, Any] | None = None
    pipeline_id: str = ""
    pipeline_version_id: str = ""
    kept: str = ""
    """The version's specification as it is stored, of whoever kept a copy: the version need not be there any more."""

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> PipelineSource:
        """From the fields that runs and recurring runs have in common."""
        reference = given.get("pipeline_version_reference", {})
        return cls(
            pipeline_spec=given.get("pipeline_spec"),
            pipeline_id=reference.get("pipeline_id", ""),
            pipeline_version_id=reference.get("pipeline_version_id", "")
            or given.get("pipeline_version_id", ""),
        )


@dataclass(frozen=True, slots=True)
class Specification:
    """What a source means at this moment, as the columns of a run's row."""

    spec: str
    spec_inline: bool
    pipeline_id: str = ""
    pipeline_version_id: str = ""


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What a run is to be."""

    namespace: str
    display_name: str
    source: PipelineSource
    experiment_id: str = ""
    """The default experiment's when empty."""
    description: str = ""
    service_account: str = ""
    runtime_config: Mapping[str, Any] = field(default_factory=dict)
    """`{"parameters": {…}, "pipeline_root": "…"}`"""
    recurring_run_id: str = ""
    scheduled_at: int = 0
    """Microseconds; the moment of creation when 0."""
    index: int | None = None
    """Which run of its schedule it is, from 1."""
    run_id: str = ""
    """A new one when empty."""
    resumed_from: str = ""
    """The run whose finished tasks are reused."""
    pause_on_failure: bool = False
    uses_cache: bool = True
    """Whether its steps may take results of other runs, as far as the pipeline says so."""


class RunCreator:
    """For one event loop; made by the component's door."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        prepare: Callable[[], Awaitable[Prepare]],
        submit: Callable[[str], Awaitable[None]],
    ) -> None:
        self._database = database
        self._clock = clock
        self._prepare = prepare
        self._submit = submit

    async def create(
        self, request: RunRequest, also: Callable[[Any, RunRow], None] = lambda connection, row: None
    ) -> RunRow:
        """Checks, stores and begins the run; the row as stored. `also` writes in the same transaction as the row.

        Raises InvalidArgumentError, NotFoundError and FailedPreconditionError, which name the field, and what
        `also` raises; nothing is stored then.
        """
        now = to_micros(self._clock.now())
        run_id = request.run_id or new_uid()
        config = _without_macros(request, run_id, now)
        specification = await self.specify(request.namespace, request.source, config.get("parameters", {}))
        if request.pause_on_failure and specification.spec.startswith(_WORKFLOW):
            raise InvalidArgumentError(
                "pause_on_failure: only runs of KFP's pipelines can pause, and this is a Workflow of Argo's"
            )
        if not request.uses_cache:
            specification = await _uncached(specification)
        row = RunRow(
            run_id=run_id,
            experiment_id=request.experiment_id,
            namespace=request.namespace,
            display_name=request.display_name,
            spec=specification.spec,
            spec_inline=specification.spec_inline,
            created_at=now,
            scheduled_at=request.scheduled_at or now,
            description=request.description,
            service_account=request.service_account,
            runtime_config=json.dumps(config, ensure_ascii=False),
            pipeline_id=specification.pipeline_id,
            pipeline_version_id=specification.pipeline_version_id,
            recurring_run_id=request.recurring_run_id,
            resumed_from=request.resumed_from,
            pause_on_failure=request.pause_on_failure,
        )

        def store(connection: Any) -> RunRow:
            stored = _insert(connection, row)
            also(connection, stored)
            return stored

        stored = await self._database.write(store)
        await self._begin(row.run_id)
        return stored

    async def specify(
        self, namespace: str, source: PipelineSource, parameters: Mapping[str, Any] | None
    ) -> Specification:
        """What would run now; parameters of None are not checked. Raises InvalidArgumentError and NotFoundError."""
        prepare = await self._prepare()
        if source.pipeline_spec is not None:
            spec = await asyncio.to_thread(prepare, source.pipeline_spec, parameters)
            return Specification(spec, spec_inline=True)
        if source.kept:
            await asyncio.to_thread(prepare, source.kept.encode(), parameters)
            return Specification(source.kept, False, source.pipeline_id, source.pipeline_version_id)
        version = await self._database.read(lambda connection: find_version(connection, namespace, source))
        await asyncio.to_thread(prepare, version.spec.encode(), parameters)
        return Specification(version.spec, False, version.pipeline_id, version.pipeline_version_id)

    async def _begin(self, run_id: str) -> None:
        begin = asyncio.ensure_future(self._submit(run_id))
        done, _ = await asyncio.wait([begin], timeout=_BEGIN_SECONDS)
        if not done:
            log.warning("a run is slow to begin; it is stored, and begins when it can", run=run_id)
        for ended in done:
            ended.result()


async def _uncached(specification: Specification) -> Specification:
    if specification.spec.startswith(_WORKFLOW):
        raise InvalidArgumentError(
            "enable_caching: a Workflow of Argo's says itself what it reuses; change that in the Workflow"
        )
    return replace(specification, spec=await asyncio.to_thread(without_caching, specification.spec))


def find_version(connection: Any, namespace: str, source: PipelineSource) -> pipelines.VersionRow:
    """The version that a source without a specification means now. Raises InvalidArgumentError, NotFoundError."""
    version_id, pipeline_id = source.pipeline_version_id, source.pipeline_id
    if not version_id and not pipeline_id:
        raise InvalidArgumentError(
            "run: give pipeline_spec, or a pipeline_version_reference with pipeline_id or pipeline_version_id"
        )
    if version_id:
        version = pipelines.get_version(connection, version_id)
    else:
        version = pipelines.latest_version(connection, pipeline_id)
    pipeline = pipelines.get(connection, version.pipeline_id) if version is not None else None
    # Whoever may create runs in a namespace may use its pipelines and the shared ones, and no others.
    if version is None or pipeline is None or pipeline.namespace not in (namespace, ""):
        raise NotFoundError(f"pipeline version {version_id or f'of pipeline {pipeline_id}'!r} not found")
    if pipeline_id and version.pipeline_id != pipeline_id:
        raise InvalidArgumentError(
            f"run.pipeline_version_reference: {version_id!r} is no version of pipeline {pipeline_id!r}"
        )
    return version


def usable_experiment(
    connection: Any, namespace: str, experiment_id: str, now_micros: int, owner: str = "run"
) -> experiments.ExperimentRow:
    """The experiment for what is created now, or the default one. Raises NotFoundError, FailedPreconditionError."""
    if not experiment_id:
        experiment = experiments.ensure_default(connection, namespace, now_micros)
    else:
        found = experiments.get(connection, experiment_id)
        if found is None or found.namespace != namespace:
            raise NotFoundError(f"experiment {experiment_id!r} not found")
        experiment = found
    if experiment.storage_state == StorageState.ARCHIVED:
        raise FailedPreconditionError(
            f"{owner}.experiment_id: the experiment {experiment.display_name!r} is archived: un-archive it first"
        )
    return experiment


def _without_macros(request: RunRequest, run_id: str, now_micros: int) -> dict[str, Any]:
    """The runtime configuration with what `[[CurrentTime]]` and its kin stand for in this run."""
    config = dict(request.runtime_config)
    if parameters := config.get("parameters"):
        scheduled = request.scheduled_at // 1_000_000 if request.scheduled_at else None
        macros = Macros(run_id, now_micros // 1_000_000, scheduled, request.index)
        config["parameters"] = macros.of_parameters(parameters)
    return config


def _insert(connection: Any, row: RunRow) -> RunRow:
    """Stores the run in its experiment, or in the default one."""
    experiment = usable_experiment(connection, row.namespace, row.experiment_id, row.created_at)
    return runs.insert(connection, replace(row, experiment_id=experiment.experiment_id))
