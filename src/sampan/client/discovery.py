"""From the apiVersion and kind of an object to the resource by which it is read and written, on any server.

For those who act on objects of kinds that they do not know: called by `app`, which hands it to components. The embedded
server is asked for its registry instead.
"""

from __future__ import annotations

from typing import Any, Protocol

import msgspec

from sampan.client.sending import Request
from sampan.kube.errors import NotFoundError
from sampan.kube.kinds import Resource


class Sends(Protocol):
    async def raw(self, request: Request) -> bytes: ...


class Discovery:
    """What a server serves, remembered as long as it is found. For one event loop."""

    def __init__(self, client: Sends) -> None:
        self._client = client
        self._known: dict[tuple[str, str], Resource] = {}

    async def served(self, api_version: str, kind: str) -> Resource | None:
        """None for a kind that is not served now; asked again each time. Raises ApiError."""
        key = (api_version, kind)
        if key not in self._known:
            path = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
            try:
                answer = msgspec.json.decode(await self._client.raw(Request("GET", path)))
            except NotFoundError:
                return None
            found = resource_in(answer, api_version, kind)
            if found is None:
                return None
            self._known[key] = found
        return self._known[key]


def resource_in(listed: Any, api_version: str, kind: str) -> Resource | None:
    """Of an APIResourceList. Pure."""
    group, _, version = api_version.rpartition("/")
    for each in listed.get("resources") or ():
        if each.get("kind") == kind and "/" not in str(each.get("name")):
            return Resource(
                group,
                version,
                kind,
                str(each["name"]),
                namespaced=bool(each.get("namespaced")),
                verbs=tuple(each.get("verbs") or ()),
            )
    return None
