"""The parts of a page that stand behind its tabs. Used by the components' pages of one object."""

from __future__ import annotations

from typing import Protocol


class Part(Protocol):
    """A tab's content. Built where it stands; told whenever something has changed."""

    async def build(self) -> None: ...

    def update(self) -> None: ...

    def stop(self) -> None: ...


class ShownPart:
    """The part that is shown now, if any."""

    def __init__(self) -> None:
        self._part: Part | None = None
        self._changes = 0

    def update(self) -> None:
        """Something has changed."""
        self._changes += 1
        if self._part is not None:
            self._part.update()

    def stop(self) -> None:
        """Another one was chosen."""
        if self._part is not None:
            self._part.stop()
            self._part = None

    async def build(self, part: Part) -> None:
        """Raises what building it raises; then none is shown."""
        changes = self._changes
        await part.build()
        self._part = part
        if changes != self._changes:
            # Of what came while it was built.
            part.update()
