"""Each thing is said once; what is only a detail of the same, not too often."""

from __future__ import annotations

import asyncio
import math
from datetime import UTC, datetime
from typing import Any

from sampan.cluster.scheduler.telling import Teller


class Clock:
    seconds = 0.0

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)

    def monotonic(self) -> float:
        return self.seconds


class Told:
    """Stands in for the client and for the recorder."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    async def patch(self, *args: Any, **_options: Any) -> None:
        (condition,) = args[2]["status"]["conditions"]
        self.messages.append(condition["message"])

    def warning(self, *_args: Any) -> None:
        """An event."""


POD = {"metadata": {"name": "p", "namespace": "team", "uid": "u", "resourceVersion": "1"}}


def test_details_wait_and_headlines_do_not():
    clock, told = Clock(), Told()
    teller = Teller(told, clock, told)  # type: ignore[arg-type]

    async def scenario() -> None:
        assert teller.due("u", "no cpu", "no cpu a", 30) == 0
        await teller.tell(POD, "Unschedulable", "no cpu", "a")
        assert teller.due("u", "no cpu", "no cpu a", 30) == math.inf
        clock.seconds = 10
        assert teller.due("u", "no cpu", "no cpu b", 30) == 20
        assert teller.due("u", "no memory", "no memory b", 30) == 0
        clock.seconds = 31
        assert teller.due("u", "no cpu", "no cpu b", 30) == 0
        await teller.tell(POD, "Unschedulable", "no cpu", "b")
        teller.forget("u")
        assert teller.due("u", "no cpu", "no cpu b", 30) == 0

    asyncio.run(scenario())
    assert told.messages == ["no cpu a", "no cpu b"]
