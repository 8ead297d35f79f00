"""The ranks' logs as one, from files as launchers write them."""

from __future__ import annotations

import os
from pathlib import Path

from sampan.components.training.store.job_pods import JobKey, JobPod, JobPods, ranks
from sampan.components.training.store.rank_logs import MOST_LINE_BYTES, MergedLog, RankLog, Run, runs_of

KEY = JobKey("team", "pytorchjobs", "train")


def write(home: Path, uid: str, restart: int, *lines: tuple[int, str]) -> Path:
    """Lines by the second in which they were printed."""
    file = home / "logs" / "team" / uid / f"pytorch.{restart}.log"
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a") as out:
        for second, text in lines:
            out.write(f"2026-11-26T10:00:{second:02}.000000000Z stdout F {text}\n")
    return file


def pod(uid: str, index: int = 0, role: str = "worker", job: str = "j1", created: str = "1") -> JobPod:
    return JobPod(uid, f"train-{role}-{index}", job, role, index, "pytorch", created)


def merged(home: Path, pods: list[JobPod], **options: object) -> MergedLog:
    known = JobPods(home)
    return MergedLog(
        RankLog(
            rank, runs_of((each.since, each.name, known.runs("team", each)) for each in of_rank), **options
        )  # type: ignore[arg-type]
        for rank, of_rank in ranks(pods).items()
    )


def said(log: MergedLog) -> list[str]:
    found = []
    while lines := log.read(2):
        found += [f"{line.rank}/{line.run} {line.text}" for line in lines]
    return found


def test_lines_of_all_ranks_come_in_the_order_of_time(tmp_path: Path) -> None:
    write(tmp_path, "a", 0, (1, "one"), (4, "four"))
    write(tmp_path, "b", 0, (2, "two"), (3, "three"))
    log = merged(tmp_path, [pod("a", 0), pod("b", 1)])
    assert said(log) == ["worker-0/0 one", "worker-1/0 two", "worker-1/0 three", "worker-0/0 four"]
    log.close()


def test_a_rank_goes_on_in_its_next_run_and_its_next_pod(tmp_path: Path) -> None:
    write(tmp_path, "a", 0, (1, "first"))
    write(tmp_path, "a", 1, (2, "restarted"))
    write(tmp_path, "c", 0, (3, "re-created"))
    log = merged(tmp_path, [pod("c", created="2"), pod("a", created="1")])
    assert said(log) == ["worker-0/0 first", "worker-0/1 restarted", "worker-0/2 re-created"]
    log.close()


def test_what_is_printed_later_is_read_later(tmp_path: Path) -> None:
    path = write(tmp_path, "a", 0, (1, "one"))
    log = merged(tmp_path, [pod("a")])
    assert said(log) == ["worker-0/0 one"]
    write(tmp_path, "a", 0, (2, "two"))
    assert said(log) == ["worker-0/0 two"]
    newer = write(tmp_path, "a", 1, (3, "three"))
    log.extend("worker-0", [Run(("1", "a", 0), "p", 0, path), Run(("1", "a", 1), "p", 1, newer)])
    assert said(log) == ["worker-0/1 three"]
    log.close()


def test_a_tail_is_of_all_ranks_and_of_all_runs(tmp_path: Path) -> None:
    write(tmp_path, "a", 0, (1, "one"), (3, "three"))
    write(tmp_path, "a", 1, (5, "five"))
    write(tmp_path, "b", 0, (2, "two"), (4, "four"))
    log = merged(tmp_path, [pod("a", 0), pod("b", 1)], tail=3)
    assert [line.text for line in log.tail(3)] == ["three", "four", "five"]
    # What comes after it is whole.
    later = write(tmp_path, "c", 0, *((10 + each, f"later {each}") for each in range(6)))
    log.extend("worker-1", [Run(("9", "c", 0), "p", 1, later)])
    assert len(said(log)) == 6
    log.close()


def test_since_leaves_out_what_was_before(tmp_path: Path) -> None:
    write(tmp_path, "a", 0, (1, "one"), (2, "two"), (3, "three"))
    log = merged(tmp_path, [pod("a")], since="2026-11-26T10:00:02.000000Z")
    assert said(log) == ["worker-0/0 two", "worker-0/0 three"]
    log.close()


def test_a_long_line_is_put_together_and_an_endless_one_is_not(tmp_path: Path) -> None:
    file = write(tmp_path, "a", 0)
    part = "x" * 16 * 1024
    with file.open("a") as out:
        out.write(
            f"2026-11-26T10:00:01.000000000Z stdout P {part}\n2026-11-26T10:00:02.000000000Z stdout F end\n"
        )
        for _ in range(40):
            out.write(f"2026-11-26T10:00:03.000000000Z stdout P {part}\n")
    log = merged(tmp_path, [pod("a")])
    lines = log.read()
    assert (lines[0].time, lines[0].text) == ("2026-11-26T10:00:01.000000000Z", part + "end")
    assert len(lines[1].text) == MOST_LINE_BYTES
    log.close()


def test_pods_are_remembered_once_and_a_torn_line_harms_nothing(tmp_path: Path) -> None:
    known = JobPods(tmp_path)
    known.add(KEY, pod("a"))
    known.add(KEY, pod("a"))
    file = tmp_path / "training" / "team" / "pytorchjobs" / "train.jsonl"
    with file.open("a") as out:
        out.write('{"uid": "torn"')
    known.add(KEY, pod("b", 1))
    assert [each.uid for each in known.of(KEY)] == ["a", "b"]


def test_of_two_jobs_of_a_name_the_newest_is_meant(tmp_path: Path) -> None:
    known = JobPods(tmp_path)
    known.add(KEY, pod("a", job="j1"))
    known.add(KEY, pod("b", job="j2"))
    assert [each.uid for each in known.of(KEY)] == ["b"]
    assert [each.uid for each in known.of(KEY, "j1")] == ["a"]


def test_names_that_lead_elsewhere_lead_nowhere(tmp_path: Path) -> None:
    known = JobPods(tmp_path)
    for name in ("..", "../x", "a/b", ".", ""):
        known.add(JobKey("team", "pytorchjobs", name), pod("a"))
        assert known.of(JobKey("team", "pytorchjobs", name)) == []
        assert known.runs(name, pod("a")) == []
    assert not (tmp_path / "training").exists()


def test_what_is_forgotten_takes_its_logs_along(tmp_path: Path) -> None:
    known = JobPods(tmp_path)
    known.add(KEY, pod("a"))
    write(tmp_path, "a", 0, (1, "one"))
    write(tmp_path, "other", 0, (1, "stays"))
    known.forget(KEY, 30)
    assert [each.uid for each in known.of(KEY)] == ["a"]
    (file,) = (tmp_path / "training").rglob("*.jsonl")
    os.utime(file, (0, 0))
    # A job of that name, made after somebody had looked whether there is one.
    known.add(KEY, pod("b"))
    known.forget(KEY, 30)
    assert [each.uid for each in known.of(KEY)] == ["a", "b"]
    os.utime(file, (0, 0))
    known.forget(KEY, 30)
    assert list(known.keys()) == []
    assert not (tmp_path / "logs" / "team" / "a").exists()
    assert (tmp_path / "logs" / "team" / "other").exists()
