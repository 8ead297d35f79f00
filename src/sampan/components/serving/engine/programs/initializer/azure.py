"""Azure's blobs and file shares, by their REST APIs.

Source of the meaning of a URI and of the variables: kserve/kserve v0.20.0 python/storage/kserve_storage/
kserve_storage.py (_parse_azure_uri, _download_azure_blob_async, _download_azure_file_share); of the API: "Authorize
with Shared Key", "List Blobs", "List Directories and Files" of learn.microsoft.com/rest/api/storageservices.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hmac
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit
from xml.etree import ElementTree

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

BLOB = re.compile(r"https://(.+?)\.(?:blob\.core\.windows\.net|z[0-9]{1,2}\.blob\.storage\.azure\.net)/(.+)")
FILE = re.compile(r"https://(.+?)\.(?:file\.core\.windows\.net|z[0-9]{1,2}\.file\.storage\.azure\.net)/(.+)")
_VERSION = "2021-12-02"
_LISTING_BYTES = 32 << 20
_DEEPEST = 5
_PASSING = frozenset({408, 429, 500, 502, 503, 504})
_SIGNED_FIELDS = (
    *("Content-Encoding", "Content-Language", "Content-Length", "Content-MD5", "Content-Type", "Date"),
    *("If-Modified-Since", "If-Match", "If-None-Match", "If-Unmodified-Since", "Range"),
)


@dataclass(frozen=True, slots=True)
class _Place:
    account: str
    host: str
    container: str
    prefix: str
    signature: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """Of a shared access signature in the URI's query."""


@dataclass(frozen=True, slots=True)
class _Key:
    key: bytes = field(default=b"", repr=False)
    token: str = field(default="", repr=False)


def blobs(uri: str, environ: Mapping[str, str], web: Web) -> list[Item]:
    """Raises StorageError."""
    place = _parsed(uri)
    # A token of a service principal counts before an account's key, as upstream.
    key = _Key(token=_token(environ, web)) or _Key()
    key = key if key.token else _Key(_account_key(environ))
    store = _Store(place, key, web)
    found = chosen(store.blobs(), place.prefix)
    return [store.item(each, name) for name, each in found.items()]


def files(uri: str, environ: Mapping[str, str], web: Web) -> list[Item]:
    """All below a folder of a share, by their whole paths in it, as upstream. Raises StorageError."""
    place = _parsed(uri)
    store = _Store(place, _Key(_account_key(environ)), web)
    return [store.item(each, each.key) for each in store.files()]


class _Store:
    def __init__(self, place: _Place, key: _Key, web: Web) -> None:
        self._place = place
        self._key = key
        self._web = web

    def blobs(self) -> Iterator[Found]:
        marker, count = "", 0
        while True:
            query = {"restype": "container", "comp": "list", "prefix": self._place.prefix}
            with self._ask("", query | ({"marker": marker} if marker else {})) as answer:
                page = _xml(answer.text(_LISTING_BYTES))
            for entry in page.iterfind("Blobs/Blob"):
                count += 1
                told = entry.find("Properties")
                size = int(_text(told, "Content-Length") or 0)
                tag = _text(told, "Etag").strip('"')
                yield Found(_text(entry, "Name"), size, tag, _text(told, "Content-MD5"))
            marker = _text(page, "NextMarker")
            if not marker:
                return
            if count > MOST_FILES:
                raise StorageError(f"More than {MOST_FILES} blobs lie below {self._place.prefix}")

    def files(self) -> list[Found]:
        found: list[Found] = []
        folders = [(self._place.prefix, _DEEPEST)]
        while folders:
            folder, depth = folders.pop()
            for name, is_folder, size in self._entries(folder):
                path = f"{folder}/{name}".strip("/")
                if not is_folder:
                    found.append(Found(path, size))
                elif depth > 0:
                    folders.append((path, depth - 1))
            if len(found) > MOST_FILES:
                raise StorageError(f"More than {MOST_FILES} files lie below {self._place.prefix}")
        return found

    def _entries(self, folder: str) -> Iterator[tuple[str, bool, int]]:
        marker = ""
        while True:
            query = {"restype": "directory", "comp": "list"}
            with self._ask(folder, query | ({"marker": marker} if marker else {})) as answer:
                page = _xml(answer.text(_LISTING_BYTES))
            for entry in page.iterfind("Entries/*"):
                size = int(_text(entry.find("Properties"), "Content-Length") or 0)
                yield _text(entry, "Name"), entry.tag == "Directory", size
            marker = _text(page, "NextMarker")
            if not marker:
                return

    def item(self, found: Found, name: str) -> Item:
        def opened(offset: int) -> contextlib.AbstractContextManager[Answer]:
            headers = {"If-Match": f'"{found.tag}"'} if found.tag else {}
            if offset:
                headers["Range"] = f"bytes={offset}-"
            return self._ask(found.key, {}, headers)

        place = self._place
        identity = f"{place.host}\0{place.container}\0{found.key}\0{found.tag}" if found.tag else ""
        digest = from_base64("md5", found.md5) if found.md5 else None
        return Item(name, opened, found.size, identity, digest)

    @contextlib.contextmanager
    def _ask(
        self, key: str, query: Mapping[str, str], headers: Mapping[str, str] | None = None
    ) -> Iterator[Answer]:
        place = self._place
        path = f"/{quote(place.container)}" + (f"/{quote(key)}" if key else "")
        sent = {"x-ms-version": _VERSION, "x-ms-date": formatdate(usegmt=True), **(headers or {})}
        if self._key.token:
            sent["Authorization"] = f"Bearer {self._key.token}"
        elif self._key.key:
            sent["Authorization"] = _shared_key(place.account, self._key.key, path, query, sent)
        # What is signed already stands in the URI, and is no part of another signature.
        whole = [*query.items(), *([] if "Authorization" in sent else place.signature)]
        url = f"https://{place.host}{path}" + (f"?{urlencode(whole, quote_via=quote)}" if whole else "")
        with self._web.ask(Ask(url, headers=sent, follow=False)) as answer:
            if answer.status not in (200, 206):
                raise _refused(
                    answer, f"{place.container}/{key}".rstrip("/"), is_signed="Authorization" in sent
                )
            yield answer


