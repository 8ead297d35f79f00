"""The order of those that wait, and that equals are not tried again and again."""

from __future__ import annotations

from sampan.cluster.scheduler.backlog import Backlog
from sampan.cluster.scheduler.demand import Demand


def demand(shape: str = "s", priority: int = 0) -> Demand:
    return Demand({}, {}, {}, (), (), priority, shape)


def filled(*entries: tuple[str, str, Demand]) -> Backlog:
    backlog = Backlog()
    for entry in entries:
        backlog.add(*entry)
    return backlog


def drained(backlog: Backlog) -> list[str]:
    order = []
    for waiting in backlog.heads():
        order.append(waiting.uid)
        backlog.remove(waiting.uid)
    return order


def test_priority_then_age_then_arrival_across_shapes():
    backlog = filled(
        ("late", "2026-01-02", demand("x")),
        ("early", "2026-01-01", demand("y")),
        ("early-too", "2026-01-01", demand("x")),
        ("urgent", "2026-01-03", demand("y", priority=5)),
    )
    assert drained(backlog) == ["urgent", "early", "early-too", "late"]
    assert len(backlog) == 0


def test_one_that_stays_leaves_out_its_shape_and_no_other():
    backlog = filled(
        ("a1", "1", demand("a")), ("a2", "2", demand("a")), ("b1", "3", demand("b")), ("b2", "4", demand("b"))
    )
    tried = []
    for waiting in backlog.heads():
        tried.append(waiting.uid)
        if waiting.uid.startswith("b"):
            backlog.remove(waiting.uid)
    assert tried == ["a1", "b1", "b2"]
    assert "a1" in backlog
    assert "a2" in backlog


def test_removed_ones_are_never_seen_again():
    backlog = filled(("a", "1", demand()), ("b", "2", demand()), ("c", "3", demand()))
    backlog.remove("a")
    backlog.remove("c")
    backlog.remove("unknown")
    assert [each.uid for each in backlog.of_shape("s")] == ["b"]
    assert backlog.head("s").uid == "b"
    assert drained(backlog) == ["b"]
    assert backlog.head("s") is None


def test_adding_twice_keeps_the_place():
    backlog = filled(("a", "1", demand()), ("b", "2", demand()))
    backlog.add("a", "9", demand())
    assert drained(backlog) == ["a", "b"]
