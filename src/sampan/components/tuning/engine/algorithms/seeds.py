"""Where randomness comes from: each suggestion has a seed of its own, so that asking again gives the same.

It follows from the setting random_state where there is one, else from the experiment's uid, and from the number of
the suggestion: a worker that was started anew goes on where the last one stopped, and two experiments differ.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from sampan.components.tuning.api.suggesting import Problem


def seed(problem: Problem, number: int, purpose: str = "") -> int:
    """32 bits, for suggestion `number`, from 0."""
    origin = problem.settings.get("random_state") or problem.settings.get("seed") or problem.uid
    digest = hashlib.blake2b(f"{origin}/{number}/{purpose}".encode(), digest_size=4)
    return int.from_bytes(digest.digest(), "big")


def numbers(count: int, asked: int) -> Iterator[int]:
    """Of the suggestions that are asked for, counted over the whole experiment from 0."""
    return iter(range(max(asked - count, 0), max(asked - count, 0) + count))
