"""Cursors into the recent changes: each change once, none missed, wherever it is read from."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from sampan.cluster.apiserver.changes import Change, ChangeHub, Subscription


def change(rev: int) -> Change:
    return Change(rev, "things", "ns", f"n{rev}", deleted=False, data=b"{}", previous=None)


def revisions(changes: Sequence[Change]) -> list[int]:
    return [each.rev for each in changes]


def test_a_change_that_comes_while_the_tables_are_read_is_not_slept_through() -> None:
    async def main() -> list[int]:
        hub = ChangeHub(10)

        async def history(since: int) -> tuple[Sequence[Change], int]:
            found: tuple[Sequence[Change], int] = ((), 10)
            # Committed and published after the tables were read, before their answer is looked at.
            hub.publish(change(11))
            await asyncio.sleep(0)
            return found

        subscription = Subscription(hub.feed("things"), history, namespace=None, name=None, since=5)
        async with asyncio.timeout(60):
            return revisions(await subscription.next())

    assert asyncio.run(main()) == [11]


def test_after_forgetting_watchers_read_the_tables_and_go_on_from_there() -> None:
    async def main() -> list[int]:
        hub = ChangeHub(10)

        async def history(since: int) -> tuple[Sequence[Change], int]:
            return [change(rev) for rev in (12, 13) if rev > since], 13

        subscription = Subscription(hub.feed("things"), history, namespace=None, name=None, since=10)
        hub.publish(change(11))
        found = revisions(await subscription.next(1))
        waiting = asyncio.create_task(subscription.next(1))
        await asyncio.sleep(0)
        # 12 was committed, but nobody was told.
        hub.forget(12)
        hub.publish(change(13))
        return found + revisions(await waiting)

    assert asyncio.run(main()) == [11, 12, 13]


def test_who_is_far_behind_is_handed_little_at_a_time_and_waits_for_none_of_it() -> None:
    async def none(_since: int) -> tuple[list[Change], int]:
        raise AssertionError("the ring holds everything")

    async def main() -> None:
        hub = ChangeHub(0)
        subscription = Subscription(hub.feed("things"), none, namespace="wanted", name=None, since=0)
        for rev in range(1, 101):
            where = "wanted" if rev == 100 else "other"
            hub.publish(Change(rev, "things", where, "a", deleted=False, data=b"x" * 10_000, previous=None))
        assert len(hub.feed("things").after(0)) < 10
        async with asyncio.timeout(60):
            assert [change.rev for change in await subscription.next()] == [100]

    asyncio.run(main())


def test_what_was_decoded_is_shared_by_those_who_read_at_once_and_then_let_go() -> None:
    one = Change(1, "things", "ns", "n", deleted=False, data=b'{"a": 1}', previous=b'{"a": 0}')
    assert one.object is one.object
    assert one.previous_object is one.previous_object
    kept = one.object
    one.settle()
    assert one.object == kept == {"a": 1}
    assert one.object is not kept
    assert one.previous_object == {"a": 0}
