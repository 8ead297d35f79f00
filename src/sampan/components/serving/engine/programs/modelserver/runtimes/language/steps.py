"""Texts written together, a token of each at a time: one thread, one pass for all that are being written.

Batching by iteration (Yu et al., "Orca", OSDI 2022, section 3.1): a text comes in when its prompt has been read, and
leaves when it is done; nobody waits for the longest. Keys and values of all lie in one cache, padded on the left. Not
every model answers the same padded: `joined` tries it with the model itself, and where answers differ `whole` is used.
"""

from __future__ import annotations

import importlib
import inspect
import threading
from collections import deque
from collections.abc import Sequence
from typing import Any

from sampan.components.serving.engine.programs.modelserver.runtimes.language.rows import Row

_PLAIN_LAYER = "DynamicLayer"


class Batch:
    """The model, and what it remembers of each text."""

    def __init__(self, model: Any) -> None:
        self._torch = importlib.import_module("torch")
        self._transformers = importlib.import_module("transformers")
        self._model = model
        takes = inspect.signature(model.forward).parameters
        self._takes_positions = "position_ids" in takes
        self._last_only = {"logits_to_keep": 1} if "logits_to_keep" in takes else {}
        # Newer versions of Transformers call it `cache`.
        self._past_name = "cache" if "cache" in takes else "past_key_values"
        self.lengths: list[int] = []
        self._past: Any = None

    def add(self, prompt: Sequence[int]) -> Any:
        """Reads it; the likelihoods of what comes after. Raises TypeError where the model remembers otherwise."""
        torch = self._torch
        ids = torch.tensor([list(prompt)], device=self._model.device)
        found = self._model(input_ids=ids, use_cache=True, **self._last_only)
        past = found[self._past_name]
        own = _layers(past)
        if self._past is None:
            self._past = past
        else:
            before = _layers(self._past)
            size = max(self._size, len(prompt))
            pairs = [
                (_padded(torch, one, size), _padded(torch, other, size))
                for one, other in zip(before, own, strict=True)
            ]
            self._remember([_stacked(torch, *pair) for pair in pairs])
        self.lengths.append(len(prompt))
        return found.logits[0, -1]

    def step(self, tokens: Sequence[int]) -> Any:
        """The likelihoods of what comes after one more token of each."""
        torch, device = self._torch, self._model.device
        size = self._size
        mask = torch.ones((len(tokens), size + 1), dtype=torch.long, device=device)
        for place, length in enumerate(self.lengths):
            mask[place, : size - length] = 0
        given: dict[str, Any] = {}
        if self._takes_positions:
            given["position_ids"] = torch.tensor([[each] for each in self.lengths], device=device)
        found = self._model(
            input_ids=torch.tensor([[each] for each in tokens], device=device),
            attention_mask=mask,
            use_cache=True,
            **{self._past_name: self._past},
            **given,
        )
        self._past = found[self._past_name]
        self.lengths = [each + 1 for each in self.lengths]
        return found.logits[:, -1]

    def keep(self, places: Sequence[int]) -> None:
        """Only these stay; room that none of them needs is given up."""
        self.lengths = [self.lengths[place] for place in places]
        if not places:
            self._past = None
            return
        index = self._torch.tensor(list(places), device=self._model.device)
        size = max(self.lengths)
        self._remember(
            [
                (keys.index_select(0, index)[:, :, -size:], values.index_select(0, index)[:, :, -size:])
                for keys, values in _layers(self._past)
            ]
        )

    @property
    def _size(self) -> int:
        return int(_layers(self._past)[0][0].shape[-2])

    def _remember(self, layers: Sequence[tuple[Any, Any]]) -> None:
        self._past = self._transformers.DynamicCache()
        for place, (keys, values) in enumerate(layers):
            self._past.update(keys, values, place)


