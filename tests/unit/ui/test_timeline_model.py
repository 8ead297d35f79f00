"""What is sent of a timeline that has changed."""

from __future__ import annotations

from sampan.ui.timeline.model import Row, Timeline, change


def test_rows_that_come_go_and_differ_are_said_in_few_words() -> None:
    old = Timeline([Row(each, each) for each in "abcd"], 1)
    new = Timeline([Row("a", "a"), Row("x", "x"), Row("c", "c", state="Failed"), Row("d", "d")], 1, 9)
    found = change(old, new)
    assert found is not None
    assert (found.removed, found.end) == (["b"], 9)
    assert [(at, row.id) for at, row in found.added] == [(1, "x")]
    assert [row.id for row in found.changed] == ["c"]


def test_what_moves_or_is_mostly_new_is_said_anew() -> None:
    old = Timeline([Row("a", "a"), Row("b", "b")])
    assert change(Timeline(), old) is None
    assert change(old, Timeline([Row("b", "b"), Row("a", "a")])) is None
    assert change(old, Timeline([Row(each, each) for each in "abcdef"])) is None
