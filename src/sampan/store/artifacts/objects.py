"""S3, everything that speaks S3, and Google's storage, through obstore (decision 23). Loads when a store is first made.

obstore's calls let go of the interpreter while they wait, so a few threads keep a link busy; it signs, retries and
streams in parts by itself.
"""

from __future__ import annotations

import contextlib
import importlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from sampan.lib.threads import check_wanted
from sampan.store.artifacts import files, uris
from sampan.store.artifacts.protocol import (
    AccessRefusedError,
    ObjectMissingError,
    StoredObject,
    StoreUnavailableError,
    StoreUnusableError,
)

_PIECE = 1024 * 1024
_PART = 8 * 1024 * 1024
_STATUS = re.compile(r"status code: (\d{3})")
_CODE = re.compile(r"<Code>(\w+)</Code>.*?<Message>(.*?)</Message>", re.DOTALL)
_SENTENCE = re.compile(r"\s+")
_PASSING = frozenset({"408", "429", "500", "502", "503", "504"})


@dataclass(frozen=True, slots=True)
class Bucket:
    """How to reach one bucket. Credentials never show in a `repr`."""

    provider: str
    """`s3` or `gs`."""
    name: str
    endpoint: str = ""
    """Empty for the provider's own."""
    region: str = "us-east-1"
    access_key: str = field(default="", repr=False)
    secret_key: str = field(default="", repr=False)
    session_token: str = field(default="", repr=False)
    credentials_file: str = ""
    """Of a Google service account."""
    credentials_json: str = field(default="", repr=False)
    """The same, as text."""
    anonymous: bool = False
    """Requests are not signed: for buckets that are open to all."""
    path_style: bool = True
    timeout_seconds: float = 60.0

    def __str__(self) -> str:
        where = f" at {self.endpoint}" if self.endpoint else ""
        return f"{self.provider}://{self.name}{where}"


