"""A file of a web server, which may be an archive.

Source: kserve/kserve v0.20.0 python/storage/kserve_storage/kserve_storage.py (_download_from_uri). Where upstream takes
but a few content types, here only a page for people is refused: what an archive is, its first bytes tell.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import mimetypes
import posixpath
import shutil
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from sampan.components.serving.engine.programs.initializer import archives
from sampan.components.serving.engine.programs.initializer.errors import (
    StorageError,
    UnreachableError,
    shown,
)
from sampan.components.serving.engine.programs.initializer.items import Item
from sampan.components.serving.engine.programs.initializer.web import Answer, Ask, Web

_PASSING = frozenset({408, 429, 500, 502, 503, 504})
_PAGES = ("text/html", "application/xhtml+xml")
_MAGIC = {archives.ZIP: (b"PK\x03\x04", b"PK\x05\x06")}
_SAID = {401: "HTTP authentication failed for '{}'. Verify credentials.",
         403: "HTTP access denied for '{}'. Verify permissions.",
         404: "HTTP resource not found at '{}'."}  # fmt: skip


def item(uri: str, environ: Mapping[str, str], web: Web) -> Item:
    """Raises StorageError."""
    parts = urlsplit(uri)
    name = unquote(posixpath.basename(parts.path))
    if not name:
        raise StorageError(f"No filename contained in URI: {shown(uri)}")
    headers = _headers(parts.hostname or "", environ)
    about = _about(web, uri, headers)
    kind = about.header("Content-Type").partition(";")[0].strip().lower()
    if kind in _PAGES and mimetypes.guess_type(name)[0] not in _PAGES:
        raise StorageError(
            f"URI: {shown(uri)} did not respond with 'Content-Type': 'application/octet-stream' or an archive's, but "
            f"with a page ({kind}): is it the address of the file itself, and are credentials needed?"
        )
    tag, size = about.header("ETag"), about.length
    is_strong = tag.startswith('"')

    def opened(offset: int) -> contextlib.AbstractContextManager[Answer]:
        more = {"Range": f"bytes={offset}-", "If-Range": tag} if offset else {}
        return _ask(web, uri, {**headers, **more}, offset)

    return Item(name, opened, size, f"{uri}\0{tag}" if is_strong else "", can_resume=is_strong)


def archive_kind(uri: str, file: Path) -> str:
    """By the path's name, or that in the query where the path has none. Raises StorageError for one that is none."""
    parts = urlsplit(uri)
    kind = archives.kind_of(parts.path)
    if not kind and mimetypes.guess_type(parts.path)[0] is None and parts.query:
        kind = archives.kind_of(parts.query)
    if not kind:
        return ""
    with file.open("rb") as stream:
        start = stream.read(4)
    if kind in _MAGIC and start not in _MAGIC[kind]:
        raise StorageError(f"URI: {shown(uri)} did not respond with a zip file")
    return kind


def decompressed(file: Path, most_bytes: int) -> None:
    """A file that is compressed and no archive (`model.json.gz`) becomes what it holds, without the ending.

    Raises StorageError, OSError.
    """
    kind, encoding = mimetypes.guess_type(file.name)
    if encoding != "gzip" or kind == archives.TAR:
        return
    target = file.with_suffix("")
    most = most_bytes or max(file.stat().st_size * 100, 256 << 20)
    try:
        with gzip.open(file, "rb") as stream, target.open("wb") as written:
            while piece := stream.read(1 << 20):
                if written.tell() + len(piece) > most:
                    raise StorageError(f"{file.name} unpacks to more than {most / 1024**2:.0f} MiB")
                written.write(piece)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        target.unlink(missing_ok=True)
        raise StorageError(f"{file.name} is no gzip file: {error}") from error
    shutil.copymode(file, target)
    file.unlink()


def _headers(host: str, environ: Mapping[str, str]) -> dict[str, str]:
    """What a Secret says for that host."""
    name = f"{host}-headers"
    if not (text := environ.get(name)):
        return {}
    try:
        told: Any = json.loads(text)
        return {str(each): str(value) for each, value in told.items()}
    except (ValueError, AttributeError):
        raise StorageError(f"{name} is no JSON object of texts: see the key headers of its Secret") from None


def _about(web: Web, uri: str, headers: Mapping[str, str]) -> Answer:
    """What the file is, its body unread. An address may be signed for GET alone."""
    with web.ask(Ask(uri, "HEAD", headers)) as answer:
        if answer.status == 200:
            return answer
    with _ask(web, uri, headers, 0) as answer:
        return answer


@contextlib.contextmanager
def _ask(web: Web, uri: str, headers: Mapping[str, str], offset: int) -> Iterator[Answer]:
    with web.ask(Ask(uri, headers=headers)) as answer:
        if answer.status == 200 or (offset and answer.status == 206):
            yield answer
            return
        if answer.status in _SAID:
            raise StorageError(_SAID[answer.status].format(shown(uri)))
        if answer.status in _PASSING:
            raise UnreachableError(f"HTTP request to '{shown(uri)}' failed with status code {answer.status}.")
        raise StorageError(f"HTTP request to '{shown(uri)}' failed with status code {answer.status}.")
