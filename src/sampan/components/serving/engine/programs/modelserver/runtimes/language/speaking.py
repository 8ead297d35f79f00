"""What several texts that are being written say to a client: whole, or in a stream, with what they think and call.

Called by `language_model`. A text goes through its listener, which tells thoughts (`reasoning`) and calls of tools
(`tools`) from what is said; a form (`answers`, `responses`) puts that into the words of an API.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from sampan.components.serving.engine.programs.modelserver.errors import told
from sampan.components.serving.engine.programs.modelserver.runtimes.language.answers import TOOL_CALLS, Usage
from sampan.components.serving.engine.programs.modelserver.runtimes.language.reasoning import Thinking
from sampan.components.serving.engine.programs.modelserver.runtimes.language.rows import STOP, Piece
from sampan.components.serving.engine.programs.modelserver.runtimes.language.tools import Call, Named, Reading

Reader = Reading | Named


class Texts(Protocol):
    """That are being written."""

    @property
    def count(self) -> int: ...

    def pieces(self) -> AsyncIterator[tuple[int, Piece]]: ...

    async def whole(self) -> list[Piece]: ...


class Form(Protocol):
    """An API's words for them. Each event of a stream is whole."""

    def whole(
        self, texts: Sequence[Piece], usage: Usage, calls: Sequence[Sequence[Call]] = ()
    ) -> dict[str, Any]: ...

    def opening(self, count: int) -> list[bytes]: ...

    def part(self, index: int, piece: Piece) -> list[bytes]: ...

    def calls(self, index: int, calls: Sequence[Call]) -> list[bytes]: ...

    def closing(self, usage: Usage, *, is_wanted: bool) -> list[bytes]: ...

    def failure(self, message: str) -> list[bytes]: ...

    def ending(self) -> list[bytes]: ...


@dataclass(frozen=True, slots=True)
class Listener:
    """Of one text."""

    thinking: Thinking | None = None
    reader: Reader | None = None

    @property
    def tells_all(self) -> bool:
        """Whether it keeps nothing back."""
        return self.thinking is None and self.reader is None

    def hear(self, piece: Piece) -> tuple[Piece, list[Call]]:
        """What may be told by now, and with the last piece what is called."""
        text, thought, calls = piece.text, "", list[Call]()
        if self.thinking is not None:
            thought, text = self.thinking.add(text)
            if piece.finish:
                more, rest = self.thinking.rest()
                thought, text = thought + more, text + rest
        if self.reader is not None:
            text = self.reader.add(text)
            if piece.finish:
                rest, calls = self.reader.rest()
                text += rest
        return replace(piece, text=text, thought=thought, finish=_finish(piece, self.reader, calls)), calls


async def whole(
    texts: Texts, form: Form, prompt_tokens: int, listeners: Sequence[Listener]
) -> dict[str, Any]:
    pieces = await texts.whole()
    usage = Usage(prompt_tokens, sum(each.tokens for each in pieces))
    heard = [listener.hear(piece) for listener, piece in zip(listeners, pieces, strict=True)]
    return form.whole([piece for piece, _ in heard], usage, [calls for _, calls in heard])


async def streamed(
    texts: Texts, form: Form, prompt_tokens: int, listeners: Sequence[Listener], *, with_usage: bool
) -> AsyncIterator[bytes]:
    """`with_usage`: the client wants to know how many tokens there were."""
    written = 0
    pieces = texts.pieces()
    try:
        for event in form.opening(texts.count):
            yield event
        async for place, piece in pieces:
            written += piece.tokens
            for event in _events(form, place, piece, listeners[place]):
                yield event
        for event in form.closing(Usage(prompt_tokens, written), is_wanted=with_usage):
            yield event
    except Exception as problem:
        # The code has been sent: it is said as vLLM says it.
        for event in form.failure(told(problem)):
            yield event
    finally:
        await pieces.aclose()  # type: ignore[attr-defined]
    for event in form.ending():
        yield event


def _events(form: Form, place: int, piece: Piece, listener: Listener) -> list[bytes]:
    said, calls = listener.hear(piece)
    has_words = bool(said.text or said.thought or said.chances)
    if listener.tells_all:
        return form.part(place, said) if has_words or said.finish or said.tokens else []
    found = form.part(place, replace(said, finish=None, stopped_by=None)) if has_words else []
    if calls:
        found += form.calls(place, calls)
    if said.finish:
        found += form.part(place, Piece("", finish=said.finish, stopped_by=said.stopped_by))
    return found


def _finish(piece: Piece, reader: Reader | None, calls: Sequence[Call]) -> str | None:
    """A function that was named is called as it was said: OpenAI calls that a stop."""
    is_own = isinstance(reader, Reading) or (isinstance(reader, Named) and not reader.is_named)
    return TOOL_CALLS if calls and is_own and piece.finish == STOP else piece.finish
