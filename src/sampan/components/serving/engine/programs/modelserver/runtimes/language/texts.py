"""Tokens as text, as they come, and where a text is to stop. Used by `rows`; pure.

A token may be half a letter, and a word may look otherwise beside the next one: what is told is the difference between
two decodings from the same earlier token, as vLLM and text-generation-inference do it.
Source: huggingface/text-generation-inference server/text_generation_server/models/model.py, decode_token.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

_HALF = "�"


class Unrolling:
    """New text for each token."""

    def __init__(self, decode: Callable[[Sequence[int]], str]) -> None:
        self._decode = decode
        self._tokens: list[int] = []
        self._from = self._read = 0

    def add(self, token: int) -> str:
        self._tokens.append(token)
        return self._new(is_last=False)

    def rest(self) -> str:
        return self._new(is_last=True)

    def _new(self, *, is_last: bool) -> str:
        before = self._decode(self._tokens[self._from : self._read])
        now = self._decode(self._tokens[self._from :])
        if len(now) <= len(before) or (now.endswith(_HALF) and not is_last):
            return ""
        self._from, self._read = self._read, len(self._tokens)
        return now[len(before) :]


class Stopping:
    """Lets a text through until one of `stops` comes; what may be the beginning of one is kept back."""

    def __init__(self, stops: Sequence[str], *, keeps: bool = False) -> None:
        self._stops = stops
        self._keeps = keeps
        self._held = ""
        self.met = ""
        """The one that came."""

    def add(self, text: str) -> str:
        if not self._stops:
            return text
        self._held += text
        found = [(self._held.find(each), each) for each in self._stops if each in self._held]
        if found:
            place, stop = min(found)
            self.met = stop
            told = self._held[: place + (len(stop) if self._keeps else 0)]
            self._held = ""
            return told
        kept = max(beginning(self._held, each) for each in self._stops)
        told, self._held = self._held[: len(self._held) - kept], self._held[len(self._held) - kept :]
        return told

    def rest(self) -> str:
        told, self._held = self._held, ""
        return told


def beginning(text: str, stop: str) -> int:
    """How long the text's end is that `stop`, or another mark, may begin with."""
    return next(
        (size for size in range(min(len(text), len(stop) - 1), 0, -1) if stop.startswith(text[-size:])), 0
    )
