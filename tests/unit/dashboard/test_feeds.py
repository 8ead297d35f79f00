"""What happened lately, of all components at once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from starlette.types import Receive, Scope, Send

from sampan.dashboard.feeds import Activities, merged, narrowed
from sampan.lib.clock import SystemClock
from sampan.ui.api import Api, ApiFailureError
from sampan.ui.contract import Activity, Interface
from sampan.web.guards import User


def happened(at: str, text: str = "", **more: str) -> Activity:
    return Activity(at, text, "circle", **more)


def test_the_newest_come_first_whatever_their_source() -> None:
    found = merged(
        [
            [happened("2026-01-02T00:00:00Z", "b"), happened("2026-01-01T00:00:00Z", "d")],
            [
                happened("2026-01-03T00:00:00.5Z", "a"),
                happened("2026-01-01T12:00:00Z", "c"),
                happened("", "never"),
            ],
        ],
        3,
    )
    assert [each.text for each in found] == ["a", "b", "c"]


def test_a_feed_is_narrowed_to_a_kind_and_to_what_went_wrong() -> None:
    found = [happened("1", "a", kind="Run", tone="bad"), happened("2", "b", kind="Run"), happened("3", "c")]
    assert [each.text for each in narrowed(found, "Run", False)] == ["a", "b"]
    assert [each.text for each in narrowed(found, "", True)] == ["a"]
    assert len(narrowed(found, "", False)) == 3


def test_tabs_share_one_question_and_a_feed_that_fails_is_left_out() -> None:
    asked: list[str] = []
    commits = [1]

    async def good(_api: Api, namespace: str, _most: int) -> Sequence[Activity]:
        asked.append(namespace)
        return [happened("2026-01-01T00:00:00Z", "good")]

    async def refused(_api: Api, _namespace: str, _most: int) -> Sequence[Activity]:
        raise ApiFailureError(403, "no")

    async def broken(_api: Api, _namespace: str, _most: int) -> Sequence[Activity]:
        raise ValueError("broken")

    async def nothing(_scope: Scope, _receive: Receive, _send: Send) -> None: ...

    async def main() -> None:
        api = Api(nothing, User("ann"))
        activities = Activities(
            [Interface(feeds=(good, refused)), Interface(feeds=(broken,))], lambda: commits[0], SystemClock()
        )
        many = await asyncio.gather(*(activities.latest(api, "default") for _ in range(5)))
        assert all([each.text for each in found] == ["good"] for found in many)
        assert asked == ["default"]
        # At once again: not before some time has gone by, however much is written.
        commits[0] += 1
        await activities.latest(api, "default")
        await activities.latest(Api(nothing, User("bob")), "default")
        assert asked == ["default", "default"]

    asyncio.run(main())