class ObjectStore:
    """`ArtifactStore`."""

    def __init__(self, bucket: Bucket) -> None:
        """Raises StoreUnusableError where the library is missing or a setting is no good. Connects to nobody."""
        try:
            self._obstore: Any = importlib.import_module("obstore")
            stores: Any = importlib.import_module("obstore.store")
        except ImportError as error:
            raise StoreUnusableError(
                f"{bucket.provider}:// artifacts need a library that is not installed: pip install 'sampan[s3]'"
            ) from error
        self._bucket = bucket
        try:
            self._store: Any = _opened(stores, bucket)
        except Exception as error:  # whatever the library says of a setting
            raise StoreUnusableError(f"{bucket}: {_first_line(error)}") from error

    def stat(self, key: str) -> StoredObject | None:
        try:
            with self._told(key):
                return _object(self._obstore.head(self._store, uris.file_name(key)))
        except ObjectMissingError:
            return None

    def list(self, prefix: str) -> Iterator[StoredObject]:
        # The trailing slash: `a/b` is no prefix of `a/bc`, and the object `a/b` itself is not below it.
        with self._told(prefix):
            for batch in self._obstore.list(self._store, prefix=f"{prefix}/" if prefix else None):
                for found in batch:
                    if found["path"] != prefix:
                        yield _object(found)

    def read(self, key: str, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        with self._told(key):
            found = self._obstore.head(self._store, uris.file_name(key))
        left = max(found["size"] - offset, 0)
        return self._pieces(key, offset, left if length is None else min(left, length))

    def _pieces(self, key: str, offset: int, length: int) -> Iterator[bytes]:
        with self._told(key):
            while length > 0:
                check_wanted()
                size = min(length, _PART)
                yield bytes(self._obstore.get_range(self._store, key, start=offset, length=size))
                offset, length = offset + size, length - size

    def upload(self, file: Path, key: str) -> StoredObject:
        with self._told(key):
            put = self._obstore.put(
                self._store, uris.file_name(key), file, chunk_size=_PART, max_concurrency=4
            )
            return StoredObject(key, file.stat().st_size, _tag(put))

    def download(self, key: str, file: Path) -> StoredObject:
        with self._told(key):
            found = self._obstore.get(self._store, uris.file_name(key))
            with files.arriving(file) as part, part.open("wb") as stream:
                for piece in found.stream(min_chunk_size=_PIECE):
                    check_wanted()
                    stream.write(piece)
                if stream.tell() != found.meta["size"]:
                    raise StoreUnavailableError(f"{self._bucket}: {key} arrived only in part")
            return _object(found.meta)

    def delete(self, keys: Iterable[str]) -> None:
        listed = [uris.file_name(key) for key in keys]
        if not listed:
            return
        # Whether one that is gone is an error depends on the provider; it is none for us.
        with self._told(listed[0]), contextlib.suppress(FileNotFoundError):
            self._obstore.delete(self._store, listed)

    @contextlib.contextmanager
    def _told(self, key: str) -> Iterator[None]:
        """The library's errors as ours. What it says beyond the first line is for its makers."""
        exceptions = self._obstore.exceptions
        where = f"{self._bucket.provider}://{self._bucket.name}/{key}".rstrip("/")
        try:
            yield
        except FileNotFoundError as error:
            raise ObjectMissingError(f"{where} does not exist{_reason(error)}") from error
        except (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError) as error:
            raise AccessRefusedError(f"{where}: {_credentials(self._bucket)}{_reason(error)}") from error
        except exceptions.BaseError as error:
            raise _translated(error, where, self._bucket) from error
        except ValueError as error:
            raise StoreUnusableError(f"{where}: {_first_line(error)}") from error


def _opened(stores: Any, bucket: Bucket) -> Any:
    client = {
        "allow_http": True,
        "connect_timeout": "5s",
        "timeout": f"{bucket.timeout_seconds:.0f}s",
    }
    retries = {"max_retries": 2, "retry_timeout": timedelta(seconds=10)}
    options: dict[str, Any] = {"client_options": client, "retry_config": retries}
    if bucket.anonymous:
        options["skip_signature"] = True
    if bucket.provider == "gs":
        if bucket.endpoint:
            options["base_url"] = bucket.endpoint
        if bucket.credentials_file:
            options["application_credentials"] = bucket.credentials_file
        elif bucket.credentials_json:
            options["service_account_key"] = bucket.credentials_json
        return stores.GCSStore(bucket.name, **options)
    given = {
        "endpoint": bucket.endpoint,
        "access_key_id": bucket.access_key,
        "secret_access_key": bucket.secret_key,
        "session_token": bucket.session_token,
    }
    options |= {name: value for name, value in given.items() if value}
    return stores.S3Store(
        bucket.name,
        region=bucket.region or "us-east-1",
        virtual_hosted_style_request=not bucket.path_style,
        **options,
    )


def _object(found: Any) -> StoredObject:
    return StoredObject(str(found["path"]), int(found["size"]), _tag(found))


def _tag(found: Any) -> str:
    return str(found.get("e_tag") or "").strip('"')


def _translated(error: Exception, where: str, bucket: Bucket) -> Exception:
    status = _STATUS.search(str(error))
    if status is not None and status[1] == "404":
        return ObjectMissingError(f"{where} does not exist{_reason(error)}")
    if status is not None and status[1] in ("401", "403"):
        return AccessRefusedError(f"{where}: {_credentials(bucket)}{_reason(error)}")
    if status is not None and status[1] not in _PASSING:
        return StoreUnusableError(f"{where} was refused with {status[1]}{_reason(error)}")
    what = f"answered {status[1]}" if status else "cannot be reached"
    return StoreUnavailableError(f"{bucket} {what}{_reason(error)}")


def _credentials(bucket: Bucket) -> str:
    if bucket.anonymous:
        return "no credentials are configured, and it is not open to all"
    return "the credentials were refused"


def _reason(error: Exception) -> str:
    """The store's own words, where it has any."""
    found = _CODE.search(str(error))
    return f" ({found[1]}: {found[2][:200]})" if found else ""


def _first_line(error: Exception) -> str:
    return _SENTENCE.sub(" ", str(error).partition("\n\n")[0])[:300]
