"""Lines of answered requests: kserve's form, and few of them however many requests there are."""

from __future__ import annotations

import os

from sampan.components.serving.engine.programs.modelserver.request_log import LINES_PER_SECOND, RequestLog


def test_a_line_has_kserves_form() -> None:
    lines: list[str] = []
    log = RequestLog(clock=lambda: 1_700_000_000.25, write=lines.append)
    log.answered({"x-request-id": "a1"}, 0.001, 0.0025, 0.0001)
    (words,) = [line.split() for line in lines]
    assert words[1].endswith(".250")
    assert words[2:4] == [str(os.getpid()), "kserve.trace"]
    assert " ".join(words[4:]) == (
        "requestId: a1, preprocess_ms: 1.000, explain_ms: 0.000, predict_ms: 2.500, postprocess_ms: 0.100"
    )


def test_a_busy_model_writes_few_lines_and_says_how_many_there_were() -> None:
    lines: list[str] = []
    now = [100.0]
    log = RequestLog(clock=lambda: now[0], write=lines.append)
    for _ in range(LINES_PER_SECOND + 25):
        log.answered({}, 0.0, 0.0, 0.0)
    assert len(lines) == LINES_PER_SECOND
    now[0] = 101.0
    log.answered({}, 0.0, 0.0, 0.0)
    assert "25 more requests in that second" in lines[-2]
    assert "requestId: N.A." in lines[-1]


def test_it_can_be_turned_off() -> None:
    lines: list[str] = []
    RequestLog(is_on=False, write=lines.append).answered({}, 0.0, 0.0, 0.0)
    assert lines == []
