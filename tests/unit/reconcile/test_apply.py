"""The pure parts of applying: is there anything to write, and what."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sampan.kube import patches
from sampan.reconcile.apply import is_part, merge_difference

# Merge patches cannot write a null inside a mapping, so statuses have none.
leaves = st.booleans() | st.integers() | st.text(max_size=3)
values: st.SearchStrategy[Any] = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)
mappings = st.dictionaries(st.sampled_from("abc"), values, max_size=3)


@given(mappings, mappings)
def test_the_difference_turns_one_into_the_other(old, new):
    assert patches.merge(old, merge_difference(old, new)) == new


@given(mappings)
def test_equal_statuses_differ_by_nothing(status):
    assert merge_difference(status, status) == {}


@pytest.mark.parametrize(
    ("wanted", "observed", "expected"),
    [
        ({}, {"a": 1}, True),
        ({"a": 1}, {"a": 1, "b": 2}, True),
        ({"a": 1}, {"b": 2}, False),
        ({"a": None}, {"b": 2}, True),
        ({"a": None}, {"a": 2}, False),
        ({"a": {"b": 1}}, {"a": {"b": 1, "c": 2}}, True),
        ({"a": [{"b": 1}]}, {"a": [{"b": 1, "c": 2}]}, True),
        ({"a": [1]}, {"a": [1, 2]}, False),
        ({"a": "text"}, {"a": "text"}, True),
        ({"a": {}}, {"a": "text"}, False),
        ({"a": [1]}, {"a": "1"}, False),
    ],
)
def test_what_counts_as_already_so(wanted, observed, expected):
    assert is_part(wanted, observed) is expected


@given(mappings, mappings)
def test_after_a_merge_everything_wanted_is_there(wanted, observed):
    assert is_part(wanted, patches.merge(observed, wanted))
