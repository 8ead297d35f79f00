"""Event files as a source of a trial's values."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from sampan.components.tuning.controller.collecting import events
from sampan.components.tuning.controller.collecting.events import EventSource
from sampan.components.tuning.controller.collecting.sources import RunKey
from sampan.components.tuning.engine.collecting.wanted import wanted_of

_CHUNK = 256


def _block(number: int, data: bytes) -> bytes:
    return bytes([number << 3 | 2, len(data) & 0x7F | 0x80, len(data) >> 7]) + data


def _record(data: bytes) -> bytes:
    return struct.pack("<QI", len(data), 0) + data + bytes(4)


def _scalar(step: int, value: float) -> bytes:
    inside = _block(1, b"loss") + b"\x15" + struct.pack("<f", value)
    return _record(b"\x09" + struct.pack("<d", 5.0) + bytes([2 << 3, step]) + _block(5, _block(1, inside)))


def _picture(size: int) -> bytes:
    return _record(_block(5, _block(1, _block(1, b"picture") + _block(4, bytes(size)))))


def _source(folder: Path, path: str = "/events") -> EventSource:
    trial = {
        "metadata": {"name": "one", "namespace": "team"},
        "spec": {
            "objective": {"type": "minimize", "objectiveMetricName": "loss"},
            "metricsCollector": {
                "collector": {"kind": "TensorFlowEvent"},
                "source": {"fileSystemPath": {"path": path, "kind": "Directory"}},
            },
        },
    }
    return EventSource(wanted_of(trial), RunKey("uid", "pod", "main", 0), lambda: str(folder))


@pytest.mark.parametrize("size", [60, 2 * _CHUNK], ids=["many", "long"])
def test_values_behind_more_pictures_than_are_read_at_once_are_found(
    size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "_CHUNK_BYTES", _CHUNK)
    source = _source(tmp_path)
    file = tmp_path / "events.out.tfevents.1"
    file.write_bytes(_scalar(1, 0.5) + _picture(size) * 10 + _scalar(2, 0.25))
    found = []
    while some := source.read(is_over=True):
        found += some
    assert [each.value for each in found] == ["0.5", "0.25"]
    assert source.sums.observation["metrics"][0]["min"] == "0.25"


def test_values_of_a_long_path_have_short_origins_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "events.out.tfevents.1").write_bytes(_scalar(1, 0.5) + _scalar(2, 0.25))
    deep = tmp_path / ("x" * 200)
    deep.mkdir()
    (deep / "events.out.tfevents.1").write_bytes(_scalar(1, 0.5))
    source = _source(tmp_path, "/data" * 400)
    origins = [each.origin for each in source.read(is_over=True)]
    assert len(set(origins)) == 3
    assert all(len(each.encode()) <= 512 and each.startswith(source.key) for each in origins)
    assert source.key != _source(tmp_path, "/data" * 400 + "/other").key
