"""Quantities, names, conditions, owners and pods."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sampan.kube import conditions, names, owners, pods, quantities


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", "0"),
        ("100m", "0.1"),
        ("1.5Gi", "1610612736"),
        ("1k", "1000"),
        ("1Ki", "1024"),
        ("2e3", "2000"),
        ("2E3", "2000"),
        ("1E", "1000000000000000000"),
        ("-1.5", "-1.5"),
        (".5", "0.5"),
        ("5n", "0.000000005"),
        (3, "3"),
        (0.5, "0.5"),
    ],
)
def test_quantities(text: Any, value: str) -> None:
    assert quantities.parse(text) == Decimal(value)


@pytest.mark.parametrize("text", ["", "1GiB", "one", "1 Gi", "--1", "1e", "0x10", True, "1e1000"])
def test_quantities_that_are_none(text: Any) -> None:
    with pytest.raises(ValueError, match="regular expression"):
        quantities.parse(text)


@given(st.integers(0, 10**15))
def test_quantities_are_written_as_they_are_read(value: int) -> None:
    assert quantities.parse(quantities.format_binary(value)) == value
    assert quantities.parse(quantities.format_decimal(Decimal(value) / 1000)) == Decimal(value) / 1000


def test_quantities_are_compared_and_rounded() -> None:
    assert quantities.compare("1Gi", "1024Mi") == 0
    assert quantities.compare("999m", "1") == -1
    assert quantities.millis("0.0001") == 1
    assert quantities.whole("1500m") == 2


@pytest.mark.parametrize(
    ("rule", "good", "bad"),
    [
        (names.dns_label, ["a", "a-1", "1a"], ["", "A", "-a", "a-", "a.b", "a" * 64, "a\n"]),
        (names.dns_subdomain, ["a.b", "a-1.b2"], ["", ".a", "a..b", "a_b", "a" * 254]),
        (names.dns_1035_label, ["a1"], ["1a", "a.b"]),
        (names.qualified_name, ["a", "a/b", "x.y/B_c.d"], ["", "a/", "/b", "a/b/c", "a b", "é"]),
        (names.label_value, ["", "a", "A_b.c"], ["-a", "a b", "a" * 64]),
        (names.config_map_key, ["a", "a.b", "_x", "A-1"], ["", "..", "../x", "a/b"]),
        (names.env_var_name, ["A", "a.b-c"], ["", "1A", "a=b"]),
    ],
)
def test_names(rule: Any, good: list[str], bad: list[str]) -> None:
    assert [name for name in good if rule(name)] == []
    assert [name for name in bad if not rule(name)] == []


def test_conditions_change_their_time_with_their_status_only() -> None:
    obj: Any = {}
    assert conditions.put(obj, "Ready", "False", now="t1", reason="Starting")
    assert conditions.put(obj, "Ready", "False", now="t2", reason="Waiting")
    assert conditions.find(obj, "Ready") == {
        "type": "Ready",
        "status": "False",
        "lastTransitionTime": "t1",
        "reason": "Waiting",
    }
    assert not conditions.put(obj, "Ready", "False", now="t3", reason="Waiting")
    assert conditions.put(obj, "Ready", "True", now="t4")
    assert conditions.is_true(obj, "Ready")
    assert conditions.find(obj, "Ready") == {"type": "Ready", "status": "True", "lastTransitionTime": "t4"}
    assert conditions.remove(obj, "Ready")
    assert not conditions.remove(obj, "Ready")


def test_owners() -> None:
    owner = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "job", "uid": "1"}}
    plain = {"metadata": {"name": "pod", "ownerReferences": [{"uid": "2", "name": "other"}]}}
    owned = owners.with_controller(plain, owner)
    assert owners.is_controlled_by(owned, owner)
    assert owners.controller_of(plain) is None
    assert len(owners.owner_references(owners.with_controller(owned, owner))) == 2


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        ({}, "BestEffort"),
        ({"requests": {"cpu": "1"}}, "Burstable"),
        ({"limits": {"cpu": "1"}}, "Burstable"),
        ({"limits": {"cpu": "1", "memory": "1Gi"}}, "Guaranteed"),
        ({"limits": {"cpu": "2", "memory": "1Gi"}, "requests": {"cpu": "1"}}, "Burstable"),
    ],
)
def test_quality_of_service(resources: Any, expected: str) -> None:
    assert pods.qos_class({"spec": {"containers": [{"name": "a", "resources": resources}]}}) == expected


def test_container_states() -> None:
    killed = pods.terminated(137, started_at="a", finished_at="b", reason="OOMKilled")["terminated"]
    assert (killed["exitCode"], killed["reason"], killed["signal"]) == (137, "OOMKilled", 9)
    ended = pods.terminated(0, started_at="a", finished_at="b")
    pod = {"status": {"phase": "Succeeded", "containerStatuses": [{"name": "main", "state": ended}]}}
    assert pods.exit_code(pod, "main") == 0
    assert pods.exit_code(pod, "other") is None
    assert pods.is_terminal(pod)
