"""One request's texts while they are written. Made by `language_model`, told on by `speaking`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sampan.components.serving.engine.programs.modelserver.runtimes.language import answers
from sampan.components.serving.engine.programs.modelserver.runtimes.language.guiding import Guided
from sampan.components.serving.engine.programs.modelserver.runtimes.language.rows import (
    LENGTH,
    Chance,
    Piece,
    Row,
)
from sampan.components.serving.engine.programs.modelserver.runtimes.language.wishes import Wish


@dataclass(frozen=True, slots=True)
class Prompt:
    text: str
    tokens: list[int]


class Writer(Protocol):
    """A language model."""

    def row(self, prompt: Prompt, wish: Wish, place: int, guided: Guided | None, say: Any) -> Row: ...

    def submit(self, row: Row) -> None: ...

    def search(self, rows: Sequence[Row]) -> None:
        """The likeliest texts after one prompt, a row for each."""
        ...

    def take(self, count: int) -> None:
        """Raises RequestError where too many wait."""
        ...

    def leave(self, rows: Sequence[Row]) -> None: ...

    def of_prompt(self, prompt: Prompt, top: int) -> list[Chance]: ...


class Writing:
    """One request's rows, and what they say. Whoever leaves it ends them."""

    def __init__(
        self,
        model: Writer,
        wish: Wish,
        prompts: Sequence[Prompt],
        guided: Sequence[Guided] = (),
        *,
        echoes: bool = False,
        each: int = 1,
    ) -> None:
        """`each`: how many texts beside one another are answers to one prompt."""
        self._each = each
        self._model, self._wish, self._prompts, self._echoes = model, wish, prompts, echoes
        self._said: asyncio.Queue[tuple[int, Piece | BaseException]] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()
        self.count = len(prompts)
        forms: Sequence[Guided | None] = guided or [None] * len(prompts)
        self.rows = [
            model.row(each, wish, place, forms[place], self._hear(place))
            for place, each in enumerate(prompts)
        ]

    async def pieces(self) -> AsyncIterator[tuple[int, Piece]]:
        """As they come, with the number of the answer that each is of. Raises what went wrong."""
        self._model.take(len(self.rows))
        try:
            for place, prompt in enumerate(self._prompts):
                if self._echoes:
                    yield place, await asyncio.to_thread(self._echo, prompt)
                if not self._wish.searches:
                    self._begin(place)
            if self._wish.searches:
                self._search()
            left = len(self.rows)
            while left:
                place, said = await self._said.get()
                if isinstance(said, BaseException):
                    raise said
                left -= said.finish is not None
                yield place, said
        finally:
            for row in self.rows:
                row.is_cancelled = True
            self._model.leave(self.rows)

    async def whole(self) -> list[Piece]:
        found: list[list[Piece]] = [[] for _ in self.rows]
        pieces = self.pieces()
        try:
            async for place, piece in pieces:
                found[place].append(piece)
        finally:
            await pieces.aclose()  # type: ignore[attr-defined]
        return [answers.joined(each) for each in found]

    def _begin(self, place: int) -> None:
        row = self.rows[place]
        if row.limit:
            self._model.submit(row)
        else:
            row.end(LENGTH)

    def _search(self) -> None:
        for begin in range(0, len(self.rows), self._each):
            rows = self.rows[begin : begin + self._each]
            if rows[0].limit:
                self._model.search(rows)
            for row in rows:
                if not row.limit:
                    row.end(LENGTH)

    def _echo(self, prompt: Prompt) -> Piece:
        top = self._wish.top_logprobs
        return Piece(prompt.text, () if top is None else tuple(self._model.of_prompt(prompt, top)))

    def _hear(self, place: int) -> Any:
        def hear(said: Piece | BaseException) -> None:
            # From another thread, which may outlive the loop.
            if not self._loop.is_closed():
                self._loop.call_soon_threadsafe(self._said.put_nowait, (place, said))

        return hear
