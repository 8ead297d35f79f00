"""TensorBoard's files in a job's output folder, which is the job's to fill."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest

from sampan.components.training.engine.metrics.series import Metrics
from sampan.components.training.rest.tensorboard import EventFolder
from sampan.lib.tfevents import scalars


def event_file(tag: str, value: float) -> bytes:
    """One record: an Event of step 1 with a Summary of one simple value. The checksums are not looked at."""
    name = tag.encode()
    one = b"\x0a" + bytes([len(name)]) + name + b"\x15" + struct.pack("<f", value)
    summary = b"\x0a" + bytes([len(one)]) + one
    event = b"\x09" + struct.pack("<d", 1.0) + b"\x10\x01" + b"\x2a" + bytes([len(summary)]) + summary
    return struct.pack("<Q", len(event)) + bytes(4) + event + bytes(4)


def names(metrics: Metrics) -> list[str]:
    return sorted(each["name"] for each in metrics.to_json())


def read(folder: Path) -> list[str]:
    metrics = Metrics()
    assert EventFolder(folder).read(metrics)
    return names(metrics)


@pytest.fixture
def output(tmp_path: Path) -> Path:
    assert scalars(event_file("loss", 0.5))[0][0].tag == "loss"
    folder = tmp_path / "output"
    (folder / "run").mkdir(parents=True)
    (folder / "run" / "a.tfevents.1").write_bytes(event_file("loss", 0.5))
    return folder


def test_what_lies_below_the_folder_is_read(output: Path) -> None:
    assert read(output) == ["run/loss"]


def test_no_link_is_followed(output: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "b.tfevents.1").write_bytes(event_file("secret", 1.0))
    (output / "folder").symlink_to(elsewhere)
    (output / "run" / "b.tfevents.1").symlink_to(elsewhere / "b.tfevents.1")
    os.mkfifo(output / "run" / "c.tfevents.1")
    assert read(output) == ["run/loss"]


def test_nor_one_that_takes_a_folders_place_once_it_was_found(output: Path, tmp_path: Path) -> None:
    folder = EventFolder(output)
    metrics = Metrics()
    folder.read(metrics)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "a.tfevents.1").write_bytes(event_file("loss", 0.5) + event_file("secret", 1.0))
    (output / "run").rename(tmp_path / "away")
    (output / "run").symlink_to(elsewhere)
    folder._read_file(output / "run" / "a.tfevents.1", metrics)
    assert names(metrics) == ["run/loss"]


def test_nor_where_the_folder_itself_is_one(output: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(output)
    assert read(tmp_path / "link") == []
