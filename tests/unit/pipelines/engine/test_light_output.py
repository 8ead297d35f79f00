"""What a light step has put out is not lost where its worker is killed, whatever the moment."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from sampan.components.pipelines.engine.light import program
from sampan.components.pipelines.engine.light.program import HELD_BYTES, left

KILLED = """\
import os, signal, sys, time
from sampan.components.pipelines.engine.light.program import _Output

address, log = sys.argv[1:]
output = _Output(address)
output.begin(log)
os.write(1, b"whole\\nlast ")
while b"last" not in open(address + ".stdout.held", "rb").read() or not os.path.getsize(log):
    time.sleep(0.001)
os.write(1, b"words")
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_line_that_was_begun_when_the_worker_was_killed(tmp_path: Path) -> None:
    address, log = tmp_path / "light-1", tmp_path / "log" / "main.0.log"
    pipes = {}
    for name in ("stdout", "stderr"):
        os.mkfifo(f"{address}.{name}")
        Path(f"{address}.{name}.held").write_bytes(bytes(HELD_BYTES))
        pipes[name] = os.open(f"{address}.{name}", os.O_RDONLY | os.O_NONBLOCK)
    try:
        done = subprocess.run([sys.executable, "-c", KILLED, str(address), str(log)], check=False, timeout=60)
        assert done.returncode == -9
        written = log.read_bytes()
        assert written.endswith(b" stdout F whole\n")
        held = left(Path(f"{address}.stdout.held").read_bytes(), len(written))
        # At its end all writers have gone: what is in the pipe comes, and then its end.
        assert held + os.read(pipes["stdout"], 100) == b"last words"
    finally:
        for pipe in pipes.values():
            os.close(pipe)


@pytest.mark.parametrize(
    ("state", "log_bytes", "kept"),
    [
        pytest.param(0, 500, b"one\ntwo\nthr", id="taken out, and not written yet"),
        pytest.param(501, 500, b"one\ntwo\nthr", id="about to be written"),
        pytest.param(501, 560, b"thr", id="written, and not forgotten yet"),
    ],
)
def test_what_is_left(state: int, log_bytes: int, kept: bytes) -> None:
    held = (struct.pack("<Q", state) + b"one\ntwo\nthr").ljust(HELD_BYTES, b"\0")
    assert left(held, log_bytes) == kept


def test_what_is_held_is_what_is_not_in_the_log(tmp_path: Path) -> None:
    path = tmp_path / "held"
    path.write_bytes(bytes(HELD_BYTES))
    held = program._Held(str(path))
    reader, writer = os.pipe()
    try:
        os.write(writer, b"x" * 20_000)
        assert held.take(reader) == b"x" * 20_000
        held.is_written(70)
        held.keep(b"x" * 3_616)
        assert left(path.read_bytes(), 9_000) == b"x" * 3_616
        os.write(writer, b"y\n")
        assert held.take(reader) == b"x" * 3_616 + b"y\n"
        held.keep(b"")
        assert path.read_bytes() == bytes(HELD_BYTES)
    finally:
        os.close(reader)
        os.close(writer)


def test_where_there_is_no_room_for_the_file_the_output_goes_on(tmp_path: Path) -> None:
    held = program._Held(str(tmp_path / "held"))
    reader, writer = os.pipe()
    try:
        os.write(writer, b"one\ntw")
        assert held.take(reader) == b"one\ntw"
        held.keep(b"tw")
        os.write(writer, b"o")
        assert held.take(reader) == b"two"
    finally:
        os.close(reader)
        os.close(writer)
