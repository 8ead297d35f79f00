"""Fields owned by whoever creates or changes an object: what a real API server wrote for the same requests."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sampan.cluster.apiserver.kinds import built_in_schema
from sampan.kube import fieldsets, managedfields
from sampan.kube.managedfields import Writer
from sampan.kube.schema import Shape

SCHEMA = built_in_schema()
NOW = "2026-01-01T00:00:00Z"


def created(kind: str, obj: dict[str, Any]) -> dict[str, Any]:
    found = copy.deepcopy({"metadata": {"name": "a"}, **obj})
    managedfields.begin(SCHEMA, kind, found, Writer("creator", NOW, "v1"))
    return found


def fields(obj: dict[str, Any], manager: str) -> Any:
    entries = [each for each in obj["metadata"].get("managedFields", []) if each["manager"] == manager]
    return entries[0]["fieldsV1"] if entries else None


# As kube-apiserver 1.20 wrote them.
def test_a_config_map() -> None:
    obj = created("ConfigMap", {"metadata": {"name": "a", "labels": {"x": "y"}}, "data": {"a": "b"}})
    assert fields(obj, "creator") == {
        "f:metadata": {"f:labels": {".": {}, "f:x": {}}},
        "f:data": {".": {}, "f:a": {}},
    }


def test_a_deployment() -> None:
    container = {
        "name": "c",
        "image": "i",
        "ports": [{"containerPort": 80, "protocol": "TCP"}],
        "resources": {"limits": {"cpu": "1"}},
        "env": [{"name": "A", "value": "b"}],
    }
    spec = {
        "replicas": 1,
        "selector": {"matchLabels": {"a": "b"}},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%"}},
        "template": {
            "metadata": {"labels": {"a": "b"}},
            "spec": {
                "containers": [container],
                "volumes": [{"name": "v", "emptyDir": {}}],
                "securityContext": {},
            },
        },
    }
    assert fields(created("Deployment", {"spec": spec, "status": {}}), "creator") == {
        "f:spec": {
            "f:replicas": {},
            "f:selector": {},
            "f:strategy": {"f:type": {}, "f:rollingUpdate": {".": {}, "f:maxSurge": {}}},
            "f:template": {
                "f:metadata": {"f:labels": {".": {}, "f:a": {}}},
                "f:spec": {
                    "f:containers": {
                        'k:{"name":"c"}': {
                            ".": {},
                            "f:name": {},
                            "f:image": {},
                            "f:ports": {
                                ".": {},
                                'k:{"containerPort":80,"protocol":"TCP"}': {
                                    ".": {},
                                    "f:containerPort": {},
                                    "f:protocol": {},
                                },
                            },
                            "f:resources": {".": {}, "f:limits": {".": {}, "f:cpu": {}}},
                            "f:env": {".": {}, 'k:{"name":"A"}': {".": {}, "f:name": {}, "f:value": {}}},
                        }
                    },
                    "f:volumes": {".": {}, 'k:{"name":"v"}': {".": {}, "f:name": {}, "f:emptyDir": {}}},
                    "f:securityContext": {},
                },
            },
        }
    }


def test_a_change_moves_what_it_changes() -> None:
    old = created("ConfigMap", {"data": {"a": "1", "b": "1", "c": "1"}})
    new = copy.deepcopy(old)
    new["data"] = {"a": "2", "b": "1", "d": "1"}
    managedfields.track(SCHEMA, "ConfigMap", old, new, Writer("changer", NOW, "v1"))
    assert fields(new, "creator") == {"f:data": {".": {}, "f:b": {}}}
    assert fields(new, "changer") == {"f:data": {"f:a": {}, "f:d": {}}}


def test_what_nobody_owns_any_more_leaves_no_entry() -> None:
    old = created("ConfigMap", {"data": {"a": "1"}})
    new = copy.deepcopy(old)
    del new["data"]
    managedfields.track(SCHEMA, "ConfigMap", old, new, Writer("changer", NOW, "v1"))
    assert "managedFields" not in new["metadata"]


@pytest.mark.parametrize("given", [[], [{}]])
def test_an_empty_list_asks_to_forget(given: list[Any]) -> None:
    old = created("ConfigMap", {"data": {"a": "1"}})
    new = copy.deepcopy(old)
    new["metadata"]["managedFields"] = given
    managedfields.track(SCHEMA, "ConfigMap", old, new, Writer("changer", NOW, "v1"))
    assert "managedFields" not in new["metadata"]


def test_entries_that_a_client_rewrites_are_taken_as_they_are() -> None:
    """So kubectl turns what it applied on its own side into something it can take over."""
    old = created("ConfigMap", {"data": {"a": "1"}})
    new = copy.deepcopy(old)
    new["metadata"]["managedFields"][0] |= {"manager": "kubectl", "operation": "Apply"}
    managedfields.track(SCHEMA, "ConfigMap", old, new, Writer("changer", NOW, "v1"))
    assert [each["manager"] for each in new["metadata"]["managedFields"]] == ["kubectl"]
    new["metadata"]["managedFields"] = [{"manager": 7, "fieldsV1": "nonsense"}]
    managedfields.track(SCHEMA, "ConfigMap", old, new, Writer("changer", NOW, "v1"))
    assert [each["manager"] for each in new["metadata"]["managedFields"]] == ["creator"]


def test_an_apply_conflicts_with_whoever_set_the_field() -> None:
    old = created("ConfigMap", {"data": {"a": "1"}})
    config = {"metadata": {"name": "a"}, "data": {"a": "2"}}
    with pytest.raises(
        managedfields.ConflictError, match=r'conflict with "creator" using v1 at .*: \.data\.a'
    ):
        managedfields.apply(SCHEMA, "ConfigMap", old, config, Writer("applier", NOW, "v1"), force=False)


VALUES = st.recursive(
    st.integers(0, 2) | st.text("ab", max_size=1),
    lambda below: (
        st.dictionaries(st.text("abc", min_size=1, max_size=1), below, max_size=3)
        | st.lists(below, max_size=2)
    ),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.text("abc", min_size=1, max_size=1), VALUES, max_size=3)


@given(OBJECTS, OBJECTS)
def test_what_was_and_what_changed_make_what_is(old: dict[str, Any], new: dict[str, Any]) -> None:
    shape = Shape("any")
    changed, gone = fieldsets.difference(SCHEMA, shape, old, new)
    before = fieldsets.of_object(SCHEMA, shape, old)
    left = fieldsets.without(before, gone) if gone else before
    after = fieldsets.union(left or {}, changed) if changed else left or {}
    assert managedfields.decode_paths(after) >= managedfields.decode_paths(
        fieldsets.of_object(SCHEMA, shape, new)
    )
    assert (changed, gone) == ({}, {}) or old != new


@given(OBJECTS, OBJECTS)
def test_the_algebra_is_that_of_sets(one: dict[str, Any], other: dict[str, Any]) -> None:
    shape = Shape("any")
    a, b = (fieldsets.of_object(SCHEMA, shape, each) for each in (one, other))
    paths = managedfields.decode_paths
    if a and b:
        assert paths(fieldsets.union(a, b)) == paths(a) | paths(b)
    if a:
        assert fieldsets.without(a, a) is None
        assert not paths(fieldsets.without(a, b) or {}) & paths(b) or not b
