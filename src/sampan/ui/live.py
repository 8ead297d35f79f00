"""Answers of the API that keep themselves current: asked for again after changes, once for all tabs that look at them.

Whatever pages show is in the one database or follows from it, so a commit is the sign to look again; what is elsewhere
(a log file, a cluster that is not ours) is looked at every few seconds. An answer that is the same byte for byte is not
handed on. What one question costs decides how often it may be asked, so that no page can keep the server busy.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from sampan.lib.clock import Clock
from sampan.lib.log import get_logger
from sampan.ui.api import JSON, Api, ApiFailureError, Reply, decoded

log = get_logger(__name__)

_LOOK_SECONDS = 0.25
"""Between looks at whether something has changed."""
_REST_SECONDS = 0.5
"""Between two askings of the same, at least."""
_SHARE = 10
"""An answer that took this long is asked for again after as many times that: a tenth of one core, for each."""
_SURE_SECONDS = 5.0
"""After which it is asked again though no commit was seen."""

Take = Callable[[Any], Awaitable[None]]
Fail = Callable[[ApiFailureError | None], None]
"""Told of a failure, and with None that it is over."""

Key = tuple[str, str, str, str]


@dataclass(slots=True, eq=False)
class Subscription:
    """One page's. `take` gets what is decoded from JSON, which all subscribers share: it is read only."""

    take: Take
    fail: Fail
    key: Key
    has_begun: bool = False
    """It has had its first answer; that one is awaited, and a refusal raised."""


@dataclass(slots=True)
class _Question:
    api: Api
    path: str
    query: Mapping[str, str]
    accept: str
    subscribers: list[Subscription] = field(default_factory=list)
    body: bytes = b""
    value: Any = None
    failure: ApiFailureError | None = None
    seen: int = -1
    """The commits that had been made when it was last asked."""
    asked_at: float = 0.0
    took: float = 0.0
    asking: asyncio.Task[None] | None = None

    async def request(self) -> Reply:
        return await self.api.request("GET", self.path, query=self.query, accept=self.accept)


class Hub:
    """For all tabs of a server, in one event loop."""

    def __init__(self, commits: Callable[[], int], clock: Clock) -> None:
        """`commits` counts what was written to the database."""
        self._commits = commits
        self._clock = clock
        self._questions: dict[Key, _Question] = {}
        self._nudges = 0
        self._loop: asyncio.Task[None] | None = None

    async def subscribe(
        self, api: Api, path: str, query: Mapping[str, str] | None, take: Take, fail: Fail, accept: str = JSON
    ) -> Subscription:
        """Hands on the first answer before it returns. Raises ApiFailureError where that is a refusal."""
        key = (api.user.name, path, urlencode(query or {}), accept)
        question = self._questions.get(key)
        if question is None:
            question = self._questions[key] = _Question(api, path, dict(query or {}), accept)
        subscription = Subscription(take, fail, key)
        question.subscribers.append(subscription)
        try:
            if question.asking is None and self._is_due(question):
                self._ask(question)
            if question.asking is not None:
                await asyncio.shield(question.asking)
            if question.failure is not None:
                raise question.failure
            while not subscription.has_begun:
                value = question.value
                await take(value)
                # While a page was being built of it another one may have come, which was handed to the others only.
                subscription.has_begun = value is question.value
        except BaseException:
            self.unsubscribe(subscription)
            raise
        if self._loop is None or self._loop.done():
            self._loop = asyncio.create_task(self._look(), name="dashboard live")
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        # What pages are made of mostly holds the way to let go of this: a circle, if this went on holding them.
        subscription.take, subscription.fail = _take_nothing, _fail_nowhere
        question = self._questions.get(subscription.key)
        if question is None or subscription not in question.subscribers:
            return
        question.subscribers.remove(subscription)
        if not question.subscribers:
            del self._questions[subscription.key]
            if question.asking is not None:
                question.asking.cancel()

    def nudge(self) -> None:
        """A user has changed something: everything is asked for again, at once."""
        self._nudges += 1
        for question in self._questions.values():
            question.asked_at = 0.0

    async def close(self) -> None:
        if self._loop is not None:
            self._loop.cancel()
        for question in self._questions.values():
            if question.asking is not None:
                question.asking.cancel()
        self._questions.clear()

    @property
    def _moment(self) -> int:
        return self._commits() + self._nudges

    async def _look(self) -> None:
        while self._questions:
            for question in list(self._questions.values()):
                if question.asking is None and self._is_due(question):
                    self._ask(question)
            await asyncio.sleep(_LOOK_SECONDS)

    def _is_due(self, question: _Question) -> bool:
        waited = self._clock.monotonic() - question.asked_at
        if question.seen < 0 or waited >= max(_SURE_SECONDS, question.took * _SHARE):
            return True
        rest = max(_REST_SECONDS, question.took * _SHARE)
        return question.seen != self._moment and waited >= rest

    def _ask(self, question: _Question) -> None:
        question.asking = asyncio.create_task(self._answer(question), name=f"dashboard GET {question.path}")

    async def _answer(self, question: _Question) -> None:
        started, question.seen = self._clock.monotonic(), self._moment
        try:
            body, failure = await self._body(question)
            question.asked_at = self._clock.monotonic()
            question.took = question.asked_at - started
            was, question.failure = question.failure, failure
            if failure is not None or was is not None:
                for subscription in _begun(question):
                    subscription.fail(failure)
            if failure is None and body != question.body:
                question.body, question.value = body, await decoded(body)
                # Side by side: a page that takes its time keeps no other from its answer.
                await asyncio.gather(*(each.take(question.value) for each in _begun(question)))
        finally:
            question.asking = None

    async def _body(self, question: _Question) -> tuple[bytes, ApiFailureError | None]:
        try:
            return (await question.request()).body, None
        except ApiFailureError as error:
            return b"", error
        except Exception as error:
            log.error("a live question failed", path=question.path, exc=error)
            return b"", ApiFailureError(500, "the server failed at this request; its log says why")


def _begun(question: _Question) -> list[Subscription]:
    return [each for each in question.subscribers if each.has_begun]


async def _take_nothing(_value: Any) -> None:
    return


def _fail_nowhere(_error: ApiFailureError | None) -> None:
    return
