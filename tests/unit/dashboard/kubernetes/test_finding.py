"""The cluster in the search, and in what happened lately."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.dashboard.kubernetes import finding, overview
from sampan.dashboard.kubernetes.kinds import Catalogue, Kind
from sampan.dashboard.kubernetes.tables import Line

PODS = Kind("", "v1", "pods", "Pod", True)


def _line(name: str, **labels: str) -> Line:
    return Line(name, "n", "", f"uid-{name}", {}, labels)


def test_names_come_before_labels_and_beginnings_first() -> None:
    lines = [_line("a-web"), _line("other", app="web"), _line("web-1"), _line("web"), _line("none", app="db")]
    hits = finding.best(lines, PODS, "icon", "WEB")
    assert [each.name for each in hits] == ["web", "web-1", "a-web", "other"]
    assert hits[0].path == "/cluster/pods/n/web"
    assert hits[3].detail == "n, app=web"
    assert finding.best(lines, PODS, "icon", " ") == []
    assert [each.name for each in finding.best(lines, PODS, "icon", "app=db")] == ["none"]
    assert [each.name for each in finding.best(lines, PODS, "icon", "uid-web")] == ["web"]


def test_at_most_ten_are_given() -> None:
    assert len(finding.best([_line(f"web-{each}") for each in range(50)], PODS, "icon", "web")) == 10


def _event(name: str, at: str, reason: str = "Failed") -> dict[str, Any]:
    return {
        "metadata": {"name": f"{name}.{at}", "creationTimestamp": at},
        "lastTimestamp": at,
        "reason": reason,
        "message": "no",
        "involvedObject": {"apiVersion": "v1", "kind": "Pod", "namespace": "n", "name": name},
    }


def test_warnings_that_say_the_same_are_told_once() -> None:
    events = [_event("a", "1"), _event("a", "3"), _event("a", "2", "BackOff"), _event("b", "4")]
    latest = overview.latest(events)
    assert [(each["involvedObject"]["name"], each["lastTimestamp"]) for each in latest] == [
        ("b", "4"),
        ("a", "3"),
        ("a", "2"),
    ]
    told = finding.told(latest[0], Catalogue([PODS]))
    assert (told.text, told.path, told.at, told.tone) == ("Pod b: no", "/cluster/pods/n/b", "4", "warn")


@pytest.mark.parametrize(
    ("event", "is_news"),
    [
        ({"reason": "FailedScheduling", "message": "no room"}, True),
        ({"reason": "ImageSubstituted", "message": "the program of this image is Sampan's"}, False),
        ({"reason": "Unhealthy", "message": "Readiness probe failed: refused", "count": 2}, False),
        ({"reason": "Unhealthy", "message": "Readiness probe failed: refused", "count": 10}, True),
        ({"reason": "Unhealthy", "message": "Liveness probe failed: refused"}, True),
        ({}, True),
    ],
)
def test_what_every_pod_says_while_it_comes_up_is_no_news(event: dict[str, Any], is_news: bool) -> None:
    assert finding.is_news(event) is is_news
