"""Searching one log, in files as a node writes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sampan.components.pipelines.api.errors import InvalidArgumentError
from sampan.components.pipelines.store import log_search
from sampan.components.pipelines.store.log_search import MAX_SHOWN, Place, matcher, scan
from sampan.components.pipelines.store.step_logs import StepLogs
from sampan.components.pipelines.store.tasks import AttemptRow, RuntimeState

BEGINNING = Place()
TIME = "2026-01-31T12:00:{:02d}.000000001Z"


def write(path: Path, *records: tuple[int, str, str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{TIME.format(second)} stdout {tag} {text}\n" for second, tag, text in records))
    return path


def found(
    paths: list[Path], text: str, since: str = "", place: Place = BEGINNING, **how: Any
) -> list[tuple[int, str]]:
    steps = scan(paths, matcher(text, **how), since, place)
    return [(step.found.number, step.found.text) for step in steps if step.found is not None]


def test_lines_are_found_with_their_numbers_in_every_file_of_a_log(tmp_path: Path) -> None:
    older = write(tmp_path / "main.0.log.1", (1, "F", "one"), (2, "F", "a needle"))
    current = write(tmp_path / "main.0.log", (3, "F", "three"), (4, "F", "Needle and needle"))
    second = write(tmp_path / "main.1.log", (5, "F", "a needle again"))
    assert older.exists()
    assert found([current, second], "needle") == [
        (2, "a needle"),
        (4, "Needle and needle"),
        (5, "a needle again"),
    ]
    assert found([current], "needle", since=TIME.format(3)[:-1]) == [(4, "Needle and needle")]
    assert found([current], "NEEDLE AND", ignore_case=True) == [(4, "Needle and needle")]
    assert found([current], "a.*e$", is_regex=True) == [(2, "a needle"), (4, "Needle and needle")]
    # As text, an expression's characters are only themselves.
    assert found([current], "a.*e$") == []


def test_a_line_in_several_records_is_one_line(tmp_path: Path) -> None:
    log = write(tmp_path / "main.0.log", (1, "P", "nee"), (1, "P", "dl"), (1, "F", "e!"), (2, "F", "needle"))
    assert found([log], "needle") == [(1, "needle!"), (2, "needle")]


@pytest.mark.parametrize("size", [200, 5000])
def test_a_search_goes_on_where_it_stopped(tmp_path: Path, size: int, monkeypatch: Any) -> None:
    monkeypatch.setattr(log_search, "_BLOCK", 4096)
    records = []
    for number in range(size):
        records += (
            [(1, "P", "part of "), (1, "F", f"line {number}")]
            if number % 7 == 0
            else [(1, "F", f"line {number}")]
        )
    log = write(tmp_path / "main.0.log", *records)
    whole = found([log], "9")
    assert len(whole) > size // 10
    stops = list(scan([log], matcher("9"), "", Place()))
    for stop in stops[:: max(len(stops) // 40, 1)]:
        before = [step.found for step in stops[: stops.index(stop) + 1] if step.found]
        rest = found([log], "9", place=stop.place)
        assert [(each.number, each.text) for each in before] + rest == whole


def test_what_is_shown_of_a_line_is_short_and_steers_no_terminal(tmp_path: Path) -> None:
    log = write(tmp_path / "main.0.log", (1, "F", "x" * 5000 + "\x1b[31mneedle\x1b[0m\x07" + "y" * 5000))
    ((_, text),) = found([log], "needle")
    assert "needle" in text
    assert "\x1b" not in text
    assert "\x07" not in text
    assert len(text) <= MAX_SHOWN + 2


def test_an_expression_that_would_never_end_ends(tmp_path: Path) -> None:
    # Attack class 13: backtracking needs 2 to the power of 50000 steps for this one.
    log = write(tmp_path / "main.0.log", (1, "F", "a" * 50_000 + "!"))
    assert found([log], "(a+)+$", is_regex=True) == []


@pytest.mark.parametrize(
    ("text", "how"),
    [
        ("", {}),
        ("x" * 1001, {}),
        ("a\nb", {}),
        ("(", {"is_regex": True}),
        (r"(a)\1", {"is_regex": True}),
        ("a{1000}{1000}", {"is_regex": True}),
    ],
)
def test_what_cannot_be_searched_for_is_said(text: str, how: Any) -> None:
    with pytest.raises(InvalidArgumentError, match="text"):
        matcher(text, **how)


@pytest.mark.parametrize("key", ["..", "../x", "a/b", "", ".", "\0", "/etc"])
def test_a_key_leads_nowhere_else(tmp_path: Path, key: str) -> None:
    write(tmp_path / "main.0.log", (1, "F", "secret"))
    (tmp_path / "logs" / "default").mkdir(parents=True)
    logs = StepLogs(tmp_path)
    attempt = AttemptRow(key, RuntimeState.SUCCEEDED, uid=key)
    assert logs.find("default", attempt) == []
    assert logs.find(key, AttemptRow("pod", RuntimeState.SUCCEEDED)) == []
    with pytest.raises(ValueError, match="names no log"):
        logs.path("default", key)
    logs.remove("default", [attempt])
    assert (tmp_path / "main.0.log").exists()
