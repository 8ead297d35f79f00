"""The contents of artifacts that lie in the server's own artifact folder.

A URI is a user's word. It is followed only to a plain file below that folder, after every link in it is
resolved; what is elsewhere is not the server's to hand out, even to the one user: a browser may be the one
who asks. Where there are many users, the file must be of the namespace that the request was authorised for.
"""

from __future__ import annotations

import asyncio
import base64
import os
import stat
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from starlette.responses import Response, StreamingResponse

from sampan.components.pipelines.api.errors import (
    InvalidArgumentError,
    NotFoundError,
    PermissionDeniedError,
)
from sampan.components.pipelines.engine.fetch import FetchLimits, fetch
from sampan.components.pipelines.rest.dispatch import Call
from sampan.components.pipelines.rest.nodes import find_task
from sampan.components.pipelines.rest.scopes import not_found
from sampan.components.pipelines.store import artifacts
from sampan.components.pipelines.store.artifacts import ArtifactRow
from sampan.components.pipelines.store.tasks import TaskRow
from sampan.lib.threads import Threads, to_end

_CHUNK = 256 * 1024
GONE = "the artifact has no file, or it is gone"
_WEB = ("http", "https")
_MOST_FROM_THE_WEB = 32 * 1024 * 1024
_BUCKETS = {"minio": "minio", "s3": "s3", "gcs": "gs", "gs": "gs"}

# Whatever an artifact holds, a browser must not run it as a page of ours.
INERT = {
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "Content-Disposition": "attachment",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache, private",
}


async def read_artifact(call: Call) -> Response:
    """An output of a step as `{"data": base64}`, streamed."""
    task = await find_task(call, call.params["node_id"])
    name = call.params["artifact_name"]
    row = await call.backend.database.read(lambda connection: _of_step(connection, task, name))
    if row is None:
        raise not_found(f"artifact of step {task.display_name!r}", name)
    pieces = await content(call, row.uri, None)
    return StreamingResponse(_as_json(pieces), media_type="application/json", headers=INERT)


async def get_artifact(call: Call) -> Response:
    """The UI server's path: what `source`, `bucket` and `key` name, or the first `peek` bytes of it."""
    source, bucket, key = (call.query.get(name, "") for name in ("source", "bucket", "key"))
    if source in _WEB:
        return await from_the_web(call, f"{source}://{bucket}/{key}")
    peek = call.query_int("peek")
    return _inert(await content(call, _uri(source, bucket, key), peek if peek > 0 else None))


async def download_artifact(call: Call) -> Response:
    """The same with its parts in the path, and always the whole of it."""
    source, bucket, key = (call.params[name] for name in ("source", "bucket", "key"))
    return _inert(await content(call, _uri(source, bucket, key), None))


def find_artifact(home: Path, uri: str) -> Path:
    """Where the file at `uri` really is, below the artifact folder. Blocks.

    Raises InvalidArgumentError, PermissionDeniedError, NotFoundError.
    """
    root = (home / "artifacts").resolve()
    path = _local_path(root, uri)
    try:
        resolved = path.resolve(strict=True)
    except (OSError, ValueError, RuntimeError) as error:
        raise NotFoundError(GONE) from error
    if not resolved.is_relative_to(root):
        raise PermissionDeniedError("the artifact lies outside of the server's artifact folder")
    return resolved


def _open(path: Path) -> BinaryIO:
    try:
        # Not through a link that took the file's place since.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        raise NotFoundError(GONE) from error
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        what = "a folder: name a file in it" if stat.S_ISDIR(mode) else "not a plain file"
        raise InvalidArgumentError(f"the artifact is {what}")
    return os.fdopen(descriptor, "rb")


async def content(call: Call, uri: str, limit: int | None) -> AsyncIterator[bytes]:
    """The artifact's bytes, at most `limit`, wherever it lies; the first of them are there already."""
    found = await remote_content(call, uri, limit)
    return found if found is not None else _pieces(await _opened(call, uri), limit)


