"""Sessions at a terminal: how they are read, and what counts as the same output."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sampan.testing.console import ScriptError, Session, matches, steps_of

TEXT = """
# A comment.
$ cat <<EOF
> one
> EOF
one

@ since 1.27, eventually
$ false
[1]
"""


def test_a_session_is_read() -> None:
    first, second = steps_of(TEXT)
    assert (first.command, first.expected, first.code) == ("cat <<EOF\none\nEOF", ["one"], 0)
    assert (second.code, second.since, second.eventually) == (1, (1, 27), True)
    assert first.runs_with((1, 25))
    assert not second.runs_with((1, 26, 9))
    assert second.runs_with((1, 27))


@pytest.mark.parametrize("text", ["output\n", "@ since 1.2\noutput\n", "@ sometimes\n$ true\n"])
def test_what_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(ScriptError):
        list(steps_of(text))


@pytest.mark.parametrize(
    ("expected", "printed", "same"),
    [
        (["NAME AGE", "a <age>"], ["NAME   AGE", "a      5m10s"], True),
        (["a <age>"], ["a soon"], False),
        (["a <none>"], ["a <none>"], True),
        (["pod x deleted..."], ["pod x deleted from default namespace"], True),
        (["a", "...", "b"], ["a", "1", "2", "b"], True),
        (["a", "...", "b"], ["a", "b"], True),
        (["a", "...", "b"], ["a", "c"], False),
        (["a.c"], ["abc"], False),
        ([], ["more"], False),
        (["missing"], [], False),
        (["<ip> <time> <number> web-<id>"], ["10.0.0.1 2026-01-01T00:00:00Z 3 web-4x-9"], True),
    ],
)
def test_what_counts_as_the_same(expected: list[str], printed: list[str], same: bool) -> None:
    assert matches(expected, printed) is same


def test_a_session_is_played(tmp_path: Path) -> None:
    session = Session(tmp_path, {"PATH": os.environ["PATH"], "WHO": "you"}, (1, 30))
    assert session.play("$ echo $WHO; false\n$WHO\n[1]\n") == []
    (complaint,) = session.play("$ echo good\ngood\n$ echo bad >&2; exit 3\nfine\n@ until 1.29\n$ exit 9\n")
    assert complaint.startswith("line 3: $ echo bad >&2; exit 3\nexit code 3, expected 0\n")
    assert "-fine\n+bad" in complaint
