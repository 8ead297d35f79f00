"""Texts by Transformers' own `generate`, each in a thread: for models that `steps` cannot join, and for beams.

Whatever a model's generation_config says counts, because `generate` does it; a row chooses among what is left.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from sampan.components.serving.engine.programs.modelserver.runtimes.language.rows import LENGTH, STOP, Row

_AT_A_TIME = 4
_ONE: Mapping[str, Any] = {"num_beams": 1, "do_sample": False, "repetition_penalty": 1.0}
"""The likeliest token each time: a row chooses."""


class Whole:
    def __init__(self, model: Any, pad: int) -> None:
        self._torch = importlib.import_module("torch")
        self._transformers = importlib.import_module("transformers")
        self._model, self._pad = model, pad
        self._threads = ThreadPoolExecutor(_AT_A_TIME, thread_name_prefix="generate")

    def submit(self, row: Row) -> None:
        self._threads.submit(self._write, row)

    def search(self, rows: Sequence[Row]) -> None:
        """The likeliest texts after one prompt: as many beams as texts, as vLLM has it."""
        self._threads.submit(self._find, rows)

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _write(self, row: Row) -> None:
        if row.is_over:
            return
        try:
            with self._torch.inference_mode():
                if self._has_beams(row):
                    self._search(row)
                else:
                    self._generate(row, self._processors(row), self._criteria(row))
            row.end(LENGTH if len(row.tokens) >= row.limit else STOP)
        except Exception as problem:
            row.fail(problem)

    def _find(self, rows: Sequence[Row]) -> None:
        first, count = rows[0], len(rows)
        how = {
            "num_beams": count,
            "num_return_sequences": count,
            "do_sample": False,
            "early_stopping": False,
            "length_penalty": first.wish.length_penalty,
        }
        try:
            with self._torch.inference_mode():
                # A text that nobody waits for any more is the end of all: they are of one request.
                found = self._generate(first, [], self._criteria(first, accepts=False), how).tolist()
            begin = 1 if self._model.config.is_encoder_decoder else len(first.prompt)
            for row, tokens in zip(rows, found, strict=True):
                self._accept(row, tokens[begin:])
                row.end(LENGTH if len(row.tokens) >= row.limit else STOP)
        except Exception as problem:
            for row in rows:
                row.fail(problem)

    def _accept(self, row: Row, tokens: Sequence[int]) -> None:
        for token in tokens:
            if row.is_over:
                return
            row.accept(token)

    def _has_beams(self, row: Row) -> bool:
        """What streams or stops cannot be searched for: nothing is certain until the end."""
        own = self._model.generation_config
        wish = row.wish
        return (
            (own.num_beams or 1) > 1
            and wish.top_logprobs is None
            and wish.temperature is None
            and not wish.stop
            and row.guided is None
        )

    def _search(self, row: Row) -> None:
        found = self._generate(row, [], self._criteria(row, accepts=False), {})[0].tolist()
        begin = 1 if self._model.config.is_encoder_decoder else len(row.prompt)
        self._accept(row, found[begin:])

    def _generate(
        self, row: Row, processors: list[Any], criteria: list[Any], how: Mapping[str, Any] = _ONE
    ) -> Any:
        ids = self._torch.tensor([list(row.prompt)], device=self._model.device)
        given = dict(how)
        if row.wish.ignores_end:
            given["eos_token_id"] = None
        return self._model.generate(
            input_ids=ids,
            attention_mask=self._torch.ones_like(ids),
            max_new_tokens=row.limit,
            pad_token_id=self._pad,
            logits_processor=self._transformers.LogitsProcessorList(processors),
            stopping_criteria=self._transformers.StoppingCriteriaList(criteria),
            **given,
        )

    def _processors(self, row: Row) -> list[Any]:
        torch = self._torch
        base: Any = self._transformers.LogitsProcessor

        class Choosing(base):  # type: ignore[misc]
            """Leaves one token to take."""

            def __call__(self, input_ids: Any, scores: Any) -> Any:
                chosen = torch.full_like(scores, -float("inf"))
                chosen[0, row.choose(scores[0])] = 0.0
                return chosen

        return [Choosing()]

    def _criteria(self, row: Row, *, accepts: bool = True) -> list[Any]:
        torch = self._torch
        base: Any = self._transformers.StoppingCriteria

        class Hearing(base):  # type: ignore[misc]
            """Asked after each token."""

            def __call__(self, input_ids: Any, scores: Any, **more: Any) -> Any:
                if accepts and not row.is_over:
                    row.accept(int(input_ids[0, -1]))
                return torch.full((len(input_ids),), row.is_over, device=input_ids.device)

        return [Hearing()]
