"""S3 and what speaks it: objects below a prefix, by signed requests of our own.

Source of the meaning of a URI and of the variables: kserve/kserve v0.20.0 python/storage/kserve_storage/
kserve_storage.py (_download_s3, get_S3_config, _get_s3_client_kwargs). Unlike there a folder's name does not take its
neighbours' objects too (`model` and `model2/`), unless nothing else is there, and empty files are kept.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from urllib.parse import quote, urlencode, urlsplit
from xml.etree import ElementTree

from sampan.components.serving.engine.programs.initializer import signing
from sampan.components.serving.engine.programs.initializer.errors import (
    StorageError,
    UnreachableError,
    denied,
    missing,
    unauthorized,
)
from sampan.components.serving.engine.programs.initializer.items import MOST_FILES, Item
from sampan.components.serving.engine.programs.initializer.listing import Found, chosen
from sampan.components.serving.engine.programs.initializer.web import Answer, Ask, Trust, Web

_PASSING = frozenset({429, 500, 502, 503, 504})
_BAD_KEYS = frozenset({"InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "ExpiredToken"})
_LISTING_BYTES = 16 << 20
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")


@dataclass(frozen=True, slots=True)
class Bucket:
    name: str
    endpoint: str
    """Scheme and host; empty for Amazon's own."""
    region: str
    is_virtual: bool
    """The bucket stands in the host's name."""
    accelerate: bool
    keys: signing.Keys | None
    """None for requests that are not signed."""
    trust: Trust

    def url(self, key: str) -> str:
        path = quote(key, safe="/-_.~")
        if self.accelerate and not self.endpoint:
            return f"https://{self.name}.s3-accelerate.amazonaws.com/{path}"
        base = self.endpoint or f"https://s3.{self.region}.amazonaws.com"
        parts = urlsplit(base)
        root = parts.path.rstrip("/")
        # A name with dots fits no wildcard certificate.
        if self.is_virtual and "." not in self.name:
            return f"{parts.scheme}://{self.name}.{parts.netloc}{root}/{path}"
        return f"{base.rstrip('/')}/{self.name}/{path}"


def bucket_of(name: str, environ: Mapping[str, str], web: Web) -> Bucket:
    """By the pod's variables. Raises StorageError."""
    if not _BUCKET.fullmatch(name):
        raise StorageError(f"{name!r} is not the name of a bucket: write s3://BUCKET/PATH")
    endpoint = environ.get("AWS_ENDPOINT_URL_S3") or environ.get("AWS_ENDPOINT_URL") or ""
    region = environ.get("AWS_DEFAULT_REGION") or environ.get("AWS_REGION") or "us-east-1"
    if endpoint and "://" not in endpoint:
        endpoint = f"https://{endpoint}"
    # Amazon's old endpoint serves other regions by the bucket's own name only.
    is_legacy = endpoint == "https://s3.amazonaws.com" and region != "us-east-1"
    is_virtual = _is_true(environ, "S3_USER_VIRTUAL_BUCKET") or is_legacy or not endpoint
    keys = None
    if not _is_true(environ, "awsAnonymousCredential"):
        keys = signing.keys_of(environ, web, region)
        if keys is None:
            raise unauthorized("S3", "there are no credentials")
    return Bucket(
        name,
        endpoint,
        region,
        is_virtual,
        _is_true(environ, "S3_USE_ACCELERATE"),
        keys,
        _trust(environ),
    )


def items(uri: str, environ: Mapping[str, str], web: Web) -> list[Item]:
    """Raises StorageError."""
    parts = urlsplit(uri)
    prefix = parts.path.lstrip("/")
    store = _Store(bucket_of(parts.netloc, environ, web), web)
    found = chosen(store.list(prefix), prefix)
    return [store.item(each, name) for name, each in found.items()]


