"""The pipeline service: pipelines and their versions. Uploads are next door."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from starlette.responses import Response

from sampan.components.pipelines.api.errors import InvalidArgumentError
from sampan.components.pipelines.rest import publish, render
from sampan.components.pipelines.rest.dispatch import Call, answer, answer_from
from sampan.components.pipelines.rest.names import (
    MAX_PIPELINE_NAME,
    MAX_VERSION_NAME,
    checked_name,
    checked_tags,
)
from sampan.components.pipelines.rest.scopes import not_found
from sampan.components.pipelines.store import pipeline_facts, pipelines
from sampan.components.pipelines.store.listing import Page
from sampan.components.pipelines.store.pipelines import PipelineRow, VersionRow


async def create(call: Call) -> Response:
    row = _new_pipeline(call, call.body)
    await publish.add_pipeline(call, row)
    return answer(render.pipeline(row, call.shown_namespace))


async def create_with_version(call: Call) -> Response:
    """A pipeline and its first version, which takes the pipeline's name."""
    given_version = call.body.get("pipeline_version", {})
    pipeline = _new_pipeline(call, call.body.get("pipeline", {}))
    spec = await publish.fetched(call, given_version, "pipeline_version.package_url")
    version = publish.new_version(
        call,
        pipeline.pipeline_id,
        spec,
        publish.Description(
            name=pipeline.name[:MAX_VERSION_NAME],
            display_name=pipeline.display_name,
            description=pipeline.description,
            tags=checked_tags(given_version.get("tags", {}), "pipeline_version.tags"),
            package_url=given_version.get("package_url", {}).get("pipeline_url", ""),
            code_source_url=given_version.get("code_source_url", ""),
        ),
    )
    await publish.add_pipeline(call, pipeline, version)
    return answer(render.pipeline(pipeline, call.shown_namespace))


async def get(call: Call) -> Response:
    if not _is_full(call, standard="BASIC"):
        return answer(render.pipeline(_pipeline(call), call.shown_namespace))
    row, shown = _pipeline(call), call.shown_namespace
    return await answer_from(call, lambda connection: _full(connection, [row], shown)[0])


async def get_by_name(call: Call) -> Response:
    namespace, name = call.namespace, call.params["name"]
    row = call.backend.database.read_now(lambda connection: pipelines.by_name(connection, namespace, name))
    if row is None:
        raise not_found("pipeline", name)
    return answer(render.pipeline(row, call.shown_namespace))


async def list_(call: Call) -> Response:
    request, namespace, shown = call.list_request(), call.namespace, call.shown_namespace
    full = _is_full(call, standard="BASIC")

    def read(connection: Any) -> dict[str, Any]:
        page = pipelines.list_page(connection, request, namespace)
        if full:
            items = _full(connection, page.items, shown)
            return render.page("pipelines", Page(items, page.total_size, page.next_page_token))
        return render.page("pipelines", page.mapped(lambda row: render.pipeline(row, shown)))

    return await answer_from(call, read)


async def update(call: Call) -> Response:
    """Changes display name and tags; an empty map of tags removes them all."""
    row = _pipeline(call)
    _check_identity(call.body, "pipeline_id", row.pipeline_id)
    display_name, tags = _changes(call.body)
    await call.backend.database.write(
        lambda connection: pipelines.update(connection, row.pipeline_id, display_name, tags)
    )
    return answer(render.pipeline(_pipeline(call), call.shown_namespace))


async def delete(call: Call) -> Response:
    row, cascade = _pipeline(call), call.query_flag("cascade")

    def remove(connection: Any) -> None:
        latest = pipelines.latest_version(connection, row.pipeline_id)
        if latest is not None and not cascade:
            raise InvalidArgumentError(
                f"pipeline {row.pipeline_id!r} still has versions, such as {latest.pipeline_version_id!r}: "
                "delete them first, or delete with cascade=true"
            )
        pipelines.delete(connection, row.pipeline_id)

    await call.backend.database.write(remove)
    return answer({})


async def create_version(call: Call) -> Response:
    pipeline = _pipeline(call)
    given = call.body
    _check_identity(given, "pipeline_id", pipeline.pipeline_id)
    spec = await publish.fetched(call, given, "pipeline_version.package_url")
    name = checked_name(
        given.get("name", "") or given.get("display_name", ""), "pipeline_version.name", MAX_VERSION_NAME
    )
    version = publish.new_version(
        call,
        pipeline.pipeline_id,
        spec,
        publish.Description(
            name=name,
            display_name=given.get("display_name", "") or name,
            description=given.get("description", ""),
            tags=checked_tags(given.get("tags", {}), "pipeline_version.tags"),
            package_url=given.get("package_url", {}).get("pipeline_url", ""),
            code_source_url=given.get("code_source_url", ""),
        ),
    )
    await publish.add_version(call, version)
    return answer(render.version(version))


