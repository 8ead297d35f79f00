"""What several texts that are being written say to a client: whole, or in a stream, with the tools that they call.

Called by `language_model`; a text's reader (`tools`) keeps back what is a call.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any, Protocol

from sampan.components.serving.engine.programs.modelserver.errors import told
from sampan.components.serving.engine.programs.modelserver.runtimes.language import answers
from sampan.components.serving.engine.programs.modelserver.runtimes.language.answers import Form, Usage
from sampan.components.serving.engine.programs.modelserver.runtimes.language.rows import STOP, Piece
from sampan.components.serving.engine.programs.modelserver.runtimes.language.tools import Call, Named, Reading

TOOL_CALLS = "tool_calls"
Reader = Reading | Named


class Texts(Protocol):
    """That are being written."""

    @property
    def count(self) -> int: ...

    def pieces(self) -> AsyncIterator[tuple[int, Piece]]: ...

    async def whole(self) -> list[Piece]: ...


async def whole(texts: Texts, form: Form, prompt_tokens: int, readers: Sequence[Reader]) -> dict[str, Any]:
    pieces = await texts.whole()
    usage = Usage(prompt_tokens, sum(each.tokens for each in pieces))
    calls: list[list[Call]] = []
    for place, reader in enumerate(readers):
        piece = pieces[place]
        begun = reader.add(piece.text)
        rest, own = reader.rest()
        pieces[place] = replace(piece, text=begun + rest, finish=_finish(piece, reader, own))
        calls.append(own)
    return form.whole(pieces, usage, calls)


async def streamed(
    texts: Texts, form: Form, prompt_tokens: int | None, readers: Sequence[Reader]
) -> AsyncIterator[bytes]:
    """`prompt_tokens` where the client wants to know how many there were."""
    written = 0
    pieces = texts.pieces()
    try:
        for event in form.opening(texts.count):
            yield event
        async for place, piece in pieces:
            written += piece.tokens
            for event in _events(form, place, piece, readers):
                yield event
        if prompt_tokens is not None:
            yield form.closing(Usage(prompt_tokens, written))
    except Exception as problem:
        # The code has been sent: it is said as vLLM says it.
        yield form.failure(told(problem))
    finally:
        await pieces.aclose()  # type: ignore[attr-defined]
    yield answers.DONE


def _events(form: Form, place: int, piece: Piece, readers: Sequence[Reader]) -> list[bytes]:
    if not readers:
        return [form.part(place, piece)] if piece.text or piece.finish or piece.chances else []
    reader, found = readers[place], []
    text, calls = reader.add(piece.text), list[Call]()
    if piece.finish:
        rest, calls = reader.rest()
        text += rest
    if text or piece.chances:
        found.append(form.part(place, replace(piece, text=text, finish=None)))
    if calls:
        found.append(form.calls(place, calls))
    if piece.finish:
        found.append(form.part(place, Piece("", finish=_finish(piece, reader, calls))))
    return found


def _finish(piece: Piece, reader: Reader, calls: Sequence[Call]) -> str | None:
    """A function that was named is called as it was said: OpenAI calls that a stop."""
    is_own = isinstance(reader, Reading) or not reader.is_named
    return TOOL_CALLS if calls and is_own and piece.finish == STOP else piece.finish
