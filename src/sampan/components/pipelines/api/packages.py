"""Pipeline packages: from the bytes of an uploaded file to the pipeline's own text in it.

A package is YAML or JSON, or a zip or gzipped tar with `pipeline.yaml` in it. Pure: nothing is unpacked to
disk. What comes from outside is bounded before it is read: bytes, members, and the ratio of compression. What
the text says is for `ir` to read.
"""

from __future__ import annotations

import gzip
import io
import posixpath
import struct
import tarfile
import zipfile
import zlib
from typing import Any

from sampan.components.pipelines.api.errors import InvalidArgumentError

MAX_PACKAGE_BYTES = 32 * 1024 * 1024
"""Of an upload, and of what is in it. Upstream's limit."""
_MAX_MEMBERS = 1000
_MAX_RATIO = 200
"""Text compresses by 20 at most; more is a bomb."""
_PIPELINE_FILE = "pipeline.yaml"


def unpack(data: bytes) -> bytes:
    """The pipeline's text in an uploaded file. Blocks for large ones. Raises InvalidArgumentError."""
    if len(data) > MAX_PACKAGE_BYTES:
        raise _refused(
            f"it is larger than {_mebibytes(MAX_PACKAGE_BYTES)}; move large data out of the pipeline"
        )
    if not data.strip():
        raise _refused("it is empty")
    if data.startswith(b"PK"):
        return _from_zip(data)
    if data.startswith(b"\x1f\x8b"):
        return _from_tar(data)
    return data


def check_expanded(value: Any) -> None:
    """Refuses a parsed document whose YAML aliases stand for more than a package may hold. A few kB can mean
    terabytes; only a walk that never copies finds out. Raises InvalidArgumentError."""
    left = 2 * MAX_PACKAGE_BYTES
    stack = [value]
    while stack:
        item = stack.pop()
        left -= 8 + (len(item) if isinstance(item, str) else 0)
        if left < 0:
            raise _refused("its YAML aliases expand to too much")
        if isinstance(item, dict):
            left -= sum(len(key) for key in item if isinstance(key, str))
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)


def _from_zip(data: bytes) -> bytes:
    # The directory's own count, before the library makes an object for each of a million entries.
    end = data.rfind(b"PK\x05\x06")
    if end < 0 or len(data) < end + 12:
        raise _refused("it is not a whole zip file")
    [count] = struct.unpack_from("<H", data, end + 10)
    if count > _MAX_MEMBERS:
        raise _refused(f"the zip file holds more than {_MAX_MEMBERS} files")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
            for member in members:
                _check_member(member.filename, is_plain=_is_plain(member))
            chosen = _choose([member.filename for member in members if not member.is_dir()], "zip")
            info = archive.getinfo(chosen)
            if info.flag_bits & 0x1:
                raise _refused("the zip file is encrypted")
            with archive.open(info) as file:
                return _bounded(file, info.compress_size)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, ValueError, OSError) as error:
        raise _refused(f"the zip file is damaged or of an unknown kind: {error}") from error


def _is_plain(member: zipfile.ZipInfo) -> bool:
    """A file or a folder, not a link or a device: the upper half of the attributes is Unix' mode."""
    kind = (member.external_attr >> 16) & 0o170000
    return kind in (0, 0o100000, 0o040000)


def _from_tar(data: bytes) -> bytes:
    found: dict[str, bytes] = {}
    names: list[str] = []
    stream = _CountingReader(gzip.GzipFile(fileobj=io.BytesIO(data)), len(data))
    try:
        with tarfile.open(fileobj=stream, mode="r|") as archive:
            for member in archive:
                if len(names) >= _MAX_MEMBERS:
                    raise _refused(f"the tar file holds more than {_MAX_MEMBERS} files")
                _check_member(member.name, is_plain=member.isfile() or member.isdir())
                names.append(member.name)
                file = archive.extractfile(member) if _is_pipeline_file(member.name) or not found else None
                if file is not None:
                    found[member.name] = _bounded(file, len(data))
    except (tarfile.TarError, zlib.error, gzip.BadGzipFile, EOFError, ValueError, OSError) as error:
        raise _refused(f"the tar.gz file is damaged: {error}") from error
    return found[_choose(list(found), "tar.gz")]


class _CountingReader(io.RawIOBase):
    """Stops a stream that unpacks to more than it may."""

    def __init__(self, file: gzip.GzipFile, compressed: int) -> None:
        self._file = file
        self._left = _limit(compressed)

    def read(self, size: int = -1) -> bytes:
        if size < 0 or size > self._left:
            size = self._left + 1
        chunk = self._file.read(size)
        self._left -= len(chunk)
        if self._left < 0:
            raise _bomb()
        return chunk


def _bounded(file: Any, compressed: int) -> bytes:
    limit = _limit(compressed)
    data: bytes = file.read(limit + 1)
    if len(data) > limit:
        raise _bomb()
    return data


def _limit(compressed: int) -> int:
    # Small files may compress better than any ratio says.
    return min(MAX_PACKAGE_BYTES, max(compressed * _MAX_RATIO, 1024 * 1024))


def _choose(names: list[str], archive: str) -> str:
    """`pipeline.yaml`, or else the first file, which must then be YAML: upstream's rule."""
    if not names:
        raise _refused(f"the {archive} file is empty; it needs {_PIPELINE_FILE}")
    chosen = next((name for name in names if _is_pipeline_file(name)), names[0])
    if not chosen.endswith((".yaml", ".yml")):
        raise _refused(f"the {archive} file has no {_PIPELINE_FILE}; its first file is {chosen!r}")
    return chosen


def _is_pipeline_file(name: str) -> bool:
    return posixpath.normpath(name) == _PIPELINE_FILE


def _check_member(name: str, *, is_plain: bool) -> None:
    """Refuses an archive made to reach outside of itself, though nothing of it is ever written to disk."""
    parts = name.replace("\\", "/").split("/")
    if not is_plain or name.startswith(("/", "\\")) or ".." in parts or "\0" in name or ":" in parts[0]:
        raise _refused(f"its member {name!r} is a link, a device, or outside of the archive")


def _mebibytes(count: int) -> str:
    return f"{count // (1024 * 1024)} MiB"


def _bomb() -> InvalidArgumentError:
    return _refused(
        f"it unpacks to more than {_mebibytes(MAX_PACKAGE_BYTES)}, or to {_MAX_RATIO} times its size"
    )


def _refused(why: str) -> InvalidArgumentError:
    return InvalidArgumentError(f"the pipeline package cannot be used: {why}")