class _Store:
    """Learns the bucket's region from the server where it is another one."""

    def __init__(self, bucket: Bucket, web: Web) -> None:
        self._bucket = bucket
        self._web = web

    def list(self, prefix: str) -> Iterator[Found]:
        token, count = "", 0
        while True:
            query = {"list-type": "2", "prefix": prefix, **({"continuation-token": token} if token else {})}
            with self._ask("", query) as answer:
                page = _parsed(answer.text(_LISTING_BYTES))
            for entry in _children(page, "Contents"):
                key, size = _text(entry, "Key"), int(_text(entry, "Size") or 0)
                yield Found(key, size, _text(entry, "ETag").strip('"'))
                count += 1
            token = _text(page, "NextContinuationToken")
            if _text(page, "IsTruncated") != "true" or not token:
                return
            if count > MOST_FILES:
                raise StorageError(f"More than {MOST_FILES} objects lie below {prefix}")

    def item(self, found: Found, name: str) -> Item:
        # The tag is not an MD5 where the object came in parts or is encrypted: it identifies, and verifies nothing.
        tag = found.tag

        def opened(offset: int) -> contextlib.AbstractContextManager[Answer]:
            headers = {"x-amz-checksum-mode": "ENABLED"}
            if tag:
                headers["If-Match"] = f'"{tag}"'
            if offset:
                headers["Range"] = f"bytes={offset}-"
            return self._ask(found.key, {}, headers)

        where = self._bucket.endpoint or "amazonaws.com"
        identity = f"s3\0{where}\0{self._bucket.name}\0{found.key}\0{tag}" if tag else ""
        return Item(name, opened, found.size, identity)

    @contextlib.contextmanager
    def _ask(
        self, key: str, query: Mapping[str, str], headers: Mapping[str, str] | None = None
    ) -> Iterator[Answer]:
        """An answer that is none of an error. Raises StorageError, UnreachableError."""
        for is_last in (False, True):
            with self._web.ask(self._signed(key, query, headers or {})) as answer:
                region = answer.header("x-amz-bucket-region")
                if (
                    answer.status in (301, 307, 400)
                    and not is_last
                    and region not in ("", self._bucket.region)
                ):
                    self._bucket = replace(self._bucket, region=region)
                    continue
                if answer.status not in (200, 206):
                    raise _refused(answer, self._bucket, key)
                yield answer
                return

    def _signed(self, key: str, query: Mapping[str, str], headers: Mapping[str, str]) -> Ask:
        bucket = self._bucket
        url = bucket.url(key)
        if query:
            url += "?" + urlencode(sorted(query.items()), quote_via=quote, safe="-_.~")
        if bucket.keys is not None:
            headers = signing.signed("GET", url, headers, bucket.keys, bucket.region)
        return Ask(url, headers=headers, trust=bucket.trust, follow=False)


def _refused(answer: Answer, bucket: Bucket, key: str) -> StorageError:
    code, why = _reason(answer)
    where = f"{bucket.name}/{key}" if key else bucket.name
    if answer.status in _PASSING:
        return UnreachableError(f"S3 answered {answer.status} {why}".strip())
    if code in _BAD_KEYS:
        return StorageError(
            "Invalid AWS credentials. Verify AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
            + (f" ({why})" if why else "")
        )
    if code == "NoSuchBucket":
        return StorageError(f"S3 bucket '{bucket.name}' does not exist.")
    if answer.status == 404:
        return missing("S3", where, why)
    if answer.status == 412:
        return UnreachableError(f"S3 object '{where}' has changed meanwhile")
    if answer.status == 401:
        return unauthorized("S3", why)
    if answer.status == 403:
        return denied("S3", where, why)
    if answer.status in (301, 307):
        return StorageError(
            f"S3 bucket '{bucket.name}' is not at this endpoint or in the region {bucket.region}. Verify "
            f"AWS_ENDPOINT_URL and AWS_DEFAULT_REGION."
        )
    return StorageError(f"S3 error [{code or answer.status}]: {why or answer.reason}")


def _reason(answer: Answer) -> tuple[str, str]:
    """The store's own code and words."""
    try:
        page = ElementTree.fromstring(answer.text(1 << 16))  # noqa: S314  bounded; expat expands no entities without end
    except (ElementTree.ParseError, StorageError):
        return "", ""
    code, message = _text(page, "Code"), _text(page, "Message")
    return code, f"{code}: {message}".strip(": ")[:300]


def _parsed(text: str) -> ElementTree.Element:
    try:
        return ElementTree.fromstring(text)  # noqa: S314
    except ElementTree.ParseError as error:
        raise StorageError(
            f"What answers at the endpoint is no S3: {error}. Verify AWS_ENDPOINT_URL."
        ) from error


def _children(page: ElementTree.Element, name: str) -> Iterator[ElementTree.Element]:
    return (each for each in page if each.tag.rpartition("}")[2] == name)


def _text(page: ElementTree.Element, name: str) -> str:
    return next((each.text or "" for each in _children(page, name)), "")


def _trust(environ: Mapping[str, str]) -> Trust:
    """Raises StorageError for a bundle that is not there."""
    verify = environ.get("S3_VERIFY_SSL", "").lower() not in ("0", "false")
    if not verify:
        return Trust(verify=False)
    bundle = environ.get("AWS_CA_BUNDLE") or ""
    if not bundle and environ.get("CA_BUNDLE_CONFIGMAP_NAME"):
        folder = environ.get("CA_BUNDLE_VOLUME_MOUNT_POINT") or ""
        bundle = os.path.join(folder, "cabundle.crt")
    if not bundle:
        return Trust()
    if not os.path.exists(bundle):
        raise StorageError(f"Failed to find ca bundle file({bundle}).")
    return Trust(only=bundle)


def _is_true(environ: Mapping[str, str], name: str) -> bool:
    return environ.get(name, "").lower() == "true"
