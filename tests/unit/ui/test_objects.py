"""What pages of all kinds of objects share: conditions as rows, copies and their names, tables that are narrowed."""

from __future__ import annotations

from sampan.ui.objects import conditions, copies


def test_conditions_are_told_the_newest_first() -> None:
    given = [
        {
            "type": "Created",
            "status": "True",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
            "message": "made",
        },
        {"type": "Running", "status": "False", "lastTransitionTime": "2026-01-01T00:00:00Z"},
        {"type": "Odd", "status": "Unknown", "lastTransitionTime": "2025-01-01T00:00:00Z"},
        "no condition",
    ]
    found = conditions.rows(given, {"Created": "ok"})
    assert [row.cells["type"]["text"] for row in found] == ["Running: no longer", "Created", "Odd: unknown"]
    assert found[1].cells["message"] == "made"
    assert conditions.rows(None, {}) == []


def test_a_copy_has_what_people_have_written() -> None:
    given = {
        "apiVersion": "v1",
        "kind": "Thing",
        "metadata": {
            "name": "a",
            "namespace": "n",
            "uid": "u",
            "labels": {"team": "x"},
            "annotations": {
                "mine": "1",
                "note": "2",
                "kubectl.kubernetes.io/last-applied-configuration": "{}",
            },
        },
        "spec": {"deep": [1]},
        "status": {"x": 1},
    }
    made = copies.copy_of(given, "b", {"note"})
    assert made == {
        "apiVersion": "v1",
        "kind": "Thing",
        "metadata": {"name": "b", "namespace": "n", "labels": {"team": "x"}, "annotations": {"mine": "1"}},
        "spec": {"deep": [1]},
    }
    made["spec"]["deep"].append(2)
    assert given["spec"] == {"deep": [1]}


def test_names_that_are_taken_go_on() -> None:
    assert copies.next_name("a", ()) == "a"
    assert copies.next_name("a", {"a", "a-2"}) == "a-3"
    assert copies.next_name("a-9", {"a-9"}) == "a-10"
    assert copies.next_name("x" * 63, {"x" * 63}) == "x" * 61 + "-2"
    assert copies.next_name("ab-cd", {"ab-cd"}, 4) == "ab-2"
