"""What is remembered of prompts that were read: one that begins alike is read from there on. Used by `steps`.

A conversation sends all that was said before with each turn, and all of a template's requests begin alike (the idea of
RadixAttention: Zheng et al., "SGLang", NeurIPS 2024, section 3; here a list, for there are few). The least used goes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sampan.components.serving.engine.programs.modelserver.contract import Array

LEAST = 16
"""Tokens that two have to share: fewer are read as fast."""
_MOST_BYTES = 256 * 1024 * 1024
Layers = list[tuple[Any, Any]]


@dataclass(slots=True, eq=False)
class _Kept:
    tokens: Array
    layers: Layers
    size: int


class Prefixes:
    def __init__(self, most_bytes: int = _MOST_BYTES) -> None:
        self._kept: list[_Kept] = []
        """The least used first."""
        self._most = most_bytes
        self.reused = 0
        """Tokens that were not read again."""

    def longest(self, prompt: Sequence[int]) -> Layers | None:
        """Of the longest beginning that is known; never the whole prompt, whose last token has to be read."""
        tokens = np.asarray(prompt[:-1])
        best, length = None, LEAST - 1
        for each in self._kept:
            shared = _shared(each.tokens, tokens)
            if shared > length:
                best, length = each, shared
        if best is None:
            return None
        self._kept.remove(best)
        self._kept.append(best)
        self.reused += length
        return [(keys[:, :, :length], values[:, :, :length]) for keys, values in best.layers]

    def put(self, prompt: Sequence[int], layers: Layers) -> None:
        """The tensors are not to be changed afterwards."""
        tokens = np.asarray(prompt)
        size = sum(each.numel() * each.element_size() for layer in layers for each in layer)
        if len(tokens) <= LEAST or size > self._most:
            return
        for each in self._kept:
            if _shared(each.tokens, tokens) == len(tokens):
                return
        # What is a beginning of the new one is in it.
        self._kept = [each for each in self._kept if _shared(each.tokens, tokens) < len(each.tokens)]
        self._kept.append(_Kept(tokens, layers, size))
        while sum(each.size for each in self._kept) > self._most:
            self._kept.pop(0)


def _shared(one: Array, other: Array) -> int:
    size = min(len(one), len(other))
    differing = np.flatnonzero(one[:size] != other[:size])
    return int(differing[0]) if len(differing) else size
