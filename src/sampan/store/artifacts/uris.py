"""URIs of artifacts, and names of objects that are to become files. Pure.

A bucket's objects are named by strangers: a name is turned into a path only here, and one that leads elsewhere, or that
is no file name on this machine, is refused (CVE-2024-1560 and its kin; ADA-03, ADA-07).
"""

from __future__ import annotations

from dataclasses import dataclass

from sampan.store.artifacts.protocol import StoreUnusableError

_LONGEST_NAME, _LONGEST_KEY = 255, 3500


@dataclass(frozen=True, slots=True)
class ArtifactUri:
    scheme: str
    """Lower case; empty for a plain path."""
    bucket: str
    key: str

    def __str__(self) -> str:
        return f"{self.scheme}://{self.bucket}/{self.key}" if self.scheme else self.key


def parse(uri: str) -> ArtifactUri:
    """Raises StoreUnusableError for one without a bucket. A query, as upstream's roots may have, is left out."""
    scheme, separator, rest = uri.partition("://")
    if not separator:
        return ArtifactUri("", "", uri)
    bucket, _, key = rest.partition("?")[0].partition("/")
    if not bucket or not scheme:
        raise StoreUnusableError(f"{uri}: names no bucket; write it as {scheme or 's3'}://bucket/key")
    return ArtifactUri(scheme.lower(), bucket, key.strip("/"))


def file_name(key: str) -> str:
    """`key` as a path below some folder. Raises StoreUnusableError for one that would lead out of it, or is no path."""
    parts = key.split("/")
    if any(part in ("", ".", "..") for part in parts) or "\0" in key:
        raise StoreUnusableError(f"the object name {key[:200]!r} cannot become a file: it leads elsewhere")
    if len(key.encode()) > _LONGEST_KEY or any(len(part.encode()) > _LONGEST_NAME for part in parts):
        raise StoreUnusableError(f"the object name {key[:80]!r}… is too long for a file")
    return key
