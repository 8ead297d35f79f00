"""Uploads of pipeline packages as HTML forms: the file in `uploadfile`, what is said about it in the query.

These two paths answer errors in a shape of their own, as upstream does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.datastructures import UploadFile
from starlette.responses import Response

from sampan.components.pipelines.api.errors import InvalidArgumentError, PipelinesError
from sampan.components.pipelines.api.wire import decode, map_of, string
from sampan.components.pipelines.rest import publish, render
from sampan.components.pipelines.rest.dispatch import Call, answer
from sampan.components.pipelines.rest.names import (
    MAX_PIPELINE_NAME,
    MAX_VERSION_NAME,
    checked_name,
    checked_tags,
)
from sampan.components.pipelines.store.pipelines import PipelineRow, VersionRow

_FILE_FIELD = "uploadfile"


def error_json(error: PipelinesError) -> Mapping[str, Any]:
    return {"error_message": error.message, "error_details": error.message}


async def upload(call: Call) -> Response:
    return answer(render.pipeline((await new_pipeline(call))[0], call.shown_namespace))


async def upload_version(call: Call) -> Response:
    return answer(render.version(await new_version(call)))


async def new_pipeline(call: Call) -> tuple[PipelineRow, VersionRow]:
    """A new pipeline, and the file as its first version, under the same name. Stored."""
    file_name, data = await _uploaded(call)
    about = _about(call, file_name, "name", MAX_PIPELINE_NAME)
    spec = await publish.prepared(call, data)
    pipeline = publish.new_pipeline(call, about)
    first = publish.Description(
        name=about.name[:MAX_VERSION_NAME],
        display_name=about.display_name,
        description=about.description,
        code_source_url=about.code_source_url,
    )
    version = publish.new_version(call, pipeline.pipeline_id, spec, first)
    await publish.add_pipeline(call, pipeline, version)
    return pipeline, version


async def new_version(call: Call) -> VersionRow:
    """A further version of the pipeline that the query names. Stored."""
    file_name, data = await _uploaded(call)
    about = _about(call, file_name, "name", MAX_VERSION_NAME)
    spec = await publish.prepared(call, data)
    version = publish.new_version(call, call.query["pipelineid"], spec, about)
    await publish.add_version(call, version)
    return version


async def _uploaded(call: Call) -> tuple[str, bytes]:
    if not call.request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise InvalidArgumentError(f"send a multipart/form-data form with the package in {_FILE_FIELD!r}")
    async with call.request.form(max_files=1, max_fields=20) as form:
        file = form.get(_FILE_FIELD)
        if not isinstance(file, UploadFile):
            raise InvalidArgumentError(f"the form has no file in {_FILE_FIELD!r}")
        return file.filename or "", await file.read()


def _about(call: Call, file_name: str, path: str, limit: int) -> publish.Description:
    query = call.query
    name = query.get("name") or query.get("display_name") or file_name
    return publish.Description(
        name=checked_name(name, path, limit),
        display_name=query.get("display_name") or name,
        description=query.get("description", ""),
        tags=_tags(query.get("tags", "")),
        code_source_url=query.get("code_source_url", ""),
    )


def _tags(text: str) -> dict[str, str]:
    return checked_tags(map_of(string)(decode(text.encode(), "tags"), "tags"), "tags") if text else {}
