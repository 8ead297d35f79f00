"""TensorBoard's event files that a container writes, as a source of a trial's values. Synchronous: for threads."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from sampan.components.tuning.api.observing import MetricLog, short
from sampan.components.tuning.controller.collecting.sources import RunKey
from sampan.components.tuning.engine.collecting.lines import Complaint
from sampan.components.tuning.engine.collecting.summaries import text_of, time_of, values
from sampan.components.tuning.engine.collecting.wanted import Wanted
from sampan.components.tuning.engine.trial.observation import Sums
from sampan.components.tuning.engine.trial.stopping import StopRules
from sampan.lib import linkless
from sampan.lib.tfevents import EventsError, Scalar, first_bytes, scalars

_MOST_FILES = 256
_MOST_DEPTH = 8
_MOST_OF_ORIGIN = 200
"""Bytes, behind the key."""
_CHUNK_BYTES = 16 * 1024 * 1024


class EventSource:
    """All event files below a folder. What of them is broken is read as far as it is not."""

    complaint: Complaint | None = None
    is_last_odd = False

    def __init__(self, wanted: Wanted, run: RunKey, folder: Callable[[], str]) -> None:
        """`folder` may be empty while there is nothing."""
        self.key = run.origin_of(wanted.path)
        self.place = f"{wanted.path} in {run.place}"
        self.sums = Sums(wanted.objective)
        self.rules = StopRules(wanted.rules, wanted.objective)
        self.problem = ""
        self._wanted = wanted
        self._folder = folder
        self._offsets: dict[Path, int] = {}
        self._broken: set[Path] = set()

    def read(self, *, is_over: bool) -> list[MetricLog]:
        top = self._folder()
        files = sorted(_files(Path(top))) if top else []
        if is_over and not files:
            self.problem = f"no event file (*.tfevents.*) was found in {self._wanted.path}"
        found: list[MetricLog] = []
        for file in files:
            at: int = -1
            some: list[MetricLog] = []
            # What holds no such value, pictures and the like, must not look like the end.
            while not some and self._offsets.get(file, 0) > at:
                at = self._offsets.get(file, 0)
                some = list(self._read_file(Path(top), file))
            found.extend(some)
        return found

    def close(self) -> None:
        return

    def _read_file(self, top: Path, file: Path) -> Iterator[MetricLog]:
        inside = str(file.parent.relative_to(top))
        folder = self._wanted.path.rstrip("/") + ("" if inside == "." else f"/{inside}")
        relative = str(file.relative_to(top))
        for metric, scalar in values(self._new(file), self._wanted.metrics, folder):
            text = text_of(scalar.value)
            # Its step and its time say which one it is, wherever reading began.
            which = f"{relative}:{scalar.step}:{scalar.wall_time!r}:{scalar.tag}"
            log = MetricLog(time_of(scalar), metric, text, f"{self.key}{short(which, _MOST_OF_ORIGIN)}")
            self.sums.take(log)
            self.rules.take(metric, text)
            yield log

    def _new(self, file: Path) -> list[Scalar]:
        if file in self._broken:
            return []
        at = self._offsets.get(file, 0)
        try:
            # Links are the pod's, and may lead anywhere.
            with (
                linkless.folder(str(file.parent)) as place,
                open(linkless.opened(file.name, place), "rb") as opened,
            ):
                opened.seek(at)
                data = opened.read(_CHUNK_BYTES)
            found, used = scalars(data)
            if not used and len(data) == _CHUNK_BYTES:
                # No scalar is as long as that.
                used = first_bytes(data)
        except (OSError, EventsError):
            self._broken.add(file)
            return []
        self._offsets[file] = at + used
        return found


def _files(top: Path) -> Iterator[Path]:
    count = 0
    with contextlib.suppress(OSError), linkless.folder(str(top)) as descriptor:
        for place, folders, names, _ in os.fwalk(".", dir_fd=descriptor):
            if len(Path(place).parts) >= _MOST_DEPTH:
                folders.clear()
            for name in names:
                if "tfevents" in name and count < _MOST_FILES:
                    count += 1
                    yield top / place / name
