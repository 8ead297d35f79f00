"""kubectl, unmodified, at a terminal: each file of `sessions/` is played, with the oldest and the newest kubectl.

What is expected is what Kubernetes prints, never copied from what we print.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

SESSIONS = sorted(Path(__file__).with_name("sessions").glob("*.console"))
OTHERS = [path for path in os.environ.get("SAMPAN_TEST_KUBECTLS", "").split(":") if path]
KUBECTLS = ("newest", "1.25", *OTHERS)
QUICK = ("smoke", "newest")


def cases() -> list[object]:
    """Those of one kubectl follow each other: they share a server."""
    found = []
    for program in KUBECTLS:
        for path in SESSIONS:
            marks = () if (path.stem, program) == QUICK else (pytest.mark.slow,)
            found.append(
                pytest.param(program, path, marks=marks, id=f"{os.path.basename(program)}-{path.stem}")
            )
    return found


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("play", "path"), cases(), indirect=["play"])
def test_session(play: Callable[[str, str], list[str]], path: Path) -> None:
    complaints = play(path.stem, path.read_text())
    assert not complaints, "\n\n".join(["", *complaints])
