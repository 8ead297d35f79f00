"""The pipeline service of v1: a pipeline always shows its default version, and a version is found by its id alone.

The default version is the one that was uploaded last, or the one that was chosen since.

Sources: kubeflow/pipelines 2.17, backend/src/apiserver/server/{pipeline_server,pipeline_upload_server}.go; that
deleting a pipeline takes its versions along, and that a version can be chosen, is 1.8's and in pipeline.proto.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from starlette.responses import Response

from sampan.components.pipelines.api.errors import InvalidArgumentError
from sampan.components.pipelines.api.wire_messages_v1 import ResourceType
from sampan.components.pipelines.rest import publish, uploads
from sampan.components.pipelines.rest.dispatch import Call, answer, answer_from
from sampan.components.pipelines.rest.names import MAX_PIPELINE_NAME, MAX_VERSION_NAME, checked_name
from sampan.components.pipelines.rest.render import page
from sampan.components.pipelines.rest.scopes import not_found
from sampan.components.pipelines.rest.v1 import filters, manifests, references, render
from sampan.components.pipelines.store import pipelines
from sampan.components.pipelines.store.pipelines import PipelineRow, VersionRow


async def create(call: Call) -> Response:
    """A pipeline and its first version, of what is at the URL."""
    given = call.body
    references.checked(given.get("resource_references", ()), "pipeline", [ResourceType.NAMESPACE])
    source = {"package_url": given.get("url", {})}
    url = source["package_url"].get("pipeline_url", "")
    spec = await publish.fetched(call, source, "pipeline.url")
    name = given.get("name", "") or urlsplit(url).path.rpartition("/")[2]
    name = checked_name(name, "pipeline.name", MAX_PIPELINE_NAME)
    about = publish.Description(name=name, display_name=name, description=given.get("description", ""))
    pipeline = publish.new_pipeline(call, about)
    first = publish.Description(
        name=name[:MAX_VERSION_NAME], display_name=name, description=about.description, package_url=url
    )
    version = publish.new_version(call, pipeline.pipeline_id, spec, first)
    await publish.add_pipeline(call, pipeline, version)
    return answer(render.pipeline(pipeline, version, call.shown_namespace))


async def upload(call: Call) -> Response:
    pipeline, version = await uploads.new_pipeline(call)
    return answer(render.pipeline(pipeline, version, call.shown_namespace))


async def upload_version(call: Call) -> Response:
    return answer(render.version(await uploads.new_version(call)))


async def get(call: Call) -> Response:
    key = call.params["pipeline_id"]
    return await answer_from(
        call, lambda connection: _shown(call, connection, pipelines.get(connection, key))
    )


async def get_by_name(call: Call) -> Response:
    namespace, name = call.namespace, call.params["name"]
    return await answer_from(
        call, lambda connection: _shown(call, connection, pipelines.by_name(connection, namespace, name))
    )


async def list_(call: Call) -> Response:
    request, namespace = filters.list_request(call), call.namespace

    def read(connection: Any) -> dict[str, Any]:
        found = pipelines.list_page(connection, request, namespace)
        return page("pipelines", found.mapped(lambda row: _shown(call, connection, row)))

    return await answer_from(call, read)


async def delete(call: Call) -> Response:
    key = call.params["pipeline_id"]
    await call.backend.database.write(lambda connection: pipelines.delete(connection, key))
    return answer({})


async def get_template(call: Call) -> Response:
    """The default version's specification."""
    key = call.params["pipeline_id"]

    def read(connection: Any) -> dict[str, Any]:
        row = pipelines.get(connection, key)
        version = pipelines.default_version(connection, row) if row is not None else None
        if version is None:
            raise not_found("version of pipeline", key)
        return {"template": manifests.manifest(version.spec).text}

    return await answer_from(call, read)


async def set_default_version(call: Call) -> Response:
    key, version_id = call.params["pipeline_id"], call.params["version_id"]

    def choose(connection: Any) -> None:
        version = pipelines.get_version(connection, version_id)
        if version is None or version.pipeline_id != key:
            raise not_found("pipeline version", version_id)
        pipelines.set_default_version(connection, key, version_id)

    await call.backend.database.write(choose)
    return answer({})


async def create_version(call: Call) -> Response:
    given = call.body
    name = checked_name(given.get("name", ""), "version.name", MAX_VERSION_NAME)
    pipeline_id = references.referred(given.get("resource_references", ()), ResourceType.PIPELINE)
    spec = await publish.fetched(call, given, "version.package_url")
    about = publish.Description(
        name=name,
        display_name=name,
        description=given.get("description", ""),
        package_url=given["package_url"]["pipeline_url"],
        code_source_url=given.get("code_source_url", ""),
    )
    version = publish.new_version(call, pipeline_id, spec, about)
    await publish.add_version(call, version)
    return answer(render.version(version))


async def get_version(call: Call) -> Response:
    return await answer_from(call, lambda connection: render.version(_version(call, connection)))


async def list_versions(call: Call) -> Response:
    request = filters.list_request(call)
    pipeline_id = references.queried(call.query, "resource_key")[1]

    def read(connection: Any) -> dict[str, Any]:
        found = pipelines.list_versions(connection, request, pipeline_id)
        return page("versions", found.mapped(render.version))

    return await answer_from(call, read)


async def delete_version(call: Call) -> Response:
    key = call.params["version_id"]
    await call.backend.database.write(lambda connection: pipelines.delete_version(connection, key))
    return answer({})


async def get_version_template(call: Call) -> Response:
    return await answer_from(
        call, lambda connection: {"template": manifests.manifest(_version(call, connection).spec).text}
    )


def pipeline_of_versions(call: Call) -> str:
    """The pipeline whose versions a request lists or adds to. Raises InvalidArgumentError."""
    if call.request.method == "GET":
        kind, key = references.queried(call.query, "resource_key")
        if kind is not ResourceType.PIPELINE or not key:
            raise InvalidArgumentError("resource_key.type must be PIPELINE, and resource_key.id a pipeline's")
        return key
    key = references.referred(call.body.get("resource_references", ()), ResourceType.PIPELINE)
    if not key:
        raise InvalidArgumentError(
            "version.resource_references must name the pipeline: key.type PIPELINE, relationship OWNER"
        )
    return key


def _shown(call: Call, connection: Any, row: PipelineRow | None) -> dict[str, Any]:
    if row is None:
        raise not_found("pipeline", call.params.get("pipeline_id") or call.params.get("name", ""))
    return render.pipeline(row, pipelines.default_version(connection, row), call.shown_namespace)


def _version(call: Call, connection: Any) -> VersionRow:
    row = pipelines.get_version(connection, call.params["version_id"])
    if row is None:
        raise not_found("pipeline version", call.params["version_id"])
    return row
