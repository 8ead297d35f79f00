"""Documents by their content."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sampan.components.pipelines.api import ir_cache
from sampan.components.pipelines.api.errors import InvalidArgumentError
from sampan.components.pipelines.api.ir_cache import Documents
from sampan.testing import pipelines


def text(number: int = 0) -> str:
    return json.dumps(pipelines.chain(2) | {"pipelineInfo": {"name": f"p-{number}"}})


def test_the_same_text_is_read_once() -> None:
    checked: list[Any] = []
    documents = Documents(checked.append)
    first = documents.of(text(), text())
    assert documents.of(text().encode(), json.loads(text())) is first
    assert documents.of(text(1), text(1)) is not first
    assert len(checked) == 2


def test_what_is_wrong_is_said_every_time() -> None:
    documents = Documents()
    for _ in range(2):
        with pytest.raises(InvalidArgumentError):
            documents.of("{}", "{}")


def test_what_was_not_used_for_longest_goes(monkeypatch: Any) -> None:
    monkeypatch.setattr(ir_cache, "_MOST_CHARACTERS", 3 * len(text()))
    documents = Documents()
    kept = [documents.of(text(number), text(number)) for number in range(3)]
    assert documents.of(text(0), text(0)) is kept[0]
    documents.of(text(3), text(3))
    assert documents.of(text(0), text(0)) is kept[0]
    assert documents.of(text(1), text(1)) is not kept[1]
