"""The seam between whoever has artifacts and where they lie.

Every store passes `sampan.testing.artifact_store_conformance`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


class StoreError(Exception):
    """Of a store. The message is for people, and holds no secret."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class ObjectMissingError(StoreError):
    """There is no such object, or no such bucket."""


class AccessRefusedError(StoreError):
    """The store does not know the credentials, or they may not do this."""


class StoreUnavailableError(StoreError):
    """Nobody answers, or not now: trying again later may help."""


class StoreUnusableError(StoreError):
    """What was asked for cannot be had from this store, ever: a name, a size, a missing library."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    key: str
    size: int
    etag: str = ""
    """Another one when the content is another; empty where the store has none."""


class ArtifactStore(Protocol):
    """One bucket, or one folder. Keys are texts with slashes, none at either end.

    Thread-safe. Everything blocks: call it in a thread. Every method raises StoreError; one that finds nothing where it
    needs something raises ObjectMissingError.
    """

    def stat(self, key: str) -> StoredObject | None:
        """The object of exactly this key."""
        ...

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Every object below `prefix/`, not that of `prefix` itself; in no order."""
        ...

    def read(self, key: str, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        """The object's bytes in pieces, from `offset`, at most `length`; nothing where it ends before."""
        ...

    def upload(self, file: Path, key: str) -> StoredObject:
        """Streams a file to the key, in place of what was there. Half an object is never seen."""
        ...

    def download(self, key: str, file: Path) -> StoredObject:
        """Streams the object to `file`, whose folder exists. Half a file is never seen under that name."""
        ...

    def delete(self, keys: Iterable[str]) -> None:
        """Removes objects; those that are gone already are no error."""
        ...
