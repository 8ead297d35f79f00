"""Google Cloud Storage, by its JSON API.

Source of the meaning of a URI: kserve/kserve v0.20.0 python/storage/kserve_storage/kserve_storage.py (_download_gcs);
of the API: cloud.google.com/storage/docs/json_api/v1. Without credentials requests are not signed, as there.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlencode

from sampan.components.serving.engine.programs.initializer import google
from sampan.components.serving.engine.programs.initializer.digests import from_base64
from sampan.components.serving.engine.programs.initializer.errors import (
    StorageError,
    UnreachableError,
    denied,
    missing,
    unauthorized,
)
from sampan.components.serving.engine.programs.initializer.items import MOST_FILES, Item
from sampan.components.serving.engine.programs.initializer.listing import Found, chosen
from sampan.components.serving.engine.programs.initializer.web import Answer, Ask, Web

_ENDPOINT = "https://storage.googleapis.com"
_LISTING_BYTES = 32 << 20
_PASSING = frozenset({408, 429, 500, 502, 503, 504})


def items(uri: str, environ: Mapping[str, str], web: Web) -> list[Item]:
    """Raises StorageError."""
    bucket, _, prefix = uri.removeprefix("gs://").partition("/")
    if not bucket:
        raise StorageError("write it as gs://BUCKET/PATH")
    emulator = environ.get("STORAGE_EMULATOR_HOST", "").rstrip("/")
    endpoint = (emulator if "://" in emulator else f"http://{emulator}") if emulator else _ENDPOINT
    token = "" if emulator else google.token(environ, web)
    store = _Store(bucket, endpoint, token, web)
    found = chosen(store.list(prefix.rstrip("/")), prefix.rstrip("/"))
    return [store.item(each, name) for name, each in found.items()]


class _Store:
    def __init__(self, bucket: str, endpoint: str, token: str, web: Web) -> None:
        self._bucket = bucket
        self._objects = f"{endpoint}/storage/v1/b/{quote(bucket, safe='')}/o"
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._web = web

    def list(self, prefix: str) -> Iterator[Found]:
        page_token, count = "", 0
        fields = "items(name,size,generation,md5Hash),nextPageToken"
        while True:
            query = {"prefix": prefix, "fields": fields, **({"pageToken": page_token} if page_token else {})}
            with self._ask(f"{self._objects}?{urlencode(query)}", {}, self._bucket) as answer:
                page = _parsed(answer.text(_LISTING_BYTES))
            for each in page.get("items") or ():
                count += 1
                yield Found(
                    str(each.get("name")),
                    int(each.get("size") or 0),
                    str(each.get("generation") or ""),
                    str(each.get("md5Hash") or ""),
                )
            page_token = str(page.get("nextPageToken") or "")
            if not page_token:
                return
            if count > MOST_FILES:
                raise StorageError(f"More than {MOST_FILES} objects lie below {prefix}")

    def item(self, found: Found, name: str) -> Item:
        generation = found.tag

        def opened(offset: int) -> contextlib.AbstractContextManager[Answer]:
            query = {"alt": "media", **({"generation": generation} if generation else {})}
            url = f"{self._objects}/{quote(found.key, safe='')}?{urlencode(query)}"
            headers = {"Range": f"bytes={offset}-"} if offset else {}
            return self._ask(url, headers, f"{self._bucket}/{found.key}")

        identity = f"{self._objects}\0{found.key}\0{generation}" if generation else ""
        digest = from_base64("md5", found.md5) if found.md5 else None
        return Item(name, opened, found.size, identity, digest)

    @contextlib.contextmanager
    def _ask(self, url: str, headers: Mapping[str, str], what: str) -> Iterator[Answer]:
        with self._web.ask(Ask(url, headers={**self._headers, **headers}, follow=False)) as answer:
            if answer.status not in (200, 206):
                raise _refused(answer, what, is_signed=bool(self._headers))
            yield answer


def _refused(answer: Answer, what: str, *, is_signed: bool) -> StorageError:
    why = google.reason(answer)
    if answer.status in _PASSING:
        return UnreachableError(f"GCS answered {answer.status} {why}".strip())
    if answer.status == 404:
        return missing("GCS", what, why)
    if answer.status == 401 or (answer.status == 403 and not is_signed):
        return unauthorized("GCS", why or "there are no credentials, and it is not open to all")
    if answer.status == 403:
        return denied("GCS", what, why)
    return StorageError(f"GCS error: {answer.status} {why or answer.reason}")


def _parsed(text: str) -> dict[str, Any]:
    try:
        page = json.loads(text)
    except ValueError as error:
        raise StorageError(f"What answers is no Google Cloud Storage: {error}") from error
    if not isinstance(page, dict):
        raise StorageError("What answers is no Google Cloud Storage")
    return page
