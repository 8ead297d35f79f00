"""The trials of an experiment as they change, for its page."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from sampan.components.tuning.ui import places, trials
from sampan.components.tuning.ui.trials import Trials
from sampan.ui.context import PageContext

_MANY = 1000
"""From here on an answer is taken apart in a thread."""


async def follow(page: PageContext, namespace: str, name: str, changed: Callable[[Trials], Any]) -> None:
    """Raises ApiFailureError."""

    async def take(answer: Any) -> None:
        count = len((answer.get("columns") or {}).get("name") or ())
        made = trials.of_columns
        changed(await asyncio.to_thread(made, answer) if count > _MANY else made(answer))

    await page.live(places.columns_api(namespace, name), take)
