"""What a part behind a tab is told of the changes of its page."""

from __future__ import annotations

import asyncio

import pytest

from sampan.ui.parts import ShownPart


class Noting:
    def __init__(self, during: ShownPart | None = None, error: Exception | None = None) -> None:
        self.said: list[str] = []
        self._during, self._error = during, error

    async def build(self) -> None:
        self.said.append("build")
        await asyncio.sleep(0)
        if self._during is not None:
            self._during.update()
        if self._error is not None:
            raise self._error

    def update(self) -> None:
        self.said.append("update")

    def stop(self) -> None:
        self.said.append("stop")


def test_a_part_is_told_of_changes_while_it_is_shown() -> None:
    shown, part = ShownPart(), Noting()
    shown.update()
    asyncio.run(shown.build(part))
    assert part.said == ["build"]
    shown.update()
    shown.stop()
    shown.update()
    shown.stop()
    assert part.said == ["build", "update", "stop"]


def test_a_part_is_told_of_what_came_while_it_was_built() -> None:
    shown = ShownPart()
    part = Noting(during=shown)
    asyncio.run(shown.build(part))
    assert part.said == ["build", "update"]


def test_a_part_that_could_not_be_built_is_not_shown() -> None:
    shown, part = ShownPart(), Noting(error=ValueError("no"))
    with pytest.raises(ValueError, match="no"):
        asyncio.run(shown.build(part))
    shown.update()
    shown.stop()
    assert part.said == ["build"]
