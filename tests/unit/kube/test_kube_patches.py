"""JSON patch, merge patch and strategic merge patch."""

from __future__ import annotations

import copy
from typing import Any

import jsonpatch
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sampan.kube.errors import ApiError, BadRequestError, InvalidError
from sampan.kube.patches import json_patch, merge
from sampan.kube.schema import Schema
from sampan.kube.strategic import strategic_merge

SCHEMA = Schema.parse("""
Pod
    metadata:Meta spec:Spec
Meta
    labels:{string} finalizers:[string]@
Spec
    containers:[Container]@name volumes:[Volume]@name! args:[string] strategy:Strategy
Container
    name!:string image:string env:[Env]@name
Env
    name!:string value:string
Volume
    name!:string emptyDir:any hostPath:any
Strategy
    type:string rolling:any
""")


# The examples of RFC 7386, appendix A.
@pytest.mark.parametrize(
    ("target", "patch", "expected"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        ({"a": "foo"}, None, None),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_merge_patch(target: Any, patch: Any, expected: Any) -> None:
    before = copy.deepcopy(target)
    assert merge(target, patch) == expected
    assert target == before


_values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["x", "y"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)
_paths = st.lists(st.sampled_from(["a", "b", "c", "0", "1", "-"]), max_size=3).map(
    lambda keys: "".join(f"/{key}" for key in keys)
)
_operations = st.one_of(
    st.fixed_dictionaries(
        {"op": st.sampled_from(["add", "replace", "test"]), "path": _paths, "value": _values}
    ),
    st.fixed_dictionaries({"op": st.just("remove"), "path": _paths}),
)


@given(st.dictionaries(st.sampled_from("abc"), _values), st.lists(_operations, max_size=4))
def test_json_patch_agrees_with_another_implementation(target: Any, operations: list[Any]) -> None:
    before = copy.deepcopy(target)
    try:
        ours = json_patch(target, operations)
    except ApiError:
        ours = ApiError
    assert target == before
    try:
        theirs = jsonpatch.apply_patch(target, operations)
    except (
        jsonpatch.JsonPatchException,
        jsonpatch.JsonPointerException,
        TypeError,
        KeyError,
        AttributeError,
    ):
        return  # refuses more than the RFC does
    if ours is not ApiError:
        assert ours == theirs


def test_json_patch_moves_and_copies() -> None:
    target = {"a": {"x/y": [1, 2]}, "b": 1}
    operations = [
        {"op": "move", "from": "/a/x~1y/0", "path": "/c"},
        {"op": "copy", "from": "/a", "path": "/d"},
        {"op": "add", "path": "/a/x~1y/-", "value": 3},
    ]
    assert json_patch(target, operations) == {"a": {"x/y": [2, 3]}, "b": 1, "c": 1, "d": {"x/y": [2]}}


@pytest.mark.parametrize(
    ("operations", "error", "text"),
    [
        ({"op": "add"}, BadRequestError, "an array of operations"),
        ([{"op": "add", "value": 1}], BadRequestError, '"op" and a "path"'),
        ([{"op": "add", "path": "/a"}], BadRequestError, 'needs a "value"'),
        ([{"op": "jump", "path": "/a"}], BadRequestError, "unexpected operation: jump"),
        ([{"op": "move", "path": "/a"}], BadRequestError, 'needs a "from"'),
        ([{"op": "remove", "path": "/zz"}], InvalidError, "doc is missing key: /zz"),
        ([{"op": "test", "path": "/a", "value": True}], InvalidError, "testing value /a failed"),
        ([{"op": "add", "path": "/q/w", "value": 1}], InvalidError, 'doc is missing path: "/q/w"'),
        ([{"op": "add", "path": "a", "value": 1}], BadRequestError, 'does not start with "/"'),
        ([{"op": "test", "path": "/a", "value": 1}] * 10_001, InvalidError, "maximum operations"),
    ],
)
def test_json_patch_refusals(operations: Any, error: type[ApiError], text: str) -> None:
    with pytest.raises(error, match=text.replace("(", r"\(")):
        json_patch({"a": 1}, operations)


def patched(target: Any, patch: Any) -> Any:
    before = copy.deepcopy(target)
    result = strategic_merge(SCHEMA, "Pod", target, patch)
    assert target == before
    return result


POD = {
    "metadata": {"labels": {"a": "1"}, "finalizers": ["x", "y"]},
    "spec": {
        "args": ["1", "2"],
        "containers": [
            {"name": "main", "image": "one", "env": [{"name": "A", "value": "1"}]},
            {"name": "side", "image": "two"},
        ],
        "volumes": [{"name": "v", "emptyDir": {}}],
    },
}


def test_strategic_merge_by_key() -> None:
    containers = [{"name": "main", "env": [{"name": "B", "value": "2"}]}, {"name": "new", "image": "three"}]
    result = patched(POD, {"spec": {"containers": containers, "args": ["3"]}})
    assert result["spec"]["args"] == ["3"]
    assert [each["name"] for each in result["spec"]["containers"]] == ["main", "new", "side"]
    assert result["spec"]["containers"][0] == {
        "name": "main",
        "image": "one",
        "env": [{"name": "B", "value": "2"}, {"name": "A", "value": "1"}],
    }


@pytest.mark.parametrize(
    ("names", "order", "wanted"),
    [
        (["new"], None, "new main side last"),
        (["side", "new"], None, "main side new last"),
        (["last", "main"], None, "side last main"),
        (["new"], ["main", "new"], "main new side last"),
        (["new"], ["main", "side", "last", "new"], "main side last new"),
        (["new"], ["new", "last"], "new main side last"),
        ([], ["last", "main"], "side last main"),
    ],
)
def test_the_order_of_a_patch_counts(names: list[str], order: list[str] | None, wanted: str) -> None:
    target = {"spec": {"containers": [{"name": name} for name in ("main", "side", "last")]}}
    spec: dict[str, Any] = {"containers": [{"name": name} for name in names]} if names else {}
    if order is not None:
        spec["$setElementOrder/containers"] = [{"name": name} for name in order]
    found = patched(target, {"spec": spec})["spec"]["containers"]
    assert " ".join(each["name"] for each in found) == wanted


def test_strategic_merge_deletes() -> None:
    patch = {
        "metadata": {
            "labels": {"a": None},
            "$deleteFromPrimitiveList/finalizers": ["x"],
            "finalizers": ["z"],
        },
        "spec": {"containers": [{"name": "side", "$patch": "delete"}]},
    }
    result = patched(POD, patch)
    assert result["metadata"] == {"labels": {}, "finalizers": ["z", "y"]}
    assert [each["name"] for each in result["spec"]["containers"]] == ["main"]


def test_strategic_merge_replaces() -> None:
    only = [{"name": "only"}, {"$patch": "replace"}]
    assert patched(POD, {"spec": {"containers": only}})["spec"]["containers"] == [{"name": "only"}]
    replaced = patched(POD, {"spec": {"$patch": "replace", "args": []}})
    assert replaced["spec"] == {"args": []}


def test_strategic_merge_retains_keys() -> None:
    patch = {
        "spec": {"volumes": [{"name": "v", "$retainKeys": ["name", "hostPath"], "hostPath": {"path": "/x"}}]}
    }
    assert patched(POD, patch)["spec"]["volumes"] == [{"name": "v", "hostPath": {"path": "/x"}}]


def test_strategic_merge_orders() -> None:
    order = [{"name": "side"}, {"name": "main"}]
    result = patched(POD, {"spec": {"$setElementOrder/containers": order}})
    assert [each["name"] for each in result["spec"]["containers"]] == ["side", "main"]


@pytest.mark.parametrize(
    "patch",
    [
        {"spec": {"containers": [{"image": "no-name"}]}},
        {"spec": {"containers": ["text"]}},
        {"spec": {"$patch": "sideways"}},
        {"spec": {"$retainKeys": 1}},
    ],
)
def test_strategic_merge_refusals(patch: Any) -> None:
    with pytest.raises(BadRequestError):
        patched(POD, patch)
