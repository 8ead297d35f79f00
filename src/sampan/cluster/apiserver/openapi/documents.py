"""The documents themselves, and the answers to requests for them: /openapi/v2, /openapi/v3 and what is below it.

Called by `http`, in a worker thread: a document of a hundred kinds takes a while to make. What is made is kept until
the registry of kinds changes. A document's hash is made of what it is made from, so that the index of all of them
does not need them. Source: k8s.io/kube-openapi/pkg/{handler,handler3}, v1.34.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from sampan.cluster.apiserver import discovery
from sampan.cluster.apiserver.openapi import gnostic, paths
from sampan.cluster.apiserver.openapi.schemas import V2, V3, Definitions
from sampan.kube.errors import NotAcceptableError, NotFoundError
from sampan.kube.kinds import Resource
from sampan.kube.meta import Object
from sampan.kube.schema import Schema

_JSON = "application/json"
_INFO = {"title": "Kubernetes", "version": discovery.VERSION["gitVersion"]}
_ANY = frozenset({"", "*/*", "application/*"})


@dataclass(frozen=True, slots=True)
class Kind:
    """`custom` makes the schema of a kind that the built-in schema does not have, where there is one."""

    resource: Resource
    custom: Callable[[], Object] | None = None
    digest: str = ""
    """Another one for another schema; where it is empty the schema itself is looked at."""


@dataclass(frozen=True, slots=True)
class Request:
    path: str
    """Below /openapi."""
    accept: str = ""
    query: Mapping[str, str] = field(default_factory=dict)
    if_none_match: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes
    content_type: str = _JSON
    headers: tuple[tuple[str, str], ...] = ()


class OpenApi:
    """Safe for threads."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._lock = threading.Lock()
        self._generation = -1
        self._kinds: dict[str, list[Kind]] = {}
        self._made: dict[str, tuple[bytes, str]] = {}

    def answer(self, request: Request, generation: int, kinds: Iterable[Kind]) -> Answer:
        """`kinds` are those of that generation of the registry. Raises NotFoundError, NotAcceptableError."""
        with self._lock:
            if generation != self._generation:
                self._generation, self._made = generation, {}
                self._kinds = {}
                for kind in kinds:
                    self._kinds.setdefault(_path(kind.resource), []).append(kind)
            return self._answer(request)

    def _answer(self, request: Request) -> Answer:
        version, _, path = request.path.partition("/")
        if version == "v2" and not path:
            media_type = _accepted(request.accept, (_JSON, gnostic.MEDIA_TYPE))
            made = self._v2_protobuf if media_type == gnostic.MEDIA_TYPE else self._v2
            return self._tagged(request, f"v2 {media_type}", made, media_type)
        if version != "v3":
            raise NotFoundError("the server could not find the requested resource")
        _accepted(request.accept, (_JSON,))
        if not path:
            return self._tagged(request, "v3", self._index, _JSON)
        if path not in self._kinds:
            raise NotFoundError("the server could not find the requested resource")
        digest, given = self._digest(path), request.query.get("hash", "")
        if given and given != digest:
            return Answer(301, b"", headers=(("location", _location(path, digest)),))
        answer = self._tagged(request, path, lambda: self._group(path), _JSON)
        if not given:
            return answer
        kept = ("cache-control", "public, immutable"), ("expires", "Fri, 31 Dec 2100 00:00:00 GMT")
        return Answer(answer.status, answer.body, answer.content_type, (*answer.headers, *kept))

    def _tagged(self, request: Request, key: str, make: Callable[[], bytes], media_type: str) -> Answer:
        body, tag = self._remembered(key, make)
        headers = (("etag", f'"{tag}"'), ("vary", "Accept"))
        if request.if_none_match.strip('W/"').upper() == tag:
            return Answer(304, b"", media_type, headers)
        return Answer(200, body, media_type, headers)

    def _remembered(self, key: str, make: Callable[[], bytes]) -> tuple[bytes, str]:
        found = self._made.get(key)
        if found is None:
            body = make()
            found = self._made[key] = body, _digest_of(body)
        return found

    def _digest(self, path: str) -> str:
        """Of the kinds of one group and version; the same for the same kinds."""
        return self._remembered(f"digest {path}", lambda: self._ingredients(path))[1]

    def _ingredients(self, path: str) -> bytes:
        parts = [
            repr((kind.resource, kind.digest or (kind.custom and kind.custom())))
            for kind in self._kinds[path]
        ]
        return "\n".join([_INFO["version"], *parts]).encode()

    def _index(self) -> bytes:
        listed = {path: {"serverRelativeURL": _location(path, self._digest(path))} for path in self._kinds}
        return msgspec.json.encode({"paths": listed})

    def _group(self, path: str) -> bytes:
        definitions = Definitions(self._schema, V3)
        document = {"openapi": "3.0.0", "info": _INFO, "paths": self._paths(self._kinds[path], definitions)}
        return msgspec.json.encode({**document, "components": {"schemas": definitions.found}})

    def _v2_document(self) -> dict[str, Any]:
        definitions = Definitions(self._schema, V2)
        everything = [kind for kinds in self._kinds.values() for kind in kinds]
        found = self._paths(everything, definitions)
        return {"swagger": "2.0", "info": _INFO, "paths": found, "definitions": definitions.found}

    def _v2(self) -> bytes:
        return msgspec.json.encode(self._v2_document())

    def _v2_protobuf(self) -> bytes:
        return gnostic.encode(self._v2_document())

    @staticmethod
    def _paths(kinds: Iterable[Kind], definitions: Definitions) -> dict[str, Object]:
        found: dict[str, Object] = {}
        for kind in kinds:
            definitions.add_kind(kind.resource, kind.custom)
            found |= paths.of(kind.resource, definitions)
        return found


def _path(resource: Resource) -> str:
    return f"apis/{resource.api_version}" if resource.group else f"api/{resource.version}"


def _location(path: str, digest: str) -> str:
    return f"/openapi/v3/{path}?hash={digest}"


def _digest_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:32].upper()


def _accepted(header: str, offered: tuple[str, ...]) -> str:
    """The first of `offered` that the header names; protobuf is asked for under two spellings."""
    for clause in header.split(","):
        media_type = clause.partition(";")[0].strip().replace("@v1.0", ".v1.0")
        if media_type in _ANY:
            return offered[0]
        if media_type in offered:
            return media_type
    raise NotAcceptableError(f"only the following media types are accepted: {', '.join(offered)}")