async def remote_content(call: Call, uri: str, limit: int | None) -> AsyncIterator[bytes] | None:
    """The same of what lies in an object store; None of what lies here."""
    if uri.partition("://")[0] not in _BUCKETS.values():
        return None
    engine = await call.backend.engine()
    pieces = await call.backend.asking.run(engine.remote_content, uri, call.namespace, limit)
    if pieces is None:
        return None
    await check_owner(call, uri)
    asking = call.backend.asking
    return _remote(await asking.run(next, pieces, b""), pieces, asking)


async def _remote(first: bytes, rest: Iterator[bytes], asking: Threads) -> AsyncIterator[bytes]:
    piece = first
    while piece:
        yield piece
        piece = await asking.run(next, rest, b"")


async def _opened(call: Call, uri: str) -> BinaryIO:
    path = await asyncio.to_thread(find_artifact, call.backend.home, uri)
    await check_owner(call, str(path))
    return await to_end(_open, path, undo=lambda file: file.close())


async def check_owner(call: Call, uri: str) -> None:
    if call.backend.multi_user:
        owners = await call.backend.database.read(lambda connection: artifacts.namespaces_at(connection, uri))
        if owners != {call.namespace}:
            raise PermissionDeniedError(f"the artifact does not belong to the namespace {call.namespace!r}")


async def from_the_web(call: Call, url: str) -> Response:
    limits = FetchLimits(_MOST_FROM_THE_WEB, allow_private=call.backend.settings.allow_private_urls)
    data = await call.backend.asking.run(fetch, url, "key", limits)
    peek = call.query_int("peek")
    return Response(data[:peek] if peek > 0 else data, media_type="application/octet-stream", headers=INERT)


def _of_step(connection: Any, task: TaskRow, name: str) -> ArtifactRow | None:
    """By what the engine has recorded, else by what clients have linked. Outputs first."""
    ids = list(task.outputs.artifacts.get(name, ())) or list(task.inputs.artifacts.get(name, ()))
    if not ids:
        linked = [each for each in artifacts.links_of_task(connection, task.task_id) if each.key == name]
        ids = [each.artifact_id for each in sorted(linked, key=lambda each: "OUTPUT" not in each.type)]
    return artifacts.get(connection, ids[0]) if ids else None


def _uri(source: str, bucket: str, key: str) -> str:
    if source == "file":
        return key if key.startswith("/") else f"/{key}"
    if source in _BUCKETS:
        if not bucket or not key:
            raise InvalidArgumentError("bucket and key must name an object")
        return f"{_BUCKETS[source]}://{bucket}/{key}"
    known = ", ".join(("file", *_BUCKETS, *_WEB))
    raise InvalidArgumentError(f"source must be one of {known}, not {source[:40]!r}")


def _inert(pieces: AsyncIterator[bytes]) -> Response:
    return StreamingResponse(pieces, media_type="application/octet-stream", headers=INERT)


def _local_path(root: Path, uri: str) -> Path:
    """Where a URI's bytes are kept here: plain paths as they are, buckets in folders of their own."""
    scheme, separator, rest = uri.partition("://")
    if not separator:
        path = Path(uri)
        if not path.is_absolute():
            raise NotFoundError(GONE)
        return path
    if scheme == "file":
        return Path("/" + rest.lstrip("/"))
    if scheme not in _BUCKETS.values():
        raise InvalidArgumentError(f"artifacts at {scheme[:20]!r} URIs are not kept by this server")
    if ".." in rest.split("/"):
        raise PermissionDeniedError("the artifact lies outside of the server's artifact folder")
    return root / scheme / rest.lstrip("/")


async def _pieces(file: BinaryIO, limit: int | None) -> AsyncIterator[bytes]:
    with file:
        while limit is None or limit > 0:
            size = _CHUNK if limit is None else min(_CHUNK, limit)
            chunk = await to_end(file.read, size)
            if not chunk:
                return
            if limit is not None:
                limit -= len(chunk)
            yield chunk


async def _as_json(content: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield b'{"data":"'
    left = b""
    async for chunk in content:
        # In threes, so that base64 of the pieces is base64 of the whole.
        whole = left + chunk
        size = len(whole) - len(whole) % 3
        left = whole[size:]
        yield base64.b64encode(whole[:size])
    yield base64.b64encode(left)
    yield b'"}'
