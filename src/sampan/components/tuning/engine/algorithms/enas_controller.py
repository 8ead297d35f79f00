"""ENAS' controller: a recurrent network that writes an architecture, operation by operation, skip by skip.

Pham et al. 2018, Efficient Neural Architecture Search via Parameter Sharing (arXiv 1802.03268), section 2.3 (macro
search space) and 2.2 (its policy gradient with a moving average baseline); Bello et al. 2017 for the temperature and
the tanh constant. As upstream builds it: kubeflow/katib 0.19 pkg/suggestion/v1beta1/nas/enas/Controller.py.

Shapes: B architectures, L layers, H the size of the hidden state, N operations. Pure but for given generators.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from sampan.components.tuning.engine.algorithms.autodiff import (
    Array,
    Value,
    log,
    log_softmax,
    part,
    sigmoid,
    stacked,
    tanh,
    total,
)
from sampan.components.tuning.engine.algorithms.nas_settings import ControllerSettings

Architecture = list[list[int]]
"""Of each layer: its operation, then for the input and each layer before the last one whether it is read too."""
_SPREAD = 0.01
_BETAS = (0.9, 0.999)
_EPSILON = 1e-8
_EVERYTHING = slice(None)


@dataclass(frozen=True, slots=True)
class Rewarded:
    architecture: Architecture
    reward: float
    """The greater the better."""


class Controller:
    def __init__(self, layers: int, operations: int, settings: ControllerSettings, seed: int) -> None:
        self.layers = layers
        self.settings = settings
        self.baseline: float | None = None
        source, size = np.random.default_rng(seed), settings.hidden_size
        shapes = {
            "lstm": (2 * size, 4 * size),
            "begin": (1, size),
            "embedding": (operations, size),
            "softmax": (size, operations),
            "attention_from": (size, size),
            "attention_to": (size, size),
            "attention": (size, 1),
        }
        self.weights = {name: source.uniform(-_SPREAD, _SPREAD, shape) for name, shape in shapes.items()}
        self._moments = {name: (np.zeros(shape), np.zeros(shape)) for name, shape in shapes.items()}
        self._steps = 0

    def sample(self, source: Generator) -> Architecture:
        """An architecture, by the probabilities that the controller gives."""
        walk = _Walk({name: Value(each) for name, each in self.weights.items()}, self.settings, 1)
        made: Architecture = []
        for layer in range(self.layers):
            operation = _draw(walk.operations().data, source)
            walk.take_operation(operation)
            skips = _draw(walk.skips().data, source) if layer else []
            walk.take_skips(skips)
            made.append([*operation, *skips])
        return made

    def train(self, batch: Sequence[Rewarded]) -> None:
        """One step of Adam (Kingma and Ba 2015, algorithm 1) on the policy gradient of what was rewarded."""
        parameters = {name: Value(each) for name, each in self.weights.items()}
        self.loss(parameters, batch).backward()
        self._steps += 1
        first, second = _BETAS
        for name, value in parameters.items():
            if value.grad is None:
                continue  # With one layer there is no attention.
            mean, square = self._moments[name]
            mean[:] = first * mean + (1 - first) * value.grad
            square[:] = second * square + (1 - second) * value.grad**2
            step = mean / (1 - first**self._steps)
            self.weights[name] -= (
                self.settings.learning_rate * step / (np.sqrt(square / (1 - second**self._steps)) + _EPSILON)
            )

    def loss(self, parameters: Mapping[str, Value], batch: Sequence[Rewarded]) -> Value:
        """Equation 1 of Zoph and Le 2017 with a baseline, and upstream's penalty for other than so many skips. Moves
        the baseline."""
        terms, penalty = _probabilities(parameters, self.settings, [each.architecture for each in batch])
        surprise = total_of(terms) * -1.0
        rewards = np.array([[each.reward] for each in batch])
        if self.settings.entropy_weight is not None:
            # Of what was chosen, as upstream has it; of rewards no gradient is taken.
            rewards = rewards - self.settings.entropy_weight * sum(
                each.data * np.exp(each.data) for each in terms
            )
        average = float(rewards.mean())
        old = average if self.baseline is None else self.baseline
        self.baseline = old - (1 - self.settings.baseline_decay) * (old - average)
        loss = total(surprise * Value(rewards - self.baseline)) / len(batch)
        if self.settings.skip_weight is not None and penalty is not None:
            loss = loss + penalty * self.settings.skip_weight
        return loss


def _probabilities(
    parameters: Mapping[str, Value], settings: ControllerSettings, batch: Sequence[Architecture]
) -> tuple[list[Value], Value | None]:
    """The logarithm of the probability of each choice (B, 1); and how far the skips' probabilities are from their
    target (1, 1), as the mean over layers of the Kullback-Leibler divergence."""
    walk = _Walk(parameters, settings, len(batch))
    terms: list[Value] = []
    penalties: list[Value] = []
    target = Value([[1 - settings.skip_target, settings.skip_target]])
    for layer in range(len(batch[0])):
        operations = [each[layer][0] for each in batch]
        terms.append(_picked(walk.operations(), operations))
        walk.take_operation(operations)
        # Row by row: of the first connection all B, then of the second.
        skips = [each[layer][place + 1] for place in range(layer) for each in batch]
        if layer:
            logits = walk.skips()
            chosen = _picked(logits, skips)
            terms += [
                part(chosen, slice(at, at + len(batch)), _EVERYTHING)
                for at in range(0, len(skips), len(batch))
            ]
            probability = sigmoid(logits)
            divergence = probability * (log(probability) - log(target))
            penalties.append(total(divergence) / len(batch))
        walk.take_skips(skips)
    return terms, total_of(penalties) / len(penalties) if penalties else None


class _Walk:
    """Layer after layer: what the controller says of the next choice, given those that were taken."""

    def __init__(self, parameters: Mapping[str, Value], settings: ControllerSettings, count: int) -> None:
        self._of = parameters
        self._settings = settings
        self._count = count
        empty = np.zeros((count, settings.hidden_size))
        self._cell, self._hidden = Value(empty), Value(empty)
        self._begin = Value(np.ones((count, 1))) @ parameters["begin"]
        self._input = self._begin
        self._layers: list[Value] = []
        self._keys: list[Value] = []

    def operations(self) -> Value:
        """Logits, (B, N)."""
        self._advance()
        return self._limited(self._hidden @ self._of["softmax"])

    def take_operation(self, chosen: Sequence[int]) -> None:
        self._input = part(self._of["embedding"], list(chosen), _EVERYTHING)
        self._advance()

    def skips(self) -> Value:
        """Logits of no and yes, (B * layers before, 2)."""
        count = len(self._keys)
        query = self._hidden @ self._of["attention_to"]
        score = tanh(stacked([query] * count, 0) + stacked(self._keys, 0)) @ self._of["attention"]
        return self._limited(stacked([score * -1.0, score], 1))

    def take_skips(self, chosen: Sequence[int]) -> None:
        """The next input is the mean of what is read, as upstream weighs it."""
        if self._layers:
            taken = np.array(chosen, dtype=np.float64).reshape(len(self._layers), self._count, 1)
            share = 1 / (1 + taken.sum(axis=0))
            read = [layer * Value(mask * share) for layer, mask in zip(self._layers, taken, strict=True)]
            self._input = total_of(read)
        else:
            self._input = self._begin
        self._layers.append(self._hidden)
        self._keys.append(self._hidden @ self._of["attention_from"])

    def _advance(self) -> None:
        size = self._settings.hidden_size
        gates = stacked([self._input, self._hidden], 1) @ self._of["lstm"]
        write, forget, show, new = (
            part(gates, _EVERYTHING, slice(at, at + size)) for at in range(0, 4 * size, size)
        )
        self._cell = sigmoid(write) * tanh(new) + sigmoid(forget) * self._cell
        self._hidden = sigmoid(show) * tanh(self._cell)

    def _limited(self, logits: Value) -> Value:
        if self._settings.temperature is not None:
            logits = logits / self._settings.temperature
        if self._settings.tanh_const is not None:
            logits = tanh(logits) * self._settings.tanh_const
        return logits


def total_of(values: Sequence[Value]) -> Value:
    made = values[0]
    for each in values[1:]:
        made = made + each
    return made


def _picked(logits: Value, chosen: Sequence[int]) -> Value:
    """The logarithm of the probability of each row's choice, as a column."""
    return part(log_softmax(logits), list(range(len(chosen))), list(chosen))


def _draw(logits: Array, source: Generator) -> list[int]:
    """Of each row one column, by its probability: the Gumbel-max trick."""
    return [int(each) for each in np.argmax(logits + source.gumbel(size=logits.shape), axis=1)]
