"""Who may send what to an endpoint: what `web.guards` does for all other requests, for those that pass it by.

A request that shows a token of this cluster is its user's, who must be allowed to `get` the object. Any other header
Authorization is meant for the model. Without a token of ours everybody on this machine may, as everywhere on the port
without TLS; on the port with TLS only pods may, which the address tells that they come from (docs/decisions/0067).
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Protocol

from sampan.components.serving.api import kinds
from sampan.components.serving.engine.gateway import heads
from sampan.components.serving.engine.gateway.table import Entry
from sampan.kube.errors import ForbiddenError
from sampan.kube.kinds import Resource
from sampan.web.guards import User, check_origin
from sampan.web.interception import Head

_SAFE = frozenset({b"GET", b"HEAD", b"OPTIONS"})
_RESOURCES: dict[str, Resource] = {
    each.kind: each
    for each in (
        *(kinds.INFERENCE_SERVICES, kinds.INFERENCE_GRAPHS, kinds.SELDON_DEPLOYMENTS),
        kinds.LLM_INFERENCE_SERVICES,
    )
}
_PREFLIGHT_SECONDS = b"600"
_HOST = re.compile(rb"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?")
"""What else may stand in a URL's place for it, a user among it, others may read in another way."""


@functools.lru_cache(maxsize=1024)
def _is_name(host: bytes) -> bool:
    return _HOST.fullmatch(host.strip()) is not None


class UnknownNameError(Exception):
    """There is no such endpoint, but the name is of the kind that endpoints have."""


class RefusalError(Exception):
    def __init__(
        self,
        status: int,
        why: str,
        headers: list[tuple[bytes, bytes]] | None = None,
        *,
        is_last: bool = False,
    ) -> None:
        super().__init__(why)
        self.status = status
        self.why = why
        self.headers = headers
        self.is_last = is_last
        """Whether nothing that follows on the connection may be taken for a request."""


class Reviewer(Protocol):
    """`components.Reviewer`."""

    def who(self, authorization: str) -> User | None: ...

    def may(self, user: User, verb: str, resource: Resource, namespace: str, name: str) -> bool: ...


class Admission:
    def __init__(self, reviewer: Reviewer | None, namespace_of: Callable[[str], str], domain: str) -> None:
        """`namespace_of` a pod's address; empty where no pod has it."""
        self._reviewer = reviewer
        self.namespace_of = namespace_of
        self._names = (b"." + domain.encode(), b".svc", b".svc.cluster.local")

    def unknown(self, head: Head) -> Exception:
        """There is no such endpoint."""
        if head.host.endswith(self._names) or head.target.startswith(
            (b"/serving/", b"/seldon/", b"/publishers/")
        ):
            return UnknownNameError()
        name = head.host.decode("latin-1")[:100]
        return RefusalError(403, f'this server does not answer to the name "{name}"')

    def check_form(self, head: Head) -> None:
        """Whatever two servers could read in two ways. Raises RefusalError."""
        status, why = self._wrong_form(head)
        if status:
            raise RefusalError(status, why, is_last=True)

    def _wrong_form(self, head: Head) -> tuple[int, str]:
        if not head.host:
            return 400, "a request needs exactly one Host header"
        if not _is_name(head.get(b"host") or head.host):
            return 400, "the Host of a request must be a name, with a port or without"
        if head.version not in ("1.1", "1.0"):
            return 505, "HTTP/1.1 is spoken here"
        if not head.target.startswith(b"/") or b"#" in head.target:
            return 400, "the target of a request must be a path"
        if not heads.is_understood(head):
            return 501, "of transfer codings only chunked is understood"
        if head.method in (b"CONNECT", b"TRACE"):
            return 405, "this method is not for endpoints"
        return 0, ""

    def check_length(self, head: Head, most: int) -> None:
        length = head.get(b"content-length").strip()
        if length and (not length.isdigit() or int(length) > most):
            raise RefusalError(413, f"the body is larger than {most} bytes")

    def admit(self, head: Head, entry: Entry) -> bool:
        """Whether the header Authorization was meant for us. Raises RefusalError."""
        route = entry.route
        if not route.is_public and not self._is_inside(head, entry):
            raise self.unknown(head)
        if head.method not in _SAFE or head.upgrade:
            self._check_origin(head, entry)
        if self._reviewer is None:
            return False
        authorization = head.get(b"authorization")
        user = self._reviewer.who(authorization.decode("latin-1")) if authorization else None
        if user is None:
            if head.is_secure and not self.namespace_of(head.peer):
                raise RefusalError(
                    401, "a token of this cluster is needed", [(b"www-authenticate", b"Bearer")]
                )
            return False
        resource = _RESOURCES.get(route.kind)
        if resource is None or not self._reviewer.may(user, "get", resource, route.namespace, route.name):
            what = f"{route.kind} {route.name} in {route.namespace}"
            raise RefusalError(403, f"{user.name} may not get {what}, and so not use it")
        return True

    def may_read(self, head: Head, entry: Entry) -> bool:
        """Whether whoever asks may know what the object's status says. Pods show a token for it, as for the API."""
        if self._reviewer is None:
            return True
        authorization = head.get(b"authorization")
        user = self._reviewer.who(authorization.decode("latin-1")) if authorization else None
        if user is None:
            return not head.is_secure and not self.namespace_of(head.peer)
        route = entry.route
        resource = _RESOURCES.get(route.kind)
        return resource is not None and self._reviewer.may(user, "get", resource, route.namespace, route.name)

    def _check_origin(self, head: Head, entry: Entry) -> None:
        given, fetched = head.get(b"origin"), head.get(b"sec-fetch-site")
        if not given and not fetched:
            # A program.
            return
        origin, site = given.decode("latin-1"), fetched.decode("latin-1")
        if origin and self._is_shared(origin, entry):
            return
        try:
            check_origin(site, origin, head.get(b"host").decode("latin-1"))
        except ForbiddenError as error:
            raise RefusalError(403, error.message) from error

    def _is_inside(self, head: Head, entry: Entry) -> bool:
        """Names of the cluster's own lead from outside nowhere."""
        host, namespace = head.host.decode("latin-1"), entry.route.namespace
        is_local = host.endswith((".svc", ".svc.cluster.local", f".{namespace}"))
        return (is_local and host in entry.route.hosts) or bool(self.namespace_of(head.peer))

    # Pages of other origins.

    def _is_shared(self, origin: str, entry: Entry) -> bool:
        origins = entry.limits.origins
        return bool(origins) and ("*" in origins or origin.lower() in origins)

    def is_preflight(self, head: Head, entry: Entry) -> bool:
        return (
            head.method == b"OPTIONS"
            and bool(entry.limits.origins)
            and bool(head.get(b"access-control-request-method"))
            and self._is_shared(head.get(b"origin").decode("latin-1"), entry)
        )

    def preflight_headers(self, head: Head, entry: Entry) -> list[tuple[bytes, bytes]]:
        asked = head.get(b"access-control-request-headers")
        found = [
            *self.shared_headers(head, entry),
            (b"access-control-allow-methods", b"GET, POST, PUT, DELETE, OPTIONS"),
            (b"access-control-max-age", _PREFLIGHT_SECONDS),
        ]
        return [*found, (b"access-control-allow-headers", asked)] if asked else found

    def shared_headers(self, head: Head, entry: Entry) -> list[tuple[bytes, bytes]]:
        """Nothing that a browser would send by itself, such as cookies, is ever allowed."""
        origin = head.get(b"origin")
        if not origin or not self._is_shared(origin.decode("latin-1"), entry):
            return []
        return [(b"access-control-allow-origin", origin), (b"vary", b"origin")]
