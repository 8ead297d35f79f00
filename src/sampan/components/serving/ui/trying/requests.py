"""From what a model says that it takes to fields of a form, and from their values to a request. Pure.

Source: the Open Inference Protocol, metadata of models and tensor datatypes.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sampan.components.serving.api.reading import mappings, text
from sampan.components.serving.ui.trying.protocols import CHAT, EXPLAIN, GRAPH, V1, V2, Way

_ROW = re.compile(r"\[[-+0-9.eE,\s]*\]")
BY_INPUTS = (V1, V2, EXPLAIN, GRAPH)
"""Ways whose requests are made of what the model takes."""
_MOST_INPUTS = 40
_MOST_VALUES = 1024
"""Of a field's example; what is larger begins empty."""


@dataclass(frozen=True, slots=True)
class Input:
    name: str
    datatype: str
    shape: tuple[int, ...]
    """-1 for any number."""

    @property
    def is_column(self) -> bool:
        """Whether a row has one value of it."""
        return len(self.shape) < 2 or math.prod(self.shape[1:]) == 1

    @property
    def hint(self) -> str:
        sizes = " × ".join("any" if each < 0 else str(each) for each in self.shape)
        return f"{self.datatype}, {sizes}" if sizes else self.datatype


@dataclass(frozen=True, slots=True)
class Told:
    """What a model says of itself."""

    inputs: tuple[Input, ...] = ()
    outputs: tuple[Input, ...] = ()

    @property
    def writes(self) -> bool:
        """Whether it may be one that answers with texts."""
        return not self.outputs or any(each.datatype == "BYTES" for each in self.outputs)


NOTHING = Told()


def told(body: str) -> Told:
    """By its metadata; nothing where they say nothing of use."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return NOTHING
    if not isinstance(found, dict):
        return NOTHING
    return Told(_tensors(found.get("inputs")), _tensors(found.get("outputs")))


def fitting(ways: Sequence[Way], of: Told) -> list[Way]:
    """Those by which a model of that kind can be asked: one that answers with numbers does not talk."""
    return [each for each in ways if each.key != CHAT or of.writes]


def _tensors(given: Any) -> tuple[Input, ...]:
    made = [
        Input(
            text(each.get("name")),
            text(each.get("datatype")),
            _sizes(each.get("shape")),
        )
        for each in mappings(given)[:_MOST_INPUTS]
    ]
    return tuple(each for each in made if each.name)


def _sizes(shape: Any) -> tuple[int, ...]:
    return tuple(each for each in shape if isinstance(each, int)) if isinstance(shape, list) else ()


def example(of: Input) -> Any:
    """One of each, nested as its shape is; nothing where that would be too much to type."""
    sizes = [1 if each < 0 else each for each in of.shape]
    if math.prod(sizes) > _MOST_VALUES:
        return []
    value: Any = _value(of.datatype)
    for size in reversed(sizes):
        value = [value] * size
    return value if sizes else [value]


def _value(datatype: str) -> Any:
    if datatype == "BYTES":
        return "text"
    if datatype == "BOOL":
        return False
    return 0 if "INT" in datatype else 0.0


def filled(way: Way, of: Told) -> Any:
    """A request that the model takes: as wide as it says, or the way's own example where it says nothing."""
    if way.key not in BY_INPUTS or not of.inputs:
        return way.example
    return request(way.key, [(each, example(each)) for each in of.inputs])


def request(key: str, given: Sequence[tuple[Input, Any]]) -> Any:
    """V2's, or V1's."""
    if key == V2:
        return {"inputs": [_tensor(of, value) for of, value in given]}
    if len(given) == 1:
        return {"instances": given[0][1]}
    # One row after the other, each with all inputs.
    count = max((len(value) for _, value in given if isinstance(value, list)), default=0)
    return {"instances": [{of.name: _at(value, row) for of, value in given} for row in range(count)]}


def laid_out(value: Any) -> str:
    """JSON for people: rows of numbers stay on one line."""
    return _ROW.sub(
        lambda found: " ".join(found.group(0).split()).replace("[ ", "[").replace(" ]", "]"), _dump(value)
    )


def _dump(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def _at(value: Any, row: int) -> Any:
    found = value[row] if isinstance(value, list) and row < len(value) else value
    return found[0] if isinstance(found, list) and len(found) == 1 else found


def _tensor(of: Input, value: Any) -> Mapping[str, Any]:
    # Of one that is too much to type the shape says how much it is.
    shape = [max(each, 1) for each in of.shape] if value == [] else _shape(value)
    return {"name": of.name, "shape": shape, "datatype": of.datatype, "data": value}


def _shape(value: Any) -> list[int]:
    found = []
    while isinstance(value, list):
        found.append(len(value))
        value = value[0] if value else None
    return found
