"""What is done to one thing or to all that are picked in a list: asked first where something would be lost.

A component declares its actions, and what each does; how that is asked, counted and told is the same for all.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from nicegui import ui

from sampan.ui import widgets, words
from sampan.ui.api import ApiFailureError
from sampan.ui.context import PageContext

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Action(Generic[Item]):
    name: str
    label: str
    icon: str
    past: str
    """Of what it was done to."""
    fits: Callable[[Item], bool]
    act: Callable[[PageContext, Item], Awaitable[Any]]
    """Raises ApiFailureError."""
    lost: Callable[[int], Iterable[str]] | None = None
    """What goes with so many of them; None for what is done without a question."""
    danger: bool = True


@dataclass(frozen=True, slots=True)
class Acted(Generic[Item]):
    """Things of one sort."""

    noun: str
    """Of one and of many: `job|jobs`."""
    name: Callable[[Item], str]
    told: Callable[[Item], str]
    """As a question names it."""

    def ask(
        self, page: PageContext, action: Action[Item], items: Sequence[Item], after: Callable[[], Any]
    ) -> None:
        """Asks where something would be lost, does it to those that it fits, and says what came of it."""
        several = self.noun.partition("|")[2]
        fitting = [each for each in items if action.fits(each)]
        if not fitting:
            page.notify(f"None of the picked {several} can be {action.past}.", "warn")
            return

        async def go() -> None:
            failures = await self._each(page, action, fitting)
            done = len(fitting) - len(failures)
            # Asked again at once, as after any change.
            await page.attempt(_nothing(), done=summary(self.noun, action.past, done, len(items)))
            if failures:
                _tell(f"Some {several} were not {action.past}", failures)
            after()

        if action.lost is None:
            page.spawn(go(), f"{action.name} {several}")
            return
        count = words.counted(len(fitting), self.noun)
        widgets.confirm(
            f"{action.label} {count}?",
            self.question(action, fitting),
            go,
            label=f"{action.label} {count}",
            danger=action.danger,
        )

    def question(self, action: Action[Item], items: Sequence[Item]) -> list[str]:
        """Its lines: what it is done to, and what goes with it. Pure."""
        lost = action.lost(len(items)) if action.lost is not None else ()
        return [*words.listed([self.told(each) for each in items]), *lost]

    async def _each(
        self, page: PageContext, action: Action[Item], items: Sequence[Item]
    ) -> list[tuple[str, str]]:
        """One after the other. The names of those that refused it, and why."""
        failures: list[tuple[str, str]] = []
        for each in items:
            try:
                await action.act(page, each)
            except ApiFailureError as error:
                failures.append((self.name(each), error.message))
        return failures


def summary(noun: str, past: str, done: int, picked: int) -> str:
    """Pure."""
    if not done:
        return ""
    of = f"{done} of {picked} {noun.partition('|')[2]}" if done < picked else words.counted(done, noun)
    return f"{of} {past}."


async def _nothing() -> None:
    """What was done is done; the page's `attempt` says so to whatever is live."""


def _tell(title: str, failures: Sequence[tuple[str, str]]) -> None:
    window, content = widgets.dialog(title)
    with content:
        widgets.pairs(dict(failures))
        with ui.element("div").classes("sp-dialog-actions"):
            widgets.button("Close", window.close, kind="primary")
