"""The log format, and reading it back."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from sampan.client.protocol import LogOptions
from sampan.cluster.node.layout import Layout
from sampan.cluster.node.logs import PodLogs
from sampan.cluster.node.runtimes.launcher.crilog import MAX_LINE_BYTES, CriLog, timestamp
from sampan.lib.logfiles import LogReader

POD = {"metadata": {"name": "p", "namespace": "ns", "uid": "u"}, "status": {}}


def read(home: Path, **options: object) -> bytes:
    async def main() -> bytes:
        chunks = PodLogs(home).read(POD, LogOptions(container="c", **options))  # type: ignore[arg-type]
        return b"".join([chunk async for chunk in chunks])

    return asyncio.run(main())


def log(home: Path) -> CriLog:
    path = Layout(home).log("ns", "u", "c", 0)
    path.parent.mkdir(parents=True)
    return CriLog(str(path))


def test_records(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    out = CriLog(str(path))
    out.feed("stdout", b"one\ntw")
    out.feed("stderr", b"error\n")
    out.feed("stdout", b"o\n\nrest")
    out.end("stdout")
    out.close()
    shape = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z (stdout|stderr) ([FP]) (.*)")
    found = [shape.fullmatch(line) for line in path.read_text().splitlines()]
    assert [match.groups() for match in found if match] == [
        ("stdout", "F", "one"),
        ("stderr", "F", "error"),
        ("stdout", "F", "two"),
        ("stdout", "F", ""),
        ("stdout", "P", "rest"),
    ]
    assert len(found) == 5


def test_a_moment() -> None:
    assert timestamp(1_769_860_800_123_456_789) == "2026-01-31T12:00:00.123456789Z"


def test_any_bytes_come_back_as_they_were(tmp_path: Path) -> None:
    data = bytes(range(256)).replace(b"\n", b"") * 300 + b"\nshort\r\x0b\x0c\x85\nlast"
    out = log(tmp_path)
    for start in range(0, len(data), 1000):
        out.feed("stdout", data[start : start + 1000])
    out.end("stdout")
    out.close()
    assert len(data) > 4 * MAX_LINE_BYTES
    assert read(tmp_path) == data


def test_the_last_lines(tmp_path: Path) -> None:
    out = log(tmp_path)
    lines = [b"%d" % i * (i % 7) for i in range(60_000)]
    out.feed("stdout", b"\n".join(lines) + b"\n")
    out.close()
    assert read(tmp_path, tail_lines=3).splitlines() == lines[-3:]
    assert read(tmp_path, tail_lines=50_000).split(b"\n")[:-1] == lines[-50_000:]
    assert read(tmp_path, tail_lines=70_000).split(b"\n")[:-1] == lines


def test_a_full_disk_loses_output_but_nothing_else(tmp_path: Path) -> None:
    out = CriLog("/dev/full")
    for _ in range(40):
        out.feed("stdout", b"x" * 100_000 + b"\n")
    out.end("stdout")
    out.close()


def test_a_long_log_goes_on_in_a_new_file_and_is_read_as_one(tmp_path: Path) -> None:
    path = Layout(tmp_path).log("ns", "u", "c", 0)
    path.parent.mkdir(parents=True)
    out = CriLog(str(path), max_bytes=2000, max_files=4)
    lines = [f"line {number}" for number in range(100)]
    for line in lines:
        out.feed("stdout", line.encode() + b"\n")
    out.close()
    names = sorted(each.name for each in path.parent.iterdir())
    assert names == ["c.0.log", "c.0.log.1", "c.0.log.2"]
    assert read(tmp_path).decode().splitlines() == lines
    for tail in (0, 1, 5, 60, 99, 100, 1000):
        assert read(tmp_path, tail_lines=tail).decode().splitlines() == (lines[-tail:] if tail else [])


def test_the_oldest_file_goes(tmp_path: Path) -> None:
    path = Layout(tmp_path).log("ns", "u", "c", 0)
    path.parent.mkdir(parents=True)
    out = CriLog(str(path), max_bytes=1000, max_files=3)
    for number in range(1000):
        out.feed("stdout", f"line {number}\n".encode())
    out.close()
    assert len(list(path.parent.iterdir())) == 3
    text = read(tmp_path).decode().splitlines()
    assert text[-1] == "line 999"
    assert text == [f"line {number}" for number in range(1000 - len(text), 1000)]


def test_who_reads_on_misses_nothing_of_the_files_in_between(tmp_path: Path) -> None:
    path = tmp_path / "c.log"
    out = CriLog(str(path), max_bytes=500)
    out.feed("stdout", b"first\n")
    reader = LogReader(path)
    seen = reader.read()
    # Several files later.
    lines = [f"line {number}" for number in range(30)]
    for line in lines:
        out.feed("stdout", line.encode() + b"\n")
    while data := reader.read():
        seen += data
    out.feed("stdout", b"last\n")
    seen += reader.read()
    reader.close()
    out.close()
    assert [line.split(b" ", 3)[3].decode() for line in seen.splitlines()] == ["first", *lines, "last"]
