"""How a pipeline and a version come to be, whether the package was uploaded or is fetched from a URL."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

from sampan.components.pipelines.api.errors import AlreadyExistsError, InvalidArgumentError
from sampan.components.pipelines.api.packages import MAX_PACKAGE_BYTES, unpack
from sampan.components.pipelines.engine.fetch import FetchLimits, fetch
from sampan.components.pipelines.rest.dispatch import Call
from sampan.components.pipelines.store import pipelines
from sampan.components.pipelines.store.pipelines import PipelineRow, VersionRow
from sampan.lib.ids import new_uid


@dataclass(frozen=True, slots=True)
class Description:
    """What a client says about a pipeline or a version, checked."""

    name: str
    display_name: str
    description: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    package_url: str = ""
    code_source_url: str = ""


def new_pipeline(call: Call, about: Description) -> PipelineRow:
    return PipelineRow(
        pipeline_id=new_uid(),
        namespace=call.namespace,
        name=about.name,
        display_name=about.display_name,
        created_at=call.backend.now_micros(),
        description=about.description,
        tags=json.dumps(about.tags),
    )


def new_version(call: Call, pipeline_id: str, spec: str, about: Description) -> VersionRow:
    return VersionRow(
        pipeline_version_id=new_uid(),
        pipeline_id=pipeline_id,
        name=about.name,
        display_name=about.display_name,
        created_at=call.backend.now_micros(),
        spec=spec,
        description=about.description,
        tags=json.dumps(about.tags),
        package_url=about.package_url,
        code_source_url=about.code_source_url,
    )


async def prepared(call: Call, data: bytes) -> str:
    """The specification in a package, if it is one that can run. Raises InvalidArgumentError."""
    prepare = await call.backend.prepare()
    return await asyncio.to_thread(lambda: prepare(unpack(data), None))


async def fetched(call: Call, given: dict[str, Any], path: str) -> str:
    """The specification that `given.package_url` points at. Raises InvalidArgumentError naming `path`."""
    url = given.get("package_url", {}).get("pipeline_url", "")
    if not url:
        raise InvalidArgumentError(f"{path}.pipeline_url must say where the pipeline package is")
    limits = FetchLimits(MAX_PACKAGE_BYTES, allow_private=call.backend.settings.allow_private_urls)
    return await prepared(call, await call.backend.asking.run(fetch, url, f"{path}.pipeline_url", limits))


async def add_pipeline(call: Call, pipeline: PipelineRow, version: VersionRow | None = None) -> None:
    """Stores both, or neither. Raises AlreadyExistsError."""

    def insert(connection: Any) -> None:
        if not pipelines.insert(connection, pipeline):
            raise AlreadyExistsError(
                f"pipeline.name: there already is a pipeline {pipeline.name!r}; "
                "upload a new version of it, or take another name"
            )
        if version is not None:
            pipelines.insert_version(connection, version)

    await call.backend.database.write(insert)


async def add_version(call: Call, version: VersionRow) -> None:
    """Raises AlreadyExistsError."""
    if not await call.backend.database.write(
        lambda connection: pipelines.insert_version(connection, version)
    ):
        raise AlreadyExistsError(
            f"pipeline_version.name: the pipeline already has a version {version.name!r}; take another name"
        )
