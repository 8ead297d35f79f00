"""Our Parzen estimators beside Optuna's, which are the oracle: the same kernels give the same densities."""

from __future__ import annotations

import numpy as np
import pytest
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers._tpe.parzen_estimator import _ParzenEstimator, _ParzenEstimatorParameters
from optuna.samplers._tpe.sampler import default_weights

from sampan.components.tuning.engine.algorithms.parzen import Axis, Mixture, ages, coordinate, latent
from sampan.components.tuning.engine.algorithms.space import Span

_CASES: dict[str, tuple[Span, BaseDistribution]] = {
    "real": (Span(-2, 7), FloatDistribution(-2, 7)),
    "log": (Span(1e-4, 1, log=True), FloatDistribution(1e-4, 1, log=True)),
    "whole": (Span(1, 9, whole=True), IntDistribution(1, 9)),
    "steps": (Span(0, 96, whole=True, step=8), IntDistribution(0, 96, step=8)),
    "log whole": (Span(1, 500, whole=True, log=True), IntDistribution(1, 500, log=True)),
    "choices": (Span(choices=("a", "b", "c")), CategoricalDistribution(("a", "b", "c"))),
}


def _values(span: Span, source: np.random.Generator, count: int) -> list[float | int | str]:
    if span.choices:
        return [str(each) for each in source.choice(span.choices, count)]
    if span.whole:
        return [
            int(span.low) + span.step * int(each)
            for each in source.permutation(int(span.high - span.low) // span.step + 1)[:count]
        ]
    return [float(each) for each in source.uniform(span.low, span.high, count)]


@pytest.mark.parametrize("prior", [1.0, 0.3])
@pytest.mark.parametrize("count", [0, 1, 2, 3, 40])
@pytest.mark.parametrize("names", [[name] for name in _CASES] + [list(_CASES)], ids=" ".join)
def test_densities_are_optunas(names: list[str], count: int, prior: float) -> None:
    if any(_CASES[name][0].whole for name in names):
        # All different, for equal values come out of Optuna's sort in no order.
        count = min(count, 9)
    source = np.random.default_rng(count)
    spans = [_CASES[name][0] for name in names]
    spread = {name: _CASES[name][1] for name in names}
    observed = {name: _values(span, source, count) for name, span in zip(names, spans, strict=True)}
    asked = {name: _values(span, source, 9) for name, span in zip(names, spans, strict=True)}

    def internal(values: dict[str, list[float | int | str]]) -> dict[str, np.ndarray]:
        return {
            name: np.array([spread[name].to_internal_repr(each) for each in values[name]]) for name in names
        }

    def coordinates(values: dict[str, list[float | int | str]]) -> np.ndarray:
        columns = [
            [coordinate(span, each) for each in values[name]] for name, span in zip(names, spans, strict=True)
        ]
        return np.array(columns, dtype=float).T.reshape(-1, len(names))

    parameters = _ParzenEstimatorParameters(prior, True, False, default_weights, True)
    oracle = _ParzenEstimator(internal(observed), spread, parameters)
    mine = Mixture([Axis.of(span) for span in spans], coordinates(observed), ages(count), prior)
    difference = mine.log_density(coordinates(asked)) - oracle.log_pdf(internal(asked))
    # Densities are per logarithm with us, and so they are with Optuna.
    assert difference == pytest.approx(np.zeros(9), abs=1e-6)


@pytest.mark.parametrize("name", list(_CASES))
def test_samples_are_of_the_space_and_follow_the_density(name: str) -> None:
    span = _CASES[name][0]
    source = np.random.default_rng(1)
    observed = np.array([[coordinate(span, each)] for each in _values(span, source, 6)])
    mixture = Mixture([Axis.of(span)], observed, ages(6), 1.0)
    samples = mixture.sample(source, 4000)
    for at in samples[:200, 0]:
        value = latent(span, float(at))
        if span.choices:
            assert value in span.choices
        else:
            assert span.low <= float(value) <= span.high
            if span.whole:
                assert (int(value) - int(span.low)) % span.step == 0
    # A region is hit as often as its mass says, which an even grid over the axis integrates.
    axis = Axis.of(span)
    middle = (axis.low + axis.high) / 2
    if not axis.step and not axis.choices:
        grid = np.linspace(axis.low, axis.high, 4001)[:, None]
        density = np.exp(mixture.log_density(grid))
        mass = density[grid[:, 0] < middle].sum() / density.sum()
    else:
        grid = np.unique(samples, axis=0)
        density = np.exp(mixture.log_density(grid))
        assert density.sum() == pytest.approx(1, abs=0.02)
        mass = density[grid[:, 0] < middle].sum()
    assert (samples[:, 0] < middle).mean() == pytest.approx(mass, abs=0.03)
