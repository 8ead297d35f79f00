"""What a trial has printed that is a call in a worker: a file of its own in the folder of its experiment.

Workers are programs of users and write into that folder: no link there is followed, and what is no plain file is not
read. Synchronous: for threads.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from sampan.components.tuning.rest.place import is_name

_FOLDER = Path("tuning") / "in-process"
"""Below the home: `NAMESPACE/EXPERIMENT/logs/TRIAL.log`."""
_LONGEST_NAME = 200
_CHUNK_BYTES = 256 * 1024
_MOST_TAIL_BYTES = 32 * 1024 * 1024
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class CalledPlace:
    home: Path
    namespace: str
    experiment: str
    trial: str


class CalledLog:
    """Close it."""

    def __init__(self, place: CalledPlace, tail: int | None) -> None:
        """Raises FileNotFoundError where there is none."""
        self._file = _opened(place)
        if tail is not None:
            os.lseek(self._file, _start(self._file, tail), os.SEEK_SET)

    def read(self) -> bytes:
        """What comes next; nothing when there is no more for now."""
        return os.read(self._file, _CHUNK_BYTES)

    def close(self) -> None:
        os.close(self._file)


def is_there(place: CalledPlace) -> bool:
    try:
        CalledLog(place, None).close()
    except FileNotFoundError:
        return False
    return True


def _opened(place: CalledPlace) -> int:
    if not all(map(is_name, (place.namespace, place.experiment, place.trial))):
        raise FileNotFoundError(place.trial)
    folder = place.home / _FOLDER / place.namespace / place.experiment
    opened: list[int] = []
    try:
        opened.append(os.open(folder, _DIRECTORY))
        opened.append(os.open("logs", _DIRECTORY, dir_fd=opened[-1]))
        file = os.open(f"{place.trial[:_LONGEST_NAME]}.log", _FILE, dir_fd=opened[-1])
    except OSError as error:
        raise FileNotFoundError(place.trial) from error
    finally:
        for each in opened:
            os.close(each)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise FileNotFoundError(place.trial)
    return file


def _start(file: int, lines: int) -> int:
    """Where the last lines begin, so far back as is looked."""
    size = os.fstat(file).st_size
    at, data = size, b""
    while at > 0 and data.count(b"\n") <= lines and size - at < _MOST_TAIL_BYTES:
        step = min(_CHUNK_BYTES, at)
        at -= step
        data = os.pread(file, step, at) + data
    ends = data.endswith(b"\n")
    kept = data.split(b"\n")[: -1 if ends else None]
    dropped = kept[: max(len(kept) - lines, 0)]
    return at + sum(len(each) + 1 for each in dropped)
