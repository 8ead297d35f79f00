"""Digests by which stores say what a file's content is, and whether what came is that."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sampan.components.serving.engine.programs.initializer.errors import StorageError
from sampan.components.serving.engine.programs.initializer.web import Answer

GIT = "git"
"""SHA-1 as git names a file's content."""
_PIECE = 1 << 20
_NAMES = {"sha-256": "sha256", "sha-512": "sha512", "md5": "md5"}
_STRUCTURED = re.compile(r"(?P<name>sha-256|sha-512)=:(?P<value>[A-Za-z0-9+/=]+):")
_PLAIN = re.compile(r"(?P<name>sha-256|sha-512|md5)=(?P<value>[A-Za-z0-9+/=]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Digest:
    algorithm: str
    """One of `hashlib`, `crc32`, or GIT."""
    value: str
    """Hexadecimal."""


class _Running(Protocol):
    def update(self, data: bytes, /) -> None: ...

    def hexdigest(self) -> str: ...


class _Crc32:
    def __init__(self) -> None:
        self._value = 0

    def update(self, data: bytes, /) -> None:
        self._value = zlib.crc32(data, self._value)

    def hexdigest(self) -> str:
        return f"{self._value:08x}"


def from_base64(algorithm: str, text: str) -> Digest | None:
    """None for what is no digest, such as that of an object in parts."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return Digest(algorithm, raw.hex()) if raw else None


def said(answer: Answer) -> Digest | None:
    """What an answer with the whole content says of it.

    Source of the headers: RFC 9530, RFC 3230, RFC 1864; Amazon S3's "Checking object integrity"; Google's x-goog-hash.
    """
    for name, algorithm in (("x-amz-checksum-sha256", "sha256"), ("x-amz-checksum-crc32", "crc32")):
        if (text := answer.header(name)) and (found := from_base64(algorithm, text)) is not None:
            return found
    match = _STRUCTURED.search(answer.header("Repr-Digest")) or _PLAIN.search(answer.header("Digest"))
    match = match or _PLAIN.search(answer.header("x-goog-hash"))
    if match is not None:
        return from_base64(_NAMES[match["name"].lower()], match["value"])
    return from_base64("md5", answer.header("Content-MD5"))


def verify(name: str, file: Path, digest: Digest | None) -> None:
    """Raises StorageError where the file is something else."""
    if digest is None:
        return
    running = _running(digest.algorithm, file)
    with file.open("rb") as stream:
        while piece := stream.read(_PIECE):
            running.update(piece)
    if running.hexdigest() != digest.value:
        raise StorageError(
            f"{name} is not what its store says it is: its {digest.algorithm} digest is {running.hexdigest()}, not "
            f"{digest.value}"
        )


def _running(algorithm: str, file: Path) -> _Running:
    if algorithm == "crc32":
        return _Crc32()
    if algorithm == GIT:
        return hashlib.sha1(f"blob {file.stat().st_size}\0".encode(), usedforsecurity=False)
    return hashlib.new(algorithm, usedforsecurity=False)
