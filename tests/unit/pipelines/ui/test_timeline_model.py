"""From tasks to rows of bars."""

from __future__ import annotations

from typing import Any

from tests.unit.pipelines.ui.specifications import ARGO, IR, ran, root

from sampan.components.pipelines.ui.graph_model import blueprint_of
from sampan.components.pipelines.ui.timeline_model import moment, timeline_of
from sampan.ui.timeline.model import Row, Timeline

_BEGIN = moment("2026-01-01T00:00:00Z")


def at(seconds: float) -> str:
    return f"2026-01-01T00:{int(seconds) // 60:02}:{seconds % 60:06.3f}Z"


def took(created: float, started: float, ended: float | None = None) -> dict[str, str]:
    found = {"create_time": at(created), "start_time": at(started)}
    return found if ended is None else {**found, "end_time": at(ended)}


def row(timeline: Timeline, place: str) -> Row:
    return next(each for each in timeline.rows if each.id == place)


def bars(found: Row) -> list[tuple[str, int, int, str]]:
    """Seconds since the beginning; -1 for what goes on."""
    return [
        (each.kind, (each.start - _BEGIN) // 1000, (each.end - _BEGIN) // 1000 if each.end else -1, each.tone)
        for each in found.spans
    ]


def test_an_attempt_waits_is_prepared_and_runs() -> None:
    attempts = [
        {
            "state": "FAILED",
            "create_time": at(3),
            "schedule_time": at(4),
            "start_time": at(7),
            "end_time": at(9),
        },
        {"state": "SUCCEEDED", "create_time": at(12), "start_time": at(12), "end_time": at(20)},
    ]
    tasks = [root() | took(0, 0), ran("b", "bye", "root", attempts=attempts, **took(1, 3, 20))]
    assert bars(row(timeline_of(blueprint_of(IR), tasks), "bye")) == [
        ("queue", 1, 4, ""),
        ("prepare", 4, 7, ""),
        ("run", 7, 9, "bad"),
        ("queue", 9, 12, ""),
        ("run", 12, 20, "ok"),
    ]


def test_what_goes_on_has_no_end() -> None:
    def of(state: str, **more: Any) -> list[tuple[str, int, int, str]]:
        tasks = [root() | took(0, 0), ran("b", "bye", "root", state, create_time=at(1), **more)]
        timeline = timeline_of(blueprint_of(IR), tasks)
        assert timeline.end == 0
        return bars(row(timeline, "bye"))

    running = [{"state": "RUNNING", "start_time": at(5)}]
    assert of("PENDING") == [("queue", 1, -1, "")]
    assert of("RUNNING", attempts=running) == [("queue", 1, 5, ""), ("run", 5, -1, "busy")]
    waits = {"message": "Unschedulable: 64 processors are asked for"}
    assert of("RUNNING", attempts=running, status_metadata=waits)[-1] == ("prepare", 5, -1, "")
    over = [{"state": "FAILED", "start_time": at(2), "end_time": at(3)}]
    assert of("RUNNING", attempts=over)[-1] == ("queue", 3, -1, ""), "before the next attempt"


def test_times_out_of_order_make_no_bar_that_ends_before_it_begins() -> None:
    # Of a pod, times are whole seconds; a clock may have been set back.
    attempts = [
        {
            "state": "SUCCEEDED",
            "create_time": at(3.4),
            "schedule_time": at(3),
            "start_time": at(3),
            "end_time": at(3.2),
        }
    ]
    tasks = [root() | took(0, 0), ran("b", "bye", "root", attempts=attempts, **took(3.3, 3.4, 3.2))]
    for each in row(timeline_of(blueprint_of(IR), tasks), "bye").spans:
        assert each.start <= each.end


def test_groups_hold_their_rows_in_the_order_in_which_they_began() -> None:
    tasks = [
        root("SUCCEEDED") | took(0, 0, 30),
        ran("e", "exit-handler-1", "root", type="EXIT_HANDLER", **took(0, 0, 20)),
        ran("i", "import", "e", **took(2, 2, 3)),
        ran("l", "load", "e", "CACHED", **took(1, 1, 1)),
    ]
    timeline = timeline_of(blueprint_of(IR), tasks, "SUCCEEDED")
    assert [(each.id.rpartition("/")[2], each.parent) for each in timeline.rows] == [
        ("exit-handler-1", ""),
        ("load", "exit-handler-1"),
        ("import", "exit-handler-1"),
    ]
    assert bars(row(timeline, "exit-handler-1")) == [("group", 0, 20, "ok")]
    assert (timeline.end - timeline.start) == 30_000


def test_the_critical_path_leads_back_from_the_last_along_what_was_waited_for() -> None:
    loop = {"type": "LOOP", "type_attributes": {"iteration_count": "2"}}

    def iteration(number: int, created: float, ended: float) -> list[dict[str, Any]]:
        index = {"iteration_index": str(number)}
        return [
            ran(
                f"f{number}",
                "for-loop-1",
                "f",
                type="LOOP_ITERATION",
                type_attributes=index,
                **took(created, created, ended),
            ),
            ran(f"t{number}", "train", f"f{number}", **took(created, created, ended)),
        ]

    tasks = [
        root("SUCCEEDED") | took(0, 0, 40),
        ran("e", "exit-handler-1", "root", type="EXIT_HANDLER", **took(0, 0, 30)),
        ran("l", "load", "e", **took(0, 0, 5)),
        ran("i", "import", "e", **took(0, 0, 1)),
        ran("f", "for-loop-1", "e", **loop, **took(5, 5, 30)),
        *iteration(0, 5, 12),
        *iteration(1, 12, 30),
        ran("b", "bye", "root", **took(30, 30, 40)),
    ]
    found = timeline_of(blueprint_of(IR), tasks, "SUCCEEDED")
    loop_place = "exit-handler-1/for-loop-1"
    assert {each.id for each in found.rows if each.critical} == {
        "exit-handler-1",
        "exit-handler-1/load",
        loop_place,
        f"{loop_place}/0",
        f"{loop_place}/0/train",
        f"{loop_place}/1",
        f"{loop_place}/1/train",
        "bye",
    }


def test_attempts_that_are_tasks_of_their_own_are_one_row() -> None:
    def attempt(number: int, state: str, began: float, ended: float) -> dict[str, Any]:
        pods = [
            {"state": state, "create_time": at(began), "start_time": at(began + 1), "end_time": at(ended)}
        ]
        return ran(f"a{number}", f"a({number})", "a", state, attempts=pods, **took(began, began, ended))

    tasks = [
        root("SUCCEEDED") | took(0, 0, 9),
        ran("m", "main", "root", type="DAG", **took(0, 0, 9)),
        ran("a", "a", "m", type="DAG", **took(0, 0, 9)),
        attempt(0, "FAILED", 1, 3),
        attempt(1, "SUCCEEDED", 5, 9),
    ]
    timeline = timeline_of(blueprint_of(ARGO), tasks, "SUCCEEDED")
    assert [each.id for each in timeline.rows] == ["a"]
    assert [each[0] for each in bars(timeline.rows[0])] == [
        "queue",
        "prepare",
        "run",
        "queue",
        "prepare",
        "run",
    ]


def test_tasks_without_times_and_runs_without_tasks() -> None:
    assert timeline_of(blueprint_of(IR), []).rows == []
    assert timeline_of(blueprint_of(IR), [root(), ran("b", "bye", "root")]).rows == []