def _parsed(uri: str) -> _Place:
    parts = urlsplit(uri)
    container, _, prefix = unquote(parts.path).lstrip("/").partition("/")
    if not container:
        raise StorageError("write it as https://ACCOUNT.blob.core.windows.net/CONTAINER/PATH")
    signature = tuple(parse_qsl(parts.query, keep_blank_values=True))
    return _Place(parts.netloc.partition(".")[0], parts.netloc, container, prefix.strip("/"), signature)


def _account_key(environ: Mapping[str, str]) -> bytes:
    text = environ.get("AZURE_STORAGE_ACCESS_KEY", "")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise unauthorized("Azure", "AZURE_STORAGE_ACCESS_KEY is no base64") from None


def _token(environ: Mapping[str, str], web: Web) -> str:
    """Of a service principal; empty where none is named. Older names of the variables count first, as upstream."""

    def told(name: str) -> str:
        return environ.get(f"AZ_{name}") or environ.get(f"AZURE_{name}") or ""

    if given := environ.get("AZURE_ACCESS_TOKEN"):
        return given
    client, tenant, secret = told("CLIENT_ID"), told("TENANT_ID"), told("CLIENT_SECRET")
    if not client:
        return ""
    if not tenant or not secret:
        raise unauthorized(
            "Azure", "AZURE_TENANT_ID and AZURE_CLIENT_SECRET are needed beside AZURE_CLIENT_ID"
        )
    host = (
        environ.get("AZURE_AUTHORITY_HOST", "login.microsoftonline.com").removeprefix("https://").strip("/")
    )
    query = {
        "grant_type": "client_credentials",
        "client_id": client,
        "client_secret": secret,
        "scope": "https://storage.azure.com/.default",
    }
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    url = f"https://{host}/{quote(tenant, safe='')}/oauth2/v2.0/token"
    answer, text = web.text(Ask(url, "POST", headers, urlencode(query).encode(), follow=False))
    try:
        found = json.loads(text)
        if answer.status == 200:
            return str(found["access_token"])
        why = str(found.get("error_description") or found.get("error") or "").partition("\n")[0]
    except (ValueError, KeyError, AttributeError, TypeError):
        why = f"{host} answered {answer.status}"
    raise unauthorized("Azure", why)


def _shared_key(
    account: str, key: bytes, path: str, query: Mapping[str, str], headers: Mapping[str, str]
) -> str:
    given = {name.lower(): value for name, value in headers.items()}
    fields = [given.get(name.lower(), "") for name in _SIGNED_FIELDS]
    own = sorted((name, value) for name, value in given.items() if name.startswith("x-ms-"))
    resource = f"/{account}{path}" + "".join(f"\n{name.lower()}:{query[name]}" for name in sorted(query))
    text = "\n".join(["GET", *fields, *(f"{name}:{value}" for name, value in own), resource])
    signature = base64.b64encode(hmac.digest(key, text.encode(), "sha256")).decode()
    return f"SharedKey {account}:{signature}"


def _refused(answer: Answer, what: str, *, is_signed: bool) -> StorageError:
    code = answer.header("x-ms-error-code")
    if answer.status in _PASSING:
        return UnreachableError(f"Azure answered {answer.status} {code}".strip())
    if answer.status == 404:
        return missing("Azure", what, code)
    if answer.status == 401 or code in ("AuthenticationFailed", "NoAuthenticationInformation"):
        return unauthorized("Azure", code)
    if answer.status in (403, 409) and not is_signed:
        return unauthorized("Azure", code or "there are no credentials, and it is not open to all")
    if answer.status == 403:
        return denied("Azure", what, code)
    if answer.status == 412:
        return UnreachableError(f"Azure's {what} has changed meanwhile")
    return StorageError(f"Azure error: {answer.status} {code or answer.reason}")


def _xml(text: str) -> ElementTree.Element:
    try:
        return ElementTree.fromstring(text.lstrip("\ufeff"))  # noqa: S314  bounded
    except ElementTree.ParseError as error:
        raise StorageError(f"What answers is no storage of Azure: {error}") from error


def _text(entry: ElementTree.Element | None, name: str) -> str:
    found = None if entry is None else entry.find(name)
    return "" if found is None else found.text or ""
