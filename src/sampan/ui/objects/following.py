"""All objects of a namespace, of several kinds, as they change. For lists and the home page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sampan.kube.kinds import Resource
from sampan.kube.meta import Object
from sampan.ui.api import Api, ApiFailureError, segment
from sampan.ui.context import PageContext

_NOT_SERVED = 404


class Followed:
    """Of a page's namespace. A kind that the cluster does not serve has no objects; one that may not be seen is
    named."""

    def __init__(
        self, page: PageContext, kinds: Sequence[Resource], changed: Callable[[Sequence[Object]], Any]
    ) -> None:
        self._page = page
        self._kinds = kinds
        self._changed = changed
        self._by_kind: dict[str, Sequence[Object]] = {}
        self._is_begun = False
        self.hidden: list[str] = []
        """Kinds that this user may not list."""

    async def follow(self) -> None:
        for resource in self._kinds:
            await self._follow(resource)
        self._is_begun = True
        self._tell()

    async def _follow(self, resource: Resource) -> None:
        def take(found: Any) -> None:
            self._by_kind[resource.kind] = with_kind(resource, found)
            if self._is_begun:
                self._tell()

        try:
            await self._page.live(resource.path(segment(self._page.namespace)), take)
        except ApiFailureError as error:
            if error.status != _NOT_SERVED:
                self.hidden.append(resource.kind)

    def _tell(self) -> None:
        self._changed([obj for found in self._by_kind.values() for obj in found])


async def once(api: Api, kinds: Sequence[Resource], namespace: str) -> list[Object]:
    """Those that can be seen now."""
    found: list[Object] = []
    for resource in kinds:
        try:
            found += with_kind(resource, await api.get(resource.path(segment(namespace))))
        except ApiFailureError:
            # Not served here, or not for everybody.
            continue
    return found


def with_kind(resource: Resource, found: Any) -> list[Object]:
    """The items of a list, which need not say their kind. Pure."""
    return [
        {**item, "kind": resource.kind, "apiVersion": resource.api_version}
        for item in found.get("items") or ()
    ]
