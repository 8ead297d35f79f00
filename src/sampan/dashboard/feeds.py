"""What happened lately, of all components: merged, and asked for once for all tabs of a user. No elements here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from sampan.lib.clock import Clock
from sampan.lib.log import get_logger
from sampan.ui.api import Api, ApiFailureError
from sampan.ui.contract import Activity, Feed, Interface

log = get_logger(__name__)

MOST = 100
_REST_SECONDS = 2.0
"""Between two questions, however much happens."""
_SURE_SECONDS = 30.0
"""After which it is asked although nothing was written: a cluster's objects are not in our database."""
_FORGET_SECONDS = 600.0


@dataclass
class _Kept:
    found: list[Activity] = field(default_factory=list)
    commits: int = -1
    at: float = 0.0
    asking: asyncio.Task[None] | None = None


class Activities:
    """For all tabs of a server, in one event loop."""

    def __init__(self, interfaces: Sequence[Interface], commits: Callable[[], int], clock: Clock) -> None:
        self._feeds = [feed for each in interfaces for feed in each.feeds]
        self._commits = commits
        self._clock = clock
        self._kept: dict[tuple[str, str], _Kept] = {}

    async def latest(self, api: Api, namespace: str) -> list[Activity]:
        """The newest first, `MOST` at most. What fails is left out."""
        now = self._clock.monotonic()
        self._kept = {key: kept for key, kept in self._kept.items() if now - kept.at < _FORGET_SECONDS}
        kept = self._kept.setdefault((api.user.name, namespace), _Kept(at=now))
        waited = now - kept.at
        is_due = kept.commits < 0 or waited >= _SURE_SECONDS
        if is_due or (kept.commits != self._commits() and waited >= _REST_SECONDS):
            if kept.asking is None:
                kept.asking = asyncio.create_task(self._ask(api, namespace, kept), name="dashboard activity")
            await asyncio.shield(kept.asking)
        return kept.found

    async def _ask(self, api: Api, namespace: str, kept: _Kept) -> None:
        try:
            kept.commits = self._commits()
            asked = [self._of_one(feed, api, namespace) for feed in self._feeds]
            kept.found = merged(await asyncio.gather(*asked), MOST)
            kept.at = self._clock.monotonic()
        finally:
            kept.asking = None

    async def _of_one(self, feed: Feed, api: Api, namespace: str) -> Sequence[Activity]:
        try:
            return await feed(api, namespace, MOST)
        except ApiFailureError:
            return ()
        except Exception as error:
            log.error("a feed failed", exc=error)
            return ()


def merged(feeds: Iterable[Iterable[Activity]], most: int) -> list[Activity]:
    """The newest first. RFC 3339 in UTC sorts as text, whatever its fractions."""
    found = [each for feed in feeds for each in feed if each.at]
    return sorted(found, key=lambda each: each.at.rstrip("Z"), reverse=True)[:most]


def narrowed(found: Iterable[Activity], kind: str, failed: bool) -> list[Activity]:
    """Of one kind, or all; `failed` leaves only what went wrong."""
    return [each for each in found if (not kind or each.kind == kind) and (not failed or each.tone == "bad")]
