"""Runs a command and starts it again whenever a Python file below a folder changes: `reload.py FOLDER COMMAND…`."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from pathlib import Path


def newest(folder: Path) -> float:
    return max((path.stat().st_mtime for path in folder.rglob("*.py")), default=0.0)


def main(folder: Path, command: list[str]) -> int:
    while True:
        started_from = newest(folder)
        process = subprocess.Popen(command)
        try:
            while process.poll() is None and newest(folder) == started_from:
                time.sleep(1)
        except KeyboardInterrupt:
            with contextlib.suppress(KeyboardInterrupt):
                process.wait()
            return 0
        if process.poll() is not None:
            return process.returncode
        process.terminate()
        process.wait()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
