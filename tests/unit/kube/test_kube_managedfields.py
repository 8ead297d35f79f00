"""Server-side apply: ownership, conflicts, removal."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sampan.kube.errors import ConflictError
from sampan.kube.managedfields import Writer, apply, decode_paths, encode_paths, track
from sampan.kube.schema import Schema

SCHEMA = Schema.parse("""
Pod
    metadata:ObjectMeta spec:Spec
ObjectMeta
    name:string labels:{string} finalizers:[string]@
Spec
    containers:[Container]@name args:[string] replicas:int64
Container
    name!:string image:string ports:[Port]@containerPort%containerPort,protocol
Port
    containerPort!:int64 protocol:string|TCP
""")


def by(manager: str, now: str = "2026-01-01T00:00:00Z") -> Writer:
    return Writer(manager, now, "v1")


def applied(live: Any, config: Any, manager: str, *, force: bool = False) -> Any:
    before = copy.deepcopy(live)
    result = apply(SCHEMA, "Pod", live, copy.deepcopy(config), by(manager), force=force)
    assert live == before
    return result


def test_two_managers_of_one_list() -> None:
    first = applied({}, {"spec": {"containers": [{"name": "a", "image": "1"}]}}, "alice")
    both = applied(first, {"spec": {"containers": [{"name": "b", "image": "2"}]}}, "bob")
    assert [each["name"] for each in both["spec"]["containers"]] == ["a", "b"]
    less = applied(both, {"spec": {"containers": []}}, "alice")
    assert [each["name"] for each in less["spec"]["containers"]] == ["b"]


def test_an_item_stays_while_somebody_owns_a_field_of_it() -> None:
    first = applied({}, {"spec": {"containers": [{"name": "a", "image": "1"}]}}, "alice")
    changed = copy.deepcopy(first)
    changed["spec"]["containers"][0]["image"] = "2"
    track(SCHEMA, "Pod", first, changed, by("carol"))
    less = applied(changed, {"spec": {}}, "alice")
    assert less["spec"]["containers"] == [{"name": "a", "image": "2"}]


def test_conflict_names_every_field_and_owner() -> None:
    config = {"spec": {"replicas": 1, "containers": [{"name": "a", "image": "1"}]}}
    live = applied({}, config, "alice")
    wanted = {"spec": {"replicas": 2, "containers": [{"name": "a", "image": "2"}]}}
    with pytest.raises(ConflictError) as caught:
        applied(live, wanted, "bob")
    assert {cause.field for cause in caught.value.causes} == {
        ".spec.replicas",
        '.spec.containers[name="a"].image',
    }
    assert caught.value.message == (
        'Apply failed with 2 conflicts: conflicts with "alice":\n'
        '- .spec.containers[name="a"].image\n- .spec.replicas'
    )


def test_conflict_with_an_update_says_when_it_was() -> None:
    live = applied({}, {"spec": {"replicas": 1}}, "alice")
    scaled = {**copy.deepcopy(live), "spec": {"replicas": 3}}
    track(SCHEMA, "Pod", live, scaled, by("scaler"))
    with pytest.raises(ConflictError) as caught:
        applied(scaled, {"spec": {"replicas": 1}}, "alice")
    assert caught.value.message == (
        'Apply failed with 1 conflict: conflict with "scaler" using v1 at 2026-01-01T00:00:00Z: .spec.replicas'
    )


def test_what_was_there_before_belongs_to_nobody_in_particular() -> None:
    live = {"metadata": {"name": "one"}, "spec": {"replicas": 1, "args": ["x"]}}
    with pytest.raises(ConflictError, match='conflict with "before-first-apply"'):
        applied(live, {"spec": {"replicas": 2}}, "alice")
    forced = applied(live, {"spec": {"replicas": 2}}, "alice", force=True)
    assert forced["spec"] == {"replicas": 2, "args": ["x"]}
    assert {each["manager"] for each in forced["metadata"]["managedFields"]} == {
        "alice",
        "before-first-apply",
    }


def test_items_are_told_apart_by_all_their_keys() -> None:
    def ports(*pairs: tuple[int, str]) -> Any:
        listed = [{"containerPort": port, "protocol": protocol} for port, protocol in pairs]
        return {"spec": {"containers": [{"name": "a", "ports": listed}]}}

    live = applied({}, ports((53, "TCP"), (53, "UDP")), "alice")
    assert len(live["spec"]["containers"][0]["ports"]) == 2
    less = applied(live, ports((53, "UDP")), "alice")
    assert less["spec"]["containers"][0]["ports"] == [{"containerPort": 53, "protocol": "UDP"}]


def test_plain_writes_are_tracked_once_somebody_applied() -> None:
    old: Any = {"metadata": {"name": "one"}, "spec": {"replicas": 1}}
    new = copy.deepcopy(old)
    new["spec"]["replicas"] = 2
    track(SCHEMA, "Pod", old, new, by("carol"))
    assert "managedFields" not in new["metadata"]
    live = applied({}, {"spec": {"replicas": 1}}, "alice")
    written = copy.deepcopy(live)
    written["spec"] = {"args": ["y"]}
    track(SCHEMA, "Pod", live, written, by("carol"))
    entries = written["metadata"]["managedFields"]
    assert [(each["manager"], each["operation"]) for each in entries] == [("carol", "Update")]
    assert entries[0]["fieldsV1"] == {"f:spec": {"f:args": {}}}


def test_managed_fields_can_be_forgotten() -> None:
    live = applied({}, {"spec": {"replicas": 1}}, "alice")
    new = copy.deepcopy(live)
    new["metadata"]["managedFields"] = [{}]
    track(SCHEMA, "Pod", live, new, by("carol"))
    assert "managedFields" not in new["metadata"]


_containers = st.lists(
    st.builds(
        lambda name, image: {"name": name, **({"image": image} if image else {})},
        st.sampled_from("abc"),
        st.sampled_from(["", "1", "2"]),
    ),
    max_size=3,
    unique_by=lambda each: each["name"],
)
_configs = st.builds(
    lambda containers, labels, replicas: {
        "metadata": {"labels": labels},
        "spec": {"containers": containers, **({"replicas": replicas} if replicas else {})},
    },
    _containers,
    st.dictionaries(st.sampled_from("xyz"), st.sampled_from("12"), max_size=2),
    st.sampled_from([0, 1, 2]),
)


@given(st.lists(st.tuples(st.sampled_from(["alice", "bob"]), _configs), min_size=1, max_size=5))
def test_forced_apply_always_gives_what_was_asked_for_and_is_idempotent(steps: list[Any]) -> None:
    live: Any = {}
    for manager, config in steps:
        live = applied(live, config, manager, force=True)
        assert applied(live, config, manager) == live
        for key, value in config["metadata"]["labels"].items():
            assert live["metadata"]["labels"][key] == value
        items = {each["name"]: each for each in live["spec"].get("containers", ())}
        for container in config["spec"]["containers"]:
            assert container.items() <= items[container["name"]].items()
    # Who gives up everything leaves what the other one owns, and nothing else.
    for manager in ("alice", "bob"):
        live = applied(live, {}, manager)
    assert not (live.get("spec") or {}).get("containers")
    assert not (live.get("metadata") or {}).get("labels")


@given(
    st.frozensets(
        st.lists(st.sampled_from(["f:a", "f:b", 'k:{"name":"x"}', "v:1"]), min_size=1, max_size=4).map(tuple)
    )
)
def test_fields_v1_round_trip(paths: frozenset[tuple[str, ...]]) -> None:
    assert decode_paths(encode_paths(paths)) == paths
