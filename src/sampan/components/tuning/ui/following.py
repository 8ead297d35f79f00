"""The trials of an experiment as they change, for its page."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from sampan.components.tuning.ui import places, trials
from sampan.components.tuning.ui.trials import Trials
from sampan.ui.api import ApiFailureError
from sampan.ui.context import PageContext

_NOT_FOUND = 404
_MANY = 1000
"""From here on an answer is taken apart in a thread."""


async def follow(page: PageContext, namespace: str, name: str, changed: Callable[[Trials], Any]) -> None:
    """Raises ApiFailureError."""

    async def take(answer: Any) -> None:
        count = len((answer.get("columns") or {}).get("name") or ())
        made = trials.of_columns
        changed(await asyncio.to_thread(made, answer) if count > _MANY else made(answer))

    try:
        await page.live(places.columns_api(namespace, name), take)
    except ApiFailureError as error:
        if error.status != _NOT_FOUND:
            raise
        await page.live(
            places.trials_api(namespace),
            lambda found: changed(trials.of_objects(found.get("items") or ())),
            query=places.of_experiment(name),
        )
