"""Gradients of what is computed with NumPy, backwards along what was done: as much of it as ENAS' controller needs.

Arrays are of two dimensions, (rows, columns), and broadcast along either. Imported by the tuning worker alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Array = Any
"""A NumPy array of float64."""


class Value:
    """An array, and how to hand its gradient on to what it was made of."""

    __slots__ = ("_back", "_own", "_parents", "data", "grad")

    def __init__(
        self,
        data: Array,
        parents: tuple[Value, ...] = (),
        back: Callable[[Array], tuple[Array, ...]] | None = None,
    ) -> None:
        self.data = np.asarray(data, dtype=np.float64)
        self.grad: Array = None
        self._own = False
        self._parents = parents
        self._back = back

    def __add__(self, other: Value | float) -> Value:
        more = lifted(other)
        return Value(self.data + more.data, (self, more), lambda grad: (grad, grad))

    def __sub__(self, other: Value | float) -> Value:
        return self + lifted(other) * -1.0

    def __mul__(self, other: Value | float) -> Value:
        more = lifted(other)
        return Value(self.data * more.data, (self, more), lambda grad: (grad * more.data, grad * self.data))

    def __truediv__(self, other: float) -> Value:
        return self * (1.0 / other)

    def __matmul__(self, other: Value) -> Value:
        return Value(
            self.data @ other.data,
            (self, other),
            lambda grad: (grad @ other.data.T, self.data.T @ grad),
        )

    def backward(self) -> None:
        """Fills in `grad` of all that this single number was made of."""
        order: list[Value] = []
        seen: set[int] = set()
        stack: list[tuple[Value, bool]] = [(self, False)]
        while stack:
            value, done = stack.pop()
            if done:
                order.append(value)
            elif id(value) not in seen:
                seen.add(id(value))
                stack.append((value, True))
                stack += [(each, False) for each in value._parents]
        for value in order:
            value.grad, value._own = None, False
        self.grad = np.ones_like(self.data)
        for value in reversed(order):
            if value._back is None:
                continue
            for parent, grad in zip(value._parents, value._back(value.grad), strict=True):
                parent._receive(_unbroadcast(grad, parent.data.shape))

    def _receive(self, grad: Array) -> None:
        if self.grad is None:
            self.grad = grad
        elif self._own:
            self.grad += grad
        else:
            # The first one may be another's as well.
            self.grad, self._own = self.grad + grad, True


def lifted(value: Value | float | Array) -> Value:
    return value if isinstance(value, Value) else Value(np.atleast_2d(value))


def tanh(value: Value) -> Value:
    found = np.tanh(value.data)
    return Value(found, (value,), lambda grad: (grad * (1 - found**2),))


def sigmoid(value: Value) -> Value:
    found = 1 / (1 + np.exp(-value.data))
    return Value(found, (value,), lambda grad: (grad * found * (1 - found),))


def log(value: Value) -> Value:
    return Value(np.log(value.data), (value,), lambda grad: (grad / value.data,))


def total(value: Value) -> Value:
    return Value(
        value.data.sum().reshape(1, 1), (value,), lambda grad: (np.broadcast_to(grad, value.data.shape),)
    )


def log_softmax(value: Value) -> Value:
    """Along the rows."""
    shifted = value.data - value.data.max(axis=1, keepdims=True)
    found = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return Value(found, (value,), lambda grad: (grad - np.exp(found) * grad.sum(axis=1, keepdims=True),))


def stacked(values: Sequence[Value], axis: int) -> Value:
    """One below the other (0) or beside it (1)."""
    places = np.cumsum([each.data.shape[axis] for each in values])[:-1]
    return Value(
        np.concatenate([each.data for each in values], axis=axis),
        tuple(values),
        lambda grad: tuple(np.split(grad, places, axis=axis)),
    )


def part(value: Value, rows: slice | list[int], columns: slice | list[int]) -> Value:
    """Of rows and columns; a list of each picks single elements, as one column."""
    picked = isinstance(rows, list) and isinstance(columns, list)

    def back(grad: Array) -> tuple[Array]:
        made = np.zeros_like(value.data)
        place: Any = (rows, columns)
        if isinstance(rows, list):
            # The same one may have been taken several times.
            np.add.at(made, place, grad[:, 0] if picked else grad)
        else:
            made[place] += grad
        return (made,)

    found = value.data[rows, columns]
    return Value(found.reshape(-1, 1) if picked else found, (value,), back)


def _unbroadcast(grad: Array, shape: tuple[int, ...]) -> Array:
    for axis, size in enumerate(shape):
        if size == 1 and grad.shape[axis] != 1:
            grad = grad.sum(axis=axis, keepdims=True)
    return grad