async def get_version(call: Call) -> Response:
    return answer(render.version(_version(call)))


async def list_versions(call: Call) -> Response:
    request, pipeline_id = call.list_request(), call.params["pipeline_id"]
    full = _is_full(call, standard="FULL")

    def read(connection: Any) -> dict[str, Any]:
        page = pipelines.list_versions(connection, request, pipeline_id, full=full)
        return render.page("pipeline_versions", page.mapped(render.version))

    return await answer_from(call, read)


async def list_all_versions(call: Call) -> Response:
    """Sampan's own: of all pipelines of a namespace, with the pipelines' names and without specifications."""
    request, namespace = call.list_request(), call.namespace

    def read(connection: Any) -> dict[str, Any]:
        page = pipelines.list_all_versions(connection, request, namespace)
        names = pipelines.names(connection, [row.pipeline_id for row in page.items])
        return render.page(
            "pipeline_versions",
            page.mapped(lambda row: render.version(row) | {"pipeline_name": names.get(row.pipeline_id, "")}),
        )

    return await answer_from(call, read)


async def update_version(call: Call) -> Response:
    row = _version(call)
    _check_identity(call.body, "pipeline_version_id", row.pipeline_version_id)
    display_name, tags = _changes(call.body)
    await call.backend.database.write(
        lambda connection: pipelines.update_version(connection, row.pipeline_version_id, display_name, tags)
    )
    return answer(render.version(_version(call)))


async def delete_version(call: Call) -> Response:
    row = _version(call)
    await call.backend.database.write(
        lambda connection: pipelines.delete_version(connection, row.pipeline_version_id)
    )
    return answer({})


def _new_pipeline(call: Call, given: dict[str, Any]) -> PipelineRow:
    name = checked_name(
        given.get("name", "") or given.get("display_name", ""), "pipeline.name", MAX_PIPELINE_NAME
    )
    return publish.new_pipeline(
        call,
        publish.Description(
            name=name,
            display_name=given.get("display_name", "") or name,
            description=given.get("description", ""),
            tags=checked_tags(given.get("tags", {}), "pipeline.tags"),
        ),
    )


def _pipeline(call: Call) -> PipelineRow:
    pipeline_id = call.params["pipeline_id"]
    row = call.backend.database.read_now(lambda connection: pipelines.get(connection, pipeline_id))
    if row is None:
        raise not_found("pipeline", pipeline_id)
    return row


def _version(call: Call) -> VersionRow:
    """The version, if it is one of the path's pipeline: that is the one the caller was authorised for."""
    version_id = call.params["pipeline_version_id"]
    row = call.backend.database.read_now(lambda connection: pipelines.get_version(connection, version_id))
    if row is None or row.pipeline_id != call.params["pipeline_id"]:
        raise not_found("pipeline version", version_id)
    return row


def _full(connection: Any, rows: Sequence[PipelineRow], shown: str) -> list[dict[str, Any]]:
    """With what is known of them beyond their own rows."""
    found = pipeline_facts.of_pipelines(connection, [row.pipeline_id for row in rows])
    return [
        render.pipeline(row, shown)
        | {"default_version_id": row.default_version_id}
        | render.facts(found[row.pipeline_id])
        for row in rows
    ]


def _is_full(call: Call, *, standard: str) -> bool:
    """Whether the query's `view` is FULL; `standard` is what it is where nothing is said, as upstream answers."""
    view = call.query.get("view", "") or standard
    if view not in ("BASIC", "FULL"):
        raise InvalidArgumentError(f"view must be BASIC or FULL, not {view[:40]!r}")
    return view == "FULL"


def _changes(given: dict[str, Any]) -> tuple[str, dict[str, str] | None]:
    tags = given.get("tags")
    return given.get("display_name", ""), None if tags is None else checked_tags(tags, "tags")


def _check_identity(given: dict[str, Any], field: str, expected: str) -> None:
    if given.get(field, expected) not in ("", expected):
        raise InvalidArgumentError(f"{field} in the body is not the one in the path, {expected!r}")
