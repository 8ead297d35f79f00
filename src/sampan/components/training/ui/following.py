"""All jobs of a namespace, of every kind that is served, as they change. For lists and the home page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sampan.components.training.api.kinds import ALL_JOB_KINDS
from sampan.kube.meta import Object
from sampan.ui.api import Api
from sampan.ui.context import PageContext
from sampan.ui.objects import following


class Jobs(following.Followed):
    def __init__(self, page: PageContext, changed: Callable[[Sequence[Object]], Any]) -> None:
        super().__init__(page, ALL_JOB_KINDS, changed)


async def once(api: Api, namespace: str) -> list[Object]:
    """The jobs that can be seen now."""
    return await following.once(api, ALL_JOB_KINDS, namespace)
