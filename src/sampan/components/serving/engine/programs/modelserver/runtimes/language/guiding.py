"""Texts that keep to a form: which tokens may come next, by the library llguidance. Used by `rows` through `Guided`.

The library follows a grammar token by token and says which of all tokens keep it; the others are made impossible.
Source: guidance-ai/llguidance 1.9 docs/json_schema.md, python/llguidance/_lib.pyi.
"""

from __future__ import annotations

import importlib
import json
import threading
from collections.abc import Iterable
from typing import Any

import numpy as np

from sampan.components.serving.engine.programs.modelserver.contract import ParameterError
from sampan.components.serving.engine.programs.modelserver.runtimes.language import schemas
from sampan.components.serving.engine.programs.modelserver.runtimes.language.reasoning import Thoughts
from sampan.components.serving.engine.programs.modelserver.runtimes.language.structure import (
    JSON,
    REGEX,
    Guide,
)

# Blanks are the model's to set, as one line's indentation, but it is not to go on with them for ever.
_WHITESPACE = {"whitespace_pattern": r"\n?[ \t]{0,24}"}


class Guiding:
    """Of one tokenizer. `guided` may be called from any thread."""

    def __init__(self, tokenizer: Any, size: int, ends: Iterable[int]) -> None:
        """`size`: how many tokens the model gives likelihoods of."""
        self._tokenizer, self._size, self._ends = tokenizer, size, sorted(ends)
        self._lock = threading.Lock()
        self._made: Any = None
        self._library: Any = None

    def guided(self, guide: Guide, thoughts: Thoughts | None = None) -> Guided:
        """After its thoughts, which are free. Raises ModelError."""
        made = self._vocabulary(guide)
        matcher: Any = self._library.LLMatcher
        try:
            grammar = self._grammar(matcher, guide)
        except (ValueError, RecursionError) as error:
            raise ParameterError(guide.param, f"'{guide.param}' is not understood: {error}") from None
        found = matcher(made, grammar)
        if why := found.get_error():
            raise ParameterError(guide.param, f"'{guide.param}' cannot be kept to: {str(why)[:1000]}")
        return Guided(found, self._size, thoughts)

    def _grammar(self, matcher: Any, guide: Guide) -> Any:
        if guide.kind == JSON:
            schema = schemas.closed(json.loads(guide.text))
            return matcher.grammar_from_json_schema(json.dumps(schema), defaults=_WHITESPACE)
        if guide.kind == REGEX:
            return matcher.grammar_from_regex(guide.text)
        return matcher.grammar_from_lark(guide.text)

    def _vocabulary(self, guide: Guide) -> Any:
        with self._lock:
            if self._made is None:
                try:
                    self._library = importlib.import_module("llguidance")
                    hub: Any = importlib.import_module("llguidance.hf")
                    self._made = hub.from_tokenizer(self._tokenizer, self._size, self._ends or None)
                except ImportError:
                    raise ParameterError(
                        guide.param,
                        f"'{guide.param}' needs the package llguidance: add it to the image's requirements "
                        "(images.toml)",
                    ) from None
                except (TypeError, ValueError, AttributeError) as error:
                    raise ParameterError(
                        guide.param, f"'{guide.param}' is not supported with this model's tokenizer: {error}"
                    ) from None
            return self._made


class Guided:
    """One text's. Used by one thread at a time."""

    def __init__(self, matcher: Any, size: int, thoughts: Thoughts | None = None) -> None:
        self._matcher, self._size, self._thoughts = matcher, size, thoughts
        self._free: list[int] = []

    @property
    def is_over(self) -> bool:
        """Nothing may follow."""
        return self._thoughts is None and bool(self._matcher.is_stopped())

    @property
    def thinks(self) -> bool:
        """Whether it may still be free."""
        return self._thoughts is not None

    def is_free(self, text: str) -> bool:
        """Whether that may come next as it is. From the first on that may not, all have the form. Raises ValueError."""
        if self._thoughts is None:
            return False
        if self._thoughts.may_go_on(text):
            return True
        # It began as thoughts do, and was none.
        self._thoughts, begun = None, self._free
        for token in begun:
            self.take(token)
        return False

    def hear(self, text: str) -> None:
        if self._thoughts is not None and self._thoughts.hear(text):
            self._thoughts = None

    def allowed(self, torch: Any, logits: Any) -> Any:
        """The likelihoods, of what may come alone."""
        bits = np.unpackbits(
            np.frombuffer(self._matcher.compute_bitmask(), dtype=np.uint8), bitorder="little"
        )
        mask = torch.from_numpy(bits[: len(logits)].astype(bool))
        if len(mask) < len(logits):
            mask = torch.nn.functional.pad(mask, (0, len(logits) - len(mask)))
        return logits.masked_fill(~mask, -float("inf"))

    def take(self, token: int) -> None:
        """Raises ValueError where it may not come."""
        if self._thoughts is not None:
            self._free.append(token)
        elif not self._matcher.consume_token(token):
            raise ValueError(f"a text that has a form cannot go on: {self._matcher.get_error()}")