def joined(model: Any) -> bool:
    """Whether texts of different lengths get the same likelihoods together as each alone."""
    torch = importlib.import_module("torch")
    size = int(model.get_input_embeddings().num_embeddings)
    prompts = [[(7 * each + 3) % size for each in range(count)] for count in (3, 8)]
    tolerance = 1e-3 if model.dtype == torch.float32 else 6e-2
    try:
        with torch.inference_mode():
            alone = [_tried(model, [each])[0] for each in prompts]
            together = _tried(model, prompts)
    except Exception as problem:
        print(f"texts are written one by one: {type(problem).__name__}: {problem}", flush=True)
        return False
    scale = max(float(each.abs().max()) for each in alone) or 1.0
    apart = max(float((a - b).abs().max()) for a, b in zip(alone, together, strict=True))
    return apart <= tolerance * scale


def _tried(model: Any, prompts: Sequence[Sequence[int]]) -> Any:
    batch = Batch(model)
    for each in prompts:
        batch.add(each)
    batch.step([each[0] for each in prompts])
    return batch.step([each[1] for each in prompts]).float().cpu()


class Steps:
    def __init__(self, model: Any, at_a_time: int) -> None:
        self._torch = importlib.import_module("torch")
        self._batch, self._at_a_time = Batch(model), at_a_time
        self._model = model
        self._waiting: deque[Row] = deque()
        self._rows: list[Row] = []
        self._changed = threading.Condition()
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name="steps", daemon=True)
        self._thread.start()

    def submit(self, row: Row) -> None:
        with self._changed:
            self._waiting.append(row)
            self._changed.notify()

    def close(self) -> None:
        with self._changed:
            self._is_closed = True
            self._changed.notify()

    def _run(self) -> None:
        with self._torch.inference_mode():
            while self._wait():
                try:
                    self._admit()
                    self._step()
                except Exception as problem:
                    self._start_anew(problem)

    def _wait(self) -> bool:
        """Until there is something to write; False at the end."""
        with self._changed:
            while not self._waiting and not self._rows and not self._is_closed:
                self._changed.wait()
            return not self._is_closed

    def _admit(self) -> None:
        """One at a time: those that are being written wait for no more than one prompt."""
        with self._changed:
            while self._waiting and self._waiting[0].is_over:
                self._waiting.popleft()
            if not self._waiting or len(self._rows) >= self._at_a_time:
                return
            row = self._waiting.popleft()
        try:
            logits = self._batch.add(row.prompt)
        except Exception as problem:
            row.fail(problem)
            return
        self._rows.append(row)
        self._advance(row, logits)
        self._drop()

    def _step(self) -> None:
        self._drop()
        if not self._rows:
            return
        logits = self._batch.step([row.tokens[-1] for row in self._rows])
        for row, own in zip(self._rows, logits, strict=True):
            self._advance(row, own)
        self._drop()

    def _advance(self, row: Row, logits: Any) -> None:
        try:
            row.accept(row.choose(logits))
        except Exception as problem:
            row.fail(problem)

    def _drop(self) -> None:
        places = [place for place, row in enumerate(self._rows) if not row.is_over]
        if len(places) < len(self._rows):
            self._rows = [self._rows[place] for place in places]
            self._batch.keep(places)

    def _start_anew(self, problem: Exception) -> None:
        """A pass that failed, such as for want of memory, is the end of the texts in it and of no others."""
        for row in self._rows:
            row.fail(problem)
        self._rows = []
        self._batch = Batch(self._model)


def _layers(cache: Any) -> list[tuple[Any, Any]]:
    found = getattr(cache, "layers", None)
    if not found or any(type(each).__name__ != _PLAIN_LAYER for each in found):
        raise TypeError(f"the model remembers by {type(cache).__name__}, whose layers are not all plain")
    return [(each.keys, each.values) for each in found]


def _padded(torch: Any, layer: tuple[Any, Any], size: int) -> tuple[Any, Any]:
    missing = size - layer[0].shape[-2]
    if not missing:
        return layer
    pad = torch.nn.functional.pad
    return pad(layer[0], (0, 0, missing, 0)), pad(layer[1], (0, 0, missing, 0))


def _stacked(torch: Any, one: tuple[Any, Any], other: tuple[Any, Any]) -> tuple[Any, Any]:
    return torch.cat((one[0], other[0])), torch.cat((one[1], other[1]))
