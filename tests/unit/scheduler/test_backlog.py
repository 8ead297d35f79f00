"""The order of those that wait, and that equals are not tried again and again."""

from __future__ import annotations

from sampan.cluster.scheduler.backlog import Backlog
from sampan.cluster.scheduler.demand import Demand
from sampan.cluster.scheduler.node import Tenant


def pod(uid: str, created: str, key: str = "s", priority: int = 0) -> tuple[Tenant, str, str]:
    return Tenant(uid, "team", uid, Demand(priority=priority)), created, key


def filled(*entries: tuple[Tenant, str, str]) -> Backlog:
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
        pod("late", "2026-01-02", "x"),
        pod("early", "2026-01-01", "y"),
        pod("early-too", "2026-01-01", "x"),
        pod("urgent", "2026-01-03", "y", priority=5),
    )
    assert drained(backlog) == ["urgent", "early", "early-too", "late"]
    assert len(backlog) == 0


def test_one_that_stays_leaves_out_its_shape_and_no_other():
    backlog = filled(pod("a1", "1", "a"), pod("a2", "2", "a"), pod("b1", "3", "b"), pod("b2", "4", "b"))
    tried = []
    for waiting in backlog.heads():
        tried.append(waiting.uid)
        if waiting.uid.startswith("b"):
            backlog.remove(waiting.uid)
    assert tried == ["a1", "b1", "b2"]
    assert "a1" in backlog
    assert "a2" in backlog


def test_removed_ones_are_never_seen_again():
    backlog = filled(pod("a", "1"), pod("b", "2"), pod("c", "3"))
    backlog.remove("a")
    backlog.remove("c")
    backlog.remove("unknown")
    assert [each.uid for each in backlog.of_key("s")] == ["b"]
    assert backlog.head("s").uid == "b"
    assert drained(backlog) == ["b"]
    assert backlog.head("s") is None


def test_adding_twice_keeps_the_place():
    backlog = filled(pod("a", "1"), pod("b", "2"))
    backlog.add(*pod("a", "9"))
    assert drained(backlog) == ["a", "b"]


def test_who_is_moved_is_tried_by_itself_in_the_same_order():
    backlog = filled(pod("a", "1"), pod("b", "2"), pod("c", "3"))
    tried = []
    for waiting in backlog.heads():
        tried.append(waiting.uid)
        if waiting.uid == "a":
            backlog.move("a", "alone")
    assert tried == ["a", "b"]
    assert drained(backlog) == ["a", "b", "c"]


def test_new_keys_for_all():
    backlog = filled(pod("a", "1", "x"), pod("b", "2", "x"))
    backlog.rekey(lambda waiting: waiting.uid)
    assert [each.uid for each in backlog.heads()] == ["a", "b"]
    assert backlog.head("x") is None
