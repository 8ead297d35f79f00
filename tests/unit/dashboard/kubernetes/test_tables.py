"""Kubernetes' Table answers as rows."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.dashboard.kubernetes import tables
from sampan.dashboard.kubernetes.tables import Found


def _table(*rows: tuple[str, list[Any]]) -> Found:
    columns = [("Name", 0), ("Ready", 0), ("Status", 0), ("Restarts", 0), ("Age", 0), ("IP", 1)]
    return tables.read(
        {
            "kind": "Table",
            "metadata": {"continue": "more", "remainingItemCount": 7},
            "columnDefinitions": [{"name": name, "priority": priority} for name, priority in columns],
            "rows": [
                {
                    "cells": [name, *values],
                    "object": {
                        "metadata": {
                            "name": name,
                            "namespace": "default",
                            "creationTimestamp": f"2026-01-01T00:00:{index:02}Z",
                            "labels": {"app": "web"},
                        }
                    },
                }
                for index, (name, values) in enumerate(rows)
            ],
        }
    )


FOUND = _table(
    ("pod-10", ["1/1", "Running", 10, "5d", "<none>"]),
    ("pod-9", ["0/1", "CrashLoopBackOff", 9, "3h5m", "10.0.0.1"]),
    ("pod-100", ["0/1", "Completed", 100, "20m", "10.0.0.2"]),
)


def test_columns_are_the_apis() -> None:
    assert [each.label for each in tables.columns(FOUND, wide=False, namespaces=False)] == [
        "Name",
        "Ready",
        "Status",
        "Restarts",
        "Age",
    ]
    wide = [each.label for each in tables.columns(FOUND, wide=True, namespaces=True)]
    assert wide[:2] == ["Name", "Namespace"]
    assert wide[-1] == "IP"
    assert (FOUND.continues, FOUND.left) == ("more", 7)


@pytest.mark.parametrize(
    ("by", "descending", "names"),
    [
        ("", False, ["pod-9", "pod-10", "pod-100"]),
        ("name", True, ["pod-100", "pod-10", "pod-9"]),
        ("restarts", False, ["pod-9", "pod-10", "pod-100"]),
        ("status", False, ["pod-100", "pod-9", "pod-10"]),
        ("age", True, ["pod-10", "pod-9", "pod-100"]),
    ],
)
def test_order(by: str, descending: bool, names: list[str]) -> None:
    assert [line.name for line in tables.in_order(FOUND.lines, by, descending=descending)] == names


@pytest.mark.parametrize(
    ("text", "count"), [("", 3), ("crash", 1), ("app=web", 3), ("pod-10 running", 1), ("nothing", 0)]
)
def test_every_word_is_to_be_found_somewhere(text: str, count: int) -> None:
    assert len(tables.matching(FOUND.lines, text)) == count


def test_cells_have_states_links_and_times() -> None:
    row = tables.row(FOUND.lines[1], lambda line: f"/there/{line.name}")
    assert row.cells["name"]["href"] == "/there/pod-9"
    assert row.cells["status"] == {
        "t": "state",
        "text": "CrashLoopBackOff",
        "tone": "bad",
        "icon": "",
        "title": "",
    }
    assert row.cells["age"] == {"t": "time", "at": "2026-01-01T00:00:01Z"}
    assert tables.row(FOUND.lines[0], lambda _: "").cells["ip"] == ""


@pytest.mark.parametrize(
    ("word", "tone"),
    [
        ("Running", "ok"),
        ("Ready,SchedulingDisabled", "ok"),
        ("NotReady", "bad"),
        ("ImagePullBackOff", "bad"),
        ("Init:CrashLoopBackOff", "bad"),
        ("OOMKilled", "bad"),
        ("Pending", "busy"),
        ("Warning", "warn"),
        ("ClusterIP", ""),
        ("Opaque", ""),
    ],
)
def test_tones(word: str, tone: str) -> None:
    assert tables.tone_of(word) == tone


def test_a_server_without_tables_gives_names_and_ages() -> None:
    found = tables.read(
        {"kind": "FooList", "items": [{"metadata": {"name": "a", "creationTimestamp": "2026"}}]}
    )
    assert [line.name for line in found.lines] == ["a"]
    assert [each.key for each in tables.columns(found, wide=False, namespaces=False)] == ["name", "age"]
