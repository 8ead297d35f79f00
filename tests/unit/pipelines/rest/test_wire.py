"""Proto JSON: what is read, what is refused, what is written."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import pytest

from sampan.components.pipelines.api.errors import InvalidArgumentError
from sampan.components.pipelines.api.wire import (
    Message,
    any_value,
    boolean,
    decode,
    double,
    encode,
    enumeration,
    int32,
    int64,
    map_of,
    output_only,
    present,
    repeated,
    string,
    struct,
    time_of,
    timestamp,
)


class Colour(IntEnum):
    NONE = 0
    RED = 1


INNER = Message("Inner", {"deep_name": string})
MESSAGE = Message(
    "Outer",
    {
        "a_text": string,
        "flag": boolean,
        "small": int32,
        "large": int64,
        "number": double,
        "moment": timestamp,
        "colour": enumeration(Colour),
        "inner_list": repeated(INNER),
        "texts": map_of(string),
        "free": any_value,
        "tree": struct,
        "made_by_server": output_only,
    },
    one_of=(("small", "large"),),
)


def read(value: Any) -> dict[str, Any]:
    return MESSAGE(value, "outer")


def test_names_come_in_both_cases_and_are_kept_in_one() -> None:
    assert read({"aText": "x", "innerList": [{"deepName": "y"}]}) == {
        "a_text": "x",
        "inner_list": [{"deep_name": "y"}],
    }


@pytest.mark.parametrize(
    ("field", "given", "expected"),
    [
        ("large", "9223372036854775807", 2**63 - 1),
        ("large", 5.0, 5),
        ("small", -5, -5),
        ("number", 1, 1.0),
        ("number", "Infinity", float("inf")),
        ("colour", "RED", "RED"),
        ("colour", 1, "RED"),
        ("free", None, None),
        ("free", [1, {"a": None}], [1, {"a": None}]),
        ("texts", {"k": "v"}, {"k": "v"}),
    ],
)
def test_values_are_read(field: str, given: Any, expected: Any) -> None:
    assert read({field: given}) == {field: expected}


def test_null_means_not_set_and_what_the_server_makes_is_dropped() -> None:
    assert read({"a_text": None, "made_by_server": {"x": 1}}) == {}


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"nope": 1}, "'nope' in Outer"),
        ({"inner_list": [{}, {"nope": 1}]}, "outer.inner_list[1]"),
        ({"a_text": 1}, "outer.a_text must be text, not 1"),
        ({"flag": "true"}, "outer.flag"),
        ({"small": 2**31}, "32-bit"),
        ({"large": "1e3"}, "64-bit"),
        ({"large": True}, "64-bit"),
        ({"large": "1" * 30}, "64-bit"),
        ({"number": True}, "a number"),
        ({"moment": "yesterday"}, "timestamp"),
        ({"moment": "2026-01-01T00:00:00"}, "timestamp"),
        ({"colour": "BLUE"}, "NONE, RED"),
        ({"colour": 7}, "NONE, RED"),
        ({"texts": []}, "an object, not a list"),
        ({"texts": {"k": 1}}, "outer.texts.k"),
        ({"inner_list": {}}, "a list"),
        ({"tree": 1}, "outer.tree"),
        ({"small": 1, "large": 1}, "only one of small and large"),
        ({"a_text": "x", "aText": "y"}, "twice"),
        ([], "an Outer object"),
    ],
)
def test_what_is_wrong_is_named(given: Any, named: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        read(given)
    assert named.replace("an Outer", "a Outer") in caught.value.message


def test_depth_is_bounded() -> None:
    deep: Any = 1
    for _ in range(300):
        deep = {"a": deep}
    with pytest.raises(InvalidArgumentError, match="levels deep"):
        read({"tree": deep})
    with pytest.raises(InvalidArgumentError, match="deep"):
        decode(b"[" * 100_000, "it")


def test_broken_json_says_where() -> None:
    with pytest.raises(InvalidArgumentError, match="byte"):
        decode(b'{"a": }', "the body")


def test_defaults_are_left_out_and_order_is_kept() -> None:
    message = present(b=1, a="x", gone="", none=None, zero=0, no=False, empty=[], nothing={}, kept=[0])
    assert encode(message) == b'{"b":1,"a":"x","kept":[0]}'


def test_times_are_written_as_upstream_does() -> None:
    assert time_of(0) == "1970-01-01T00:00:00Z"
    assert time_of(1_700_000_000_000_000) == "2023-11-14T22:13:20Z"
    assert time_of(1_700_000_000_123_456) == "2023-11-14T22:13:20.123456Z"
