"""Whether rows may be joined is shown by the model, not believed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from sampan.components.serving.engine.programs.modelserver.contract import Array, Tensor
from sampan.components.serving.engine.programs.modelserver.runtimes.independence import Evidence


def evidence(function: Callable[[Array], Array]) -> Evidence:
    def run(inputs: Sequence[Tensor]) -> Sequence[Tensor]:
        return [Tensor("y", function(inputs[0].data), "FP64")]

    return Evidence(run)


def asked(of: Evidence, *requests: Array) -> bool:
    for data in requests:
        of.predict([Tensor("x", data, "FP64")])
    return of.is_independent


RANDOM = np.random.default_rng(4)
DIFFERENT = [RANDOM.normal(size=(1, 3)) for _ in range(6)]
THE_SAME = [np.array([[1.0, 2.0, 5.0]])] * 6


@pytest.mark.parametrize("requests", [DIFFERENT, THE_SAME], ids=["different", "the same"])
@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda x: x * 2, True),
        (lambda x: x.sum(axis=1), True),
        (lambda x: x - x.mean(axis=0), False),
        (lambda x: np.cumsum(x, axis=0), False),
        (lambda x: x[:1], False),
        (lambda x: x.sum(axis=0), False),
        (lambda x: x + RANDOM.normal(size=x.shape), False),
    ],
    ids=["each", "sums", "centred", "running", "first", "no rows", "random"],
)
def test_a_model_tells(function: Callable[[Array], Array], requests: list[Array], expected: bool) -> None:
    assert asked(evidence(function), *requests) is expected


def test_answers_are_the_models_own_meanwhile() -> None:
    of = evidence(lambda x: x - x.mean(axis=0))
    for data in DIFFERENT:
        [answer] = of.predict([Tensor("x", data, "FP64")])
        assert answer.data.tolist() == [[0.0, 0.0, 0.0]]


def test_it_is_not_asked_for_ever() -> None:
    calls = []

    def run(inputs: Sequence[Tensor]) -> Sequence[Tensor]:
        calls.append(len(inputs[0].data))
        return [Tensor("y", inputs[0].data, "INT64")]

    of = Evidence(run)
    # Rows of one value that are all alike show nothing.
    for _ in range(50):
        of.predict([Tensor("x", np.array([[7]]), "INT64")])
    assert not of.is_independent
    assert set(calls) == {1}


def test_a_model_that_refuses_two_rows_stays_by_itself() -> None:
    def one_only(data: Array) -> Array:
        if len(data) > 1:
            raise ValueError("one row only")
        return data

    assert asked(evidence(one_only), *DIFFERENT) is False


def test_large_requests_are_not_run_twice() -> None:
    calls = []
    of = evidence(lambda x: (calls.append(len(x)), x)[1])
    assert asked(of, *[RANDOM.normal(size=(100, 100)) for _ in range(4)]) is False
    assert calls == [100] * 4
