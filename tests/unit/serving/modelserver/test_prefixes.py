"""What is remembered of prompts that were read."""

from __future__ import annotations

import numpy as np

from sampan.components.serving.engine.programs.modelserver.runtimes.language.prefixes import LEAST, Prefixes


class Tensor(np.ndarray):
    """Of what a tensor of PyTorch has, that which is asked for."""

    def numel(self) -> int:
        return self.size

    def element_size(self) -> int:
        return self.itemsize


def layers(tokens: list[int]) -> list[tuple[Tensor, Tensor]]:
    """Each token remembers itself."""
    made = np.asarray(tokens, dtype=np.float32).reshape(1, 1, -1, 1).view(Tensor)
    return [(made, made)]


def known(prefixes: Prefixes, prompt: list[int]) -> list[int]:
    found = prefixes.longest(prompt)
    return [] if found is None else [int(each) for each in found[0][0].ravel()]


def test_the_longest_beginning_counts_and_the_last_token_is_always_read() -> None:
    prefixes = Prefixes()
    first = list(range(40))
    branch = [*range(20), *range(100, 130)]
    for each in (first, branch):
        prefixes.put(each, layers(each))
    assert known(prefixes, [*first, 7, 8]) == first
    assert known(prefixes, first) == first[:-1]
    assert known(prefixes, [*branch[:30], 5]) == branch[:30]
    assert known(prefixes, [*range(LEAST - 1), 99, 98]) == []
    assert known(prefixes, [5, *first]) == []
    assert prefixes.reused == 40 + 39 + 30


def test_a_longer_one_takes_the_place_of_its_beginning() -> None:
    prefixes = Prefixes()
    short, long = list(range(20)), list(range(60))
    for each in (short, long, short):
        prefixes.put(each, layers(each))
    assert known(prefixes, [*range(60), 1]) == long
    assert len(prefixes._kept) == 1


def test_the_least_used_goes_where_there_is_no_room() -> None:
    prefixes = Prefixes(most_bytes=2 * 4 * 100)
    one, two, three = ([each * 1000 + place for place in range(40)] for each in range(3))
    prefixes.put(one, layers(one))
    prefixes.put(two, layers(two))
    assert known(prefixes, [*one, 1]) == one
    prefixes.put(three, layers(three))
    assert known(prefixes, [*two, 1]) == []
    assert known(prefixes, [*one, 1]) == one
    prefixes.put(list(range(5000, 6000)), layers(list(range(5000, 6000))))
    assert known(prefixes, [*one, 1]) == one
