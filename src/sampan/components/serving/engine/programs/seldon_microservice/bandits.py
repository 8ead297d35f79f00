"""Routers that learn from feedback which branch to prefer: the images `mab_epsilon_greedy`, `mab_thompson_sampling`.

Written for the purpose, to answer as those do. A request's reward is the share of its rows that were a success.
Algorithms: R. Sutton, A. Barto, Reinforcement Learning, 2nd ed., sections 2.2 and 2.4 (epsilon-greedy, equation 2.1);
O. Chapelle, L. Li, An Empirical Evaluation of Thompson Sampling, NeurIPS 2011, algorithm 2 (Beta-Bernoulli).
Source of parameters: seldon-core 1.18.2 components/routers/{epsilon-greedy,thompson-sampling}.
"""

from __future__ import annotations

from typing import Any

import numpy as np


class _Bandit:
    def __init__(self, n_branches: Any, seed: Any, branch_names: Any) -> None:
        try:
            count = int(n_branches)
        except (TypeError, ValueError):
            count = 0
        if count < 1:
            raise ValueError("n_branches parameter must be given: the number of the router's children")
        self.branches = count
        self.names = str(branch_names).split(":") if branch_names else []
        self.successes, self.failures = np.zeros(count, dtype=int), np.zeros(count, dtype=int)
        self._chance = np.random.default_rng(int(seed) if seed else None)

    def send_feedback(
        self, features: Any, _names: Any, reward: float, _truth: Any, routing: int | None = None
    ) -> None:
        """`routing` is the branch that answered. What names none of them teaches nothing."""
        if routing is None or not 0 <= routing < self.branches:
            return
        rows = len(np.atleast_1d(features)) if features is not None else 0
        won = min(max(int(reward * rows), 0), rows)
        self.successes[routing] += won
        self.failures[routing] += rows - won


class EpsilonGreedy(_Bandit):
    """The best branch so far, but for a share `epsilon` of requests, which go to one of the others."""

    def __init__(
        self,
        n_branches: Any = None,
        epsilon: float = 0.1,
        best_branch: Any = None,
        seed: Any = None,
        branch_names: Any = None,
        **_of_logs: Any,
    ) -> None:
        """`verbose` and `history` are taken, as upstream has them, and change no answer."""
        super().__init__(n_branches, seed, branch_names)
        self._epsilon = float(epsilon)
        self.best = int(best_branch) if best_branch else int(self._chance.integers(self.branches))

    def route(self, _features: Any, _names: Any) -> int:
        others = [branch for branch in range(self.branches) if branch != self.best]
        if others and self._chance.random() <= self._epsilon:
            return int(self._chance.choice(others))
        return self.best

    def send_feedback(
        self, features: Any, _names: Any, reward: float, _truth: Any, routing: int | None = None
    ) -> None:
        super().send_feedback(features, _names, reward, _truth, routing)
        values = self.successes / np.maximum(self.successes + self.failures, 1)
        self.best = int(self._chance.choice(np.flatnonzero(values == values.max())))


class ThompsonSampling(_Bandit):
    """The branch whose chance of success, drawn from what is believed of it, is the highest."""

    def __init__(
        self,
        n_branches: Any = None,
        seed: Any = None,
        branch_names: Any = None,
        **_of_logs: Any,
    ) -> None:
        super().__init__(n_branches, seed, branch_names)

    def route(self, _features: Any, _names: Any) -> int:
        return int(np.argmax(self._chance.beta(1 + self.successes, 1 + self.failures)))
