"""The contents of artifacts that lie in the server's own artifact folder.

A URI is a user's word. It is followed only to a plain file below that folder, after every link in it is
resolved; what is elsewhere is not the server's to hand out, even to the one user: a browser may be the one
who asks.
"""

from __future__ import annotations

import asyncio
import base64
import os
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO

from starlette.responses import Response, StreamingResponse

from sampan.components.pipelines.api.errors import (
    InvalidArgumentError,
    NotFoundError,
    PermissionDeniedError,
)
from sampan.components.pipelines.rest.dispatch import Call
from sampan.components.pipelines.rest.nodes import find_task
from sampan.components.pipelines.rest.scopes import not_found
from sampan.components.pipelines.store import artifacts

_CHUNK = 3 * 64 * 1024
"""A multiple of three, so that base64 of the pieces is base64 of the whole."""
_BUCKETS = {"minio": "minio", "s3": "s3", "gcs": "gs", "gs": "gs"}

# Whatever an artifact holds, a browser must not run it as a page of ours.
_INERT = {
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "Content-Disposition": "attachment",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache, private",
}


async def read_artifact(call: Call) -> Response:
    """An output of a step as `{"data": base64}`, streamed."""
    task = await find_task(call, call.params["node_id"])
    name = call.params["artifact_name"]
    ids = task.outputs.artifacts.get(name) or task.inputs.artifacts.get(name)
    if not ids:
        raise not_found(f"artifact of step {task.display_name!r}", name)
    row = call.backend.database.read_now(lambda connection: artifacts.get(connection, ids[0]))
    if row is None:
        raise not_found("artifact", name)
    file = await asyncio.to_thread(open_artifact, call.backend.home, row.uri)
    return StreamingResponse(_as_json(file), media_type="application/json", headers=_INERT)


async def get_artifact(call: Call) -> Response:
    """The UI server's path: what `source`, `bucket` and `key` name, or the first `peek` bytes of it."""
    source, bucket, key = (call.query.get(name, "") for name in ("source", "bucket", "key"))
    if source == "file":
        uri = key if key.startswith("/") else f"/{key}"
    elif source in _BUCKETS:
        if not bucket or not key:
            raise InvalidArgumentError("bucket and key must name an object")
        uri = f"{_BUCKETS[source]}://{bucket}/{key}"
    else:
        raise InvalidArgumentError(f"source must be one of file, {', '.join(_BUCKETS)}, not {source[:40]!r}")
    peek = call.query_int("peek")
    file = await asyncio.to_thread(open_artifact, call.backend.home, uri)
    return StreamingResponse(
        _pieces(file, peek if peek > 0 else None), media_type="application/octet-stream", headers=_INERT
    )


def open_artifact(home: Path, uri: str) -> BinaryIO:
    """The file at `uri`. Blocks. InvalidArgumentError, PermissionDeniedError, NotFoundError."""
    root = (home / "artifacts").resolve()
    path = _local_path(root, uri)
    try:
        resolved = path.resolve(strict=True)
        if not resolved.is_relative_to(root):
            raise PermissionDeniedError("the artifact lies outside of the server's artifact folder")
        # Not through a link that took the file's place since.
        descriptor = os.open(resolved, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError, RuntimeError) as error:
        raise NotFoundError("the artifact has no file, or it is gone") from error
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        what = "a folder: name a file in it" if stat.S_ISDIR(mode) else "not a plain file"
        raise InvalidArgumentError(f"the artifact is {what}")
    return os.fdopen(descriptor, "rb")


def _local_path(root: Path, uri: str) -> Path:
    """Where a URI's bytes are kept here: plain paths as they are, buckets in folders of their own."""
    scheme, separator, rest = uri.partition("://")
    if not separator:
        path = Path(uri)
        if not path.is_absolute():
            raise NotFoundError("the artifact has no file, or it is gone")
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
            chunk = await asyncio.to_thread(file.read, size)
            if not chunk:
                return
            if limit is not None:
                limit -= len(chunk)
            yield chunk


async def _as_json(file: BinaryIO) -> AsyncIterator[bytes]:
    yield b'{"data":"'
    async for chunk in _pieces(file, None):
        yield base64.b64encode(chunk)
    yield b'"}'
