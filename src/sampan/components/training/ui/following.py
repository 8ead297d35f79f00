"""All jobs of a namespace, of every kind that is served, as they change. For lists and the home page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sampan.components.training.api.kinds import ALL_JOB_KINDS
from sampan.components.training.ui import places
from sampan.kube.kinds import Resource
from sampan.kube.meta import Object
from sampan.ui.api import Api, ApiFailureError
from sampan.ui.context import PageContext

_NOT_SERVED = 404


class Jobs:
    """Of a page's namespace. A kind that the cluster does not serve has no jobs; one that may not be seen is named."""

    def __init__(self, page: PageContext, changed: Callable[[Sequence[Object]], Any]) -> None:
        self._page = page
        self._changed = changed
        self._by_kind: dict[str, Sequence[Object]] = {}
        self._is_begun = False
        self.hidden: list[str] = []
        """Kinds that this user may not list."""

    async def follow(self) -> None:
        for resource in ALL_JOB_KINDS:
            await self._follow(resource)
        self._is_begun = True
        self._tell()

    async def _follow(self, resource: Resource) -> None:
        def take(found: Any) -> None:
            self._by_kind[resource.kind] = with_kind(resource, found)
            if self._is_begun:
                self._tell()

        try:
            await self._page.live(places.api(resource, self._page.namespace), take)
        except ApiFailureError as error:
            if error.status != _NOT_SERVED:
                self.hidden.append(resource.kind)

    def _tell(self) -> None:
        self._changed([job for jobs in self._by_kind.values() for job in jobs])


async def once(api: Api, namespace: str) -> list[Object]:
    """The jobs that can be seen now."""
    found: list[Object] = []
    for resource in ALL_JOB_KINDS:
        try:
            found += with_kind(resource, await api.get(places.api(resource, namespace)))
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
