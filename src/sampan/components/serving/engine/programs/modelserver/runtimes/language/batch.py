"""A model, and what it remembers of the texts that it writes together. Used by `steps`, in one thread.

Keys and values of all texts lie in one cache, padded on the left. A prompt is read in parts into a cache of its own
(chunked prefill: Agrawal et al., "Sarathi-Serve", OSDI 2024, section 4.1), begun with what is remembered of an earlier
prompt that begins alike (`prefixes`), and joins the others when it is read. Not every model answers the same so:
`tried` finds out with the model itself.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

_PLAIN_LAYER = "DynamicLayer"
_ROOM = 256
"""For how many more tokens there is room before a cache is copied."""
Layers = list[tuple[Any, Any]]
"""Keys and values of each."""


@dataclass(slots=True)
class Reading:
    """A prompt that is being read."""

    prompt: Sequence[int]
    done: int = 0
    past: Any = None

    @property
    def left(self) -> int:
        return len(self.prompt) - self.done


@dataclass(frozen=True, slots=True)
class Abilities:
    """Of a model."""

    joins: bool = False
    """Texts of different lengths get the same likelihoods together as each alone."""
    reads_in_parts: bool = False
    """Prompts get the same in parts as in one go."""


class Batch:
    def __init__(self, model: Any) -> None:
        self._torch = importlib.import_module("torch")
        self._transformers = importlib.import_module("transformers")
        self._model = model
        takes = inspect.signature(model.forward).parameters
        self._takes_positions = "position_ids" in takes
        self._last_only = {"logits_to_keep": 1} if "logits_to_keep" in takes else {}
        # Newer versions of Transformers call it `cache`.
        self._past_name = "cache" if "cache" in takes else "past_key_values"
        self._layer = _growing(self._torch, importlib.import_module("transformers.cache_utils"))
        self.lengths: list[int] = []
        self._past: Any = None

    def begin(self, prompt: Sequence[int], known: Layers | None = None) -> Reading:
        """`known` is what is remembered of its beginning."""
        if not known:
            return Reading(prompt)
        return Reading(prompt, int(known[0][0].shape[-2]), self._cache(known))

    def read(self, reading: Reading, most: int = 0) -> Any:
        """The next part, of so many tokens at most: the likelihoods of what comes after the prompt, None while it is
        not read. Raises TypeError where the model remembers otherwise."""
        end = len(reading.prompt) if not most else min(len(reading.prompt), reading.done + most)
        part = list(reading.prompt[reading.done : end])
        ids = self._torch.tensor([part], device=self._model.device)
        given = {} if reading.past is None else {self._past_name: reading.past}
        found = self._model(input_ids=ids, use_cache=True, **self._last_only, **given)
        reading.past, reading.done = found[self._past_name], end
        return None if reading.left else found.logits[0, -1]

    def join(self, reading: Reading) -> None:
        own = layers_of(reading.past)
        if self._past is None:
            self._past = self._cache(own)
        else:
            size = max(self._size, reading.done)
            pairs = [
                (_padded(self._torch, one, size), _padded(self._torch, other, size))
                for one, other in zip(layers_of(self._past), own, strict=True)
            ]
            self._past = self._cache([_stacked(self._torch, *pair) for pair in pairs])
        self.lengths.append(reading.done)

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
        self._past = self._cache(
            [
                (keys[:, :, -size:].index_select(0, index), values[:, :, -size:].index_select(0, index))
                for keys, values in layers_of(self._past)
            ]
        )

    @property
    def _size(self) -> int:
        return int(layers_of(self._past)[0][0].shape[-2])

    def _cache(self, layers: Layers) -> Any:
        made = self._transformers.DynamicCache()
        made.layers = [self._layer(*each) for each in layers]
        return made


def tried(model: Any) -> Abilities:
    torch = importlib.import_module("torch")
    size = int(model.get_input_embeddings().num_embeddings)
    prompts = [[(7 * each + 3) % size for each in range(count)] for count in (3, 8)]
    tolerance = 1e-3 if model.dtype == torch.float32 else 6e-2

    def are_same(found: Sequence[Any], wanted: Sequence[Any]) -> bool:
        scale = max(float(each.abs().max()) for each in wanted) or 1.0
        apart = max(float((a - b).abs().max()) for a, b in zip(found, wanted, strict=True))
        return apart <= tolerance * scale

    try:
        with torch.inference_mode():
            alone = [_written(model, [each])[0] for each in prompts]
            if not are_same(_written(model, prompts), alone):
                return Abilities()
            in_parts = are_same(_written(model, prompts, 2), alone)
    except Exception as problem:
        print(f"texts are written one by one: {type(problem).__name__}: {problem}", flush=True)
        return Abilities()
    return Abilities(joins=True, reads_in_parts=in_parts)


def _written(model: Any, prompts: Sequence[Sequence[int]], part: int = 0) -> Any:
    batch = Batch(model)
    for each in prompts:
        reading = batch.begin(each)
        while batch.read(reading, part) is None:
            continue
        batch.join(reading)
    batch.step([each[0] for each in prompts])
    return batch.step([each[1] for each in prompts]).float().cpu()


def layers_of(cache: Any) -> Layers:
    """Raises TypeError where they are none that can be joined."""
    found = getattr(cache, "layers", None)
    if not found or any(type(each).__name__ not in (_PLAIN_LAYER, "Growing") for each in found):
        raise TypeError(f"the model remembers by {type(cache).__name__}, whose layers are not all plain")
    return [(each.keys, each.values) for each in found]


def _growing(torch: Any, caches: Any) -> Any:
    base: Any = getattr(caches, _PLAIN_LAYER)

    class Growing(base):  # type: ignore[misc]
        """Has room for what comes next: a token costs no copy of all before it."""

        def __init__(self, keys: Any, values: Any) -> None:
            super().__init__()
            self.device, self.dtype = keys.device, keys.dtype
            self.keys, self.values = keys, values
            self.is_initialized = True
            self._rooms: tuple[Any, Any] | None = None

        def update(self, key_states: Any, value_states: Any, *more: Any, **named: Any) -> tuple[Any, Any]:
            begin = int(self.keys.shape[-2])
            end = begin + int(key_states.shape[-2])
            if self._rooms is None or self._rooms[0].shape[-2] < end:
                self._rooms = (_roomy(torch, self.keys, end), _roomy(torch, self.values, end))
            for room, new in zip(self._rooms, (key_states, value_states), strict=True):
                room[:, :, begin:end] = new
            self.keys, self.values = (room[:, :, :end] for room in self._rooms)
            return self.keys, self.values

    return Growing


def _roomy(torch: Any, tensor: Any, end: int) -> Any:
    rows, heads, size, width = tensor.shape
    made = torch.empty((rows, heads, end + _ROOM, width), dtype=tensor.dtype, device=tensor.device)
    made[:, :, :size] = tensor
    return made


def _padded(torch: Any, layer: tuple[Any, Any], size: int) -> tuple[Any, Any]:
    missing = size - layer[0].shape[-2]
    if not missing:
        return layer
    pad = torch.nn.functional.pad
    return pad(layer[0], (0, 0, missing, 0)), pad(layer[1], (0, 0, missing, 0))


def _stacked(torch: Any, one: tuple[Any, Any], other: tuple[Any, Any]) -> tuple[Any, Any]:
    return torch.cat((one[0], other[0])), torch.cat((one[1], other[1]))
