"""Routers that learn: what upstream's seldon-core 1.18.2 components/routers are documented to do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sampan.components.serving.engine.programs.seldon_microservice.bandits import (
    EpsilonGreedy,
    ThompsonSampling,
)
from sampan.components.serving.engine.programs.seldon_microservice.examples import MeanTransformer
from sampan.components.serving.engine.programs.seldon_microservice.methods import Methods
from sampan.components.serving.engine.programs.seldon_microservice.metrics import Metrics

ROWS = [[1.0], [2.0], [3.0], [4.0]]


def told(router: Any, branch: int, reward: float) -> None:
    """As the executor tells a router of its own."""
    feedback = {
        "request": {"data": {"ndarray": ROWS}},
        "response": {"meta": {"routing": {"unit": branch}}},
        "reward": reward,
    }
    Methods(router, Metrics({}), "unit").send_feedback(feedback)


def test_the_best_branch_is_taken_but_for_a_share_of_requests() -> None:
    router = EpsilonGreedy(n_branches="3", epsilon=0, best_branch=1)
    assert {router.route(None, None) for _ in range(50)} == {1}
    told(router, 1, 0.25)
    told(router, 2, 0.5)
    assert (list(router.successes), list(router.failures)) == ([0, 1, 2], [0, 3, 2])
    assert {router.route(None, None) for _ in range(50)} == {2}
    curious = EpsilonGreedy(n_branches=3, epsilon=1, best_branch=2, seed=1)
    assert {curious.route(None, None) for _ in range(200)} == {0, 1}
    assert EpsilonGreedy(n_branches=1, epsilon=1).route(None, None) == 0


def test_what_is_believed_of_branches_follows_what_they_were_rewarded() -> None:
    router = ThompsonSampling(n_branches=2, seed=3)
    assert {router.route(None, None) for _ in range(100)} == {0, 1}
    for _ in range(500):
        told(router, 0, 1)
        told(router, 1, 0)
    assert {router.route(None, None) for _ in range(100)} == {0}
    told(router, 7, 1)
    assert list(router.successes) == [2000, 0], "a branch that there is not teaches nothing"


@pytest.mark.parametrize("count", [None, "many", 0, -1])
def test_the_number_of_branches_has_to_be_said(count: Any) -> None:
    for kind in (EpsilonGreedy, ThompsonSampling):
        with pytest.raises(ValueError, match="n_branches parameter must be given"):
            kind(n_branches=count)


def test_values_are_moved_between_zero_and_one() -> None:
    assert MeanTransformer().transform_input([[1, 3], [5, 2]], None).tolist() == [[0, 0.5], [1, 0.25]]
    assert MeanTransformer().transform_input(np.ones((2, 2)), None).tolist() == [[0, 0], [0, 0]]
