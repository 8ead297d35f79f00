"""From an artifact to the endpoints that serve it, and from an endpoint back to the artifacts that it serves.

An endpoint is KServe's InferenceService, of the artifact's own namespace. By where it fetches its models artifacts are
found; what its annotations claim decides between several at one place and nothing else, so that nobody comes by an
artifact of another namespace through an annotation. Whoever asks needs the right to read InferenceServices too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote

from starlette.responses import Response

from sampan.components.pipelines.api.errors import NotFoundError, PermissionDeniedError, UnavailableError
from sampan.components.pipelines.api.wire import present
from sampan.components.pipelines.rest import artifact_views
from sampan.components.pipelines.rest.dispatch import Call, answer, answer_from
from sampan.components.pipelines.rest.scopes import not_found
from sampan.components.pipelines.store import artifacts
from sampan.components.serving.api import origins
from sampan.components.serving.api.kinds import INFERENCE_SERVICES
from sampan.components.serving.api.summary import summarise
from sampan.kube import errors as kube
from sampan.kube import meta
from sampan.kube.meta import Object
from sampan.web.reviews import is_allowed, user_of

_FILE = "file://"


async def list_endpoints(call: Call) -> Response:
    """Those that fetch a model from the artifact, or from something in it."""
    artifact_id = call.params["artifact_id"]
    row = await call.backend.database.read(lambda connection: artifacts.get(connection, artifact_id))
    if row is None:
        raise not_found("artifact", artifact_id)
    await _require(call, "list", "")
    try:
        found = (await call.backend.client.list(INFERENCE_SERVICES, call.namespace)).items
    except kube.NotFoundError:
        # No cluster must have the kind.
        found = []
    except kube.ApiError as error:
        raise UnavailableError(f"the InferenceServices cannot be read: {error}") from error
    serving = [each for each in found if origins.is_artifact_of(each, row.uri)]
    return answer({"endpoints": [_endpoint(each) for each in sorted(serving, key=meta.name)]})


async def get_models(call: Call) -> Response:
    """Of an endpoint: where it fetches each of its models, and the artifact that is there, with what made it."""
    name = call.params["name"]
    await _require(call, "get", name)
    try:
        isvc = await call.backend.client.get(INFERENCE_SERVICES, name, call.namespace)
    except kube.NotFoundError as error:
        raise NotFoundError(
            f"there is no InferenceService {name!r} in the namespace {call.namespace!r}"
        ) from error
    except kube.ApiError as error:
        raise UnavailableError(f"the InferenceService cannot be read: {error}") from error
    namespace, claimed = call.namespace, origins.claimed(isvc).artifact_id

    def read(connection: Any) -> Mapping[str, Any]:
        models = []
        for uri in origins.model_uris(isvc):
            rows = artifacts.at(connection, namespace, list(_places(uri)))
            rows.sort(
                key=lambda row: (len(row.uri), row.artifact_id == claimed, row.created_at), reverse=True
            )
            full = artifact_views.full(connection, rows[0]) if rows else None
            models.append(present(uri=uri, artifact=full))
        return {**_endpoint(isvc), "models": models}

    return await answer_from(call, read)


async def _require(call: Call, verb: str, name: str) -> None:
    if not call.backend.multi_user:
        return
    what = (INFERENCE_SERVICES, "", name, verb)
    user = user_of(call.request)
    if not await is_allowed(call.backend.client, user, what, call.namespace):
        raise PermissionDeniedError(
            f"User {user.name!r} is not authorized to {verb} inferenceservices in the namespace {call.namespace!r}"
        )


def _endpoint(isvc: Object) -> dict[str, Any]:
    found = summarise(isvc)
    return present(
        name=found.name,
        namespace=found.namespace,
        state=found.state.value,
        url=found.url,
        source=origins.claimed(isvc).source,
    )


def _places(uri: str) -> Iterator[str]:
    """As artifacts have it: the place itself, and what it may lie in."""
    place = unquote(uri.removeprefix(_FILE).removeprefix("localhost")) if uri.startswith(_FILE) else uri
    place = place.rstrip("/")
    scheme, separator, path = place.partition("://") if "://" in place else ("", "", place)
    for each in (PurePosixPath(path), *PurePosixPath(path).parents):
        if str(each) not in ("/", "."):
            yield f"{scheme}{separator}{each}"
            yield f"{scheme}{separator}{each}/"
