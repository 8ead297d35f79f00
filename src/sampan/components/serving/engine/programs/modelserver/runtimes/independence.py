"""Whether a model predicts rows independently of one another, shown by the model itself.

Requests may be joined only where each row's answer is the same whatever stands beside it. Nothing in a TorchScript file
or in a pipeline with a step of the user's own says so. The first requests tell: two of them are predicted by themselves
and once more together, and if the answers agree, twice, rows may be joined; if they ever differ, never. Called by
the runtimes whose models do not declare it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from sampan.components.serving.engine.programs.modelserver.contract import Array, Tensor

_TIMES = 2
_TRIES = 8
# Kernels of other sizes add in another order; a row that really depends on its neighbours differs by far more.
_RELATIVE, _ABSOLUTE = 1e-3, 1e-5
_LARGEST = 4096
"""Values in a request: a larger one is not run twice for the sake of a proof."""

Run = Callable[[Sequence[Tensor]], Sequence[Tensor]]


class Evidence:
    """Of one model, whose `run` it calls."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._agreed = 0
        self._settled = False
        self._tries = 0
        self._before: tuple[list[Tensor], list[Tensor]] | None = None

    @property
    def is_independent(self) -> bool:
        return self._agreed >= _TIMES

    def predict(self, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
        """What `run` answers. While the question is open, it is run again together with the request before."""
        outputs = self._run(inputs)
        if not self._settled:
            self._see(list(inputs), list(outputs))
        return outputs

    def _see(self, inputs: list[Tensor], outputs: list[Tensor]) -> None:
        if not _rows(inputs) or _rows(outputs) != _rows(inputs):
            self._settled = True
            return
        if sum(each.data.size for each in inputs) > _LARGEST:
            return
        before, self._before = self._before, (inputs, outputs)
        if before is None or not _alike(before[0], inputs):
            return
        self._tries += 1
        try:
            agree = self._compare(before, inputs, outputs)
        except Exception:
            # Whatever it is, the request itself was answered: such a model's requests stay by themselves.
            agree = False
        if agree is not None:
            self._agreed = self._agreed + 1 if agree else 0
            self._settled = self.is_independent or not agree
        self._settled = self._settled or self._tries >= _TRIES

    def _compare(
        self, before: tuple[list[Tensor], list[Tensor]], inputs: list[Tensor], outputs: list[Tensor]
    ) -> bool | None:
        """None where the two requests can show nothing: rows that are all the same may hide each other's part."""
        one, its_outputs = before
        if all(_agree(a.data, b.data) for a, b in zip(one, inputs, strict=True)):
            variant = _variant(inputs)
            if variant is None:
                return None
            one, its_outputs = variant, list(self._run(variant))
        together = self._run([_joined(*pair) for pair in zip(one, inputs, strict=True)])
        expected = [_joined(*pair) for pair in zip(its_outputs, outputs, strict=True)]
        return all(_agree(a.data, b.data) for a, b in zip(expected, together, strict=True))


def _rows(tensors: Sequence[Tensor]) -> int:
    """Of the first axis; 0 where they differ or there is none."""
    counts = {each.data.shape[0] if each.data.ndim else 0 for each in tensors}
    return counts.pop() if len(counts) == 1 else 0


def _alike(one: Sequence[Tensor], other: Sequence[Tensor]) -> bool:
    def kind(tensors: Sequence[Tensor]) -> list[object]:
        return [(each.name, each.datatype, each.data.shape[1:]) for each in tensors]

    return kind(one) == kind(other)


def _joined(one: Tensor, other: Tensor) -> Tensor:
    return Tensor(one.name, np.concatenate([one.data, other.data]), one.datatype, one.parameters)


def _variant(inputs: Sequence[Tensor]) -> list[Tensor] | None:
    """Another request of the same values, in another order: indices stay within their range."""
    made = [Tensor(each.name, _other(each.data), each.datatype, each.parameters) for each in inputs]
    same = all(_agree(a.data, b.data) for a, b in zip(made, inputs, strict=True))
    return None if same else made


def _other(data: Array) -> Array:
    rolled = data
    for axis in range(data.ndim - 1, -1, -1):
        rolled = np.roll(data, 1, axis=axis)
        if not np.array_equal(rolled, data):
            return rolled
    return data * 0.5 + 0.25 if data.dtype.kind == "f" else rolled


def _agree(one: Array, other: Array) -> bool:
    if one.shape != other.shape:
        return False
    if one.dtype.kind in "fc":
        return bool(np.allclose(one, other, rtol=_RELATIVE, atol=_ABSOLUTE, equal_nan=True))
    return bool(np.array_equal(one, other))
