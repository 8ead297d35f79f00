"""What a request wants to do, read from its method and path alone. Pure; called by `gate` before any routing.

Source: k8s.io/apiserver/pkg/endpoints/request/requestinfo.go, v1.33.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import parse_qs

from starlette.types import Scope

from sampan.kube import selectors
from sampan.kube.errors import BadRequestError

_VERBS = {
    "GET": "get",
    "HEAD": "get",
    "POST": "create",
    "PUT": "update",
    "PATCH": "patch",
    "DELETE": "delete",
}
_NAMESPACE_SUBRESOURCES = ("status", "finalize")
_TRUE = frozenset({"", "1", "t", "T", "true", "TRUE", "True"})
_VERSION = re.compile(r"v\d+((alpha|beta)\d+)?")
_PIPELINES = "/pipeline"


@dataclass(frozen=True, slots=True)
class Attributes:
    """Of a resource, or of a URL where `resource` is empty."""

    verb: str
    path: str = ""
    group: str = ""
    version: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""

    @property
    def combined(self) -> str:
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource


def read(scope: Scope) -> Attributes:
    """A WebSocket is opened by a GET."""
    path = str(scope["path"])
    method = str(scope.get("method", "GET"))
    by_url = Attributes(method.lower(), path)
    parts = [part for part in path.split("/") if part]
    if len(parts) < 3 or parts[0] not in ("api", "apis"):
        return by_url
    if parts[0] == "apis" and _VERSION.fullmatch(parts[1]):
        # A group is never named like a version: this is the API of Kubeflow Pipelines, under its other name. What is
        # public below /apis, for discovery, does not include it.
        return Attributes(method.lower(), _PIPELINES + path)
    group, rest = ("", parts[1:]) if parts[0] == "api" else (parts[1], parts[2:])
    if len(rest) < 2:
        return by_url
    return _resource(method, path, group, rest, scope["query_string"])


def _resource(method: str, path: str, group: str, rest: list[str], query: bytes) -> Attributes:
    version, rest = rest[0], rest[1:]
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 1:
        namespace = rest[1]
        if len(rest) > 2 and rest[2] not in _NAMESPACE_SUBRESOURCES:
            rest = rest[2:]
    verb = _VERBS.get(method, method.lower())
    name = rest[1] if len(rest) > 1 else ""
    if not name and verb == "get":
        verb, name = _collection(query)
    elif not name and verb == "delete":
        verb = "deletecollection"
    return Attributes(
        verb,
        path,
        group,
        version,
        resource=rest[0],
        subresource=rest[2] if len(rest) > 2 else "",
        namespace=namespace,
        name=name,
    )


def _collection(query: bytes) -> tuple[str, str]:
    """list or watch, and the one name that it is limited to."""
    given = parse_qs(query.decode("latin-1"), keep_blank_values=True)
    verb = "watch" if "watch" in given and given["watch"][0] in _TRUE else "list"
    name = ""
    for text in given.get("fieldSelector", ())[:1]:
        try:
            name = selectors.parse_fields(text).exact("metadata.name") or ""
        except BadRequestError:
            name = ""
    return verb, name
