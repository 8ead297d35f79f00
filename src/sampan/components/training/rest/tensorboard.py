"""TensorBoard's event files in the folder that a job has named as its output (`sampan.dev/output`)."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from sampan.components.training.api import labels
from sampan.components.training.engine.metrics.series import Metrics, Point
from sampan.components.training.rest.job_pods import FoundJob
from sampan.components.training.rest.sources import LogSource
from sampan.kube import meta
from sampan.kube.errors import ApiError
from sampan.lib import linkless
from sampan.lib.clock import rfc3339
from sampan.lib.tfevents import EventsError, scalars

_MOST_FILES = 64
_MOST_DEPTH = 6
_MOST_BYTES = 16 * 1024 * 1024
"""Of one file in one request."""


async def output_folder(source: LogSource, found: FoundJob) -> Path | None:
    """Where the job's output lies on this machine; None where it cannot be seen from here, or there is none."""
    path = meta.annotations(found.job or {}).get(labels.OUTPUT, "")
    if source.pod_places is None or not path.startswith("/") or not found.live:
        return None
    pod = next(iter(found.live.values()))
    try:
        place = (await source.pod_places(pod))(path)
    except ApiError:
        return None
    return Path(place) if place else None


@dataclass(slots=True)
class EventFolder:
    """How far the event files below a folder are read. Synchronous: for threads."""

    folder: Path
    _offsets: dict[Path, int] = field(default_factory=dict)
    _broken: set[Path] = field(default_factory=set)

    def read(self, metrics: Metrics) -> bool:
        """Adds what is new; whether that was all."""
        complete = True
        for file in self._files():
            complete = self._read_file(file, metrics) and complete
        return complete

    def _files(self) -> list[Path]:
        found: list[Path] = []
        with contextlib.suppress(OSError), linkless.folder(str(self.folder)) as top:
            for place, folders, names, _ in os.fwalk(".", dir_fd=top):
                inner = Path(place)
                if len(inner.parts) >= _MOST_DEPTH:
                    folders.clear()
                found += [self.folder / inner / name for name in names if ".tfevents." in name]
                if len(found) >= _MOST_FILES:
                    break
        return sorted(found)[:_MOST_FILES]

    def _read_file(self, file: Path, metrics: Metrics) -> bool:
        if file in self._broken:
            return True
        at = self._offsets.get(file, 0)
        try:
            # Links are the pod's, and may lead anywhere.
            with (
                linkless.folder(str(file.parent)) as place,
                open(linkless.opened(file.name, place), "rb") as opened,
            ):
                opened.seek(at)
                data = opened.read(_MOST_BYTES)
            found, used = scalars(data)
        except (OSError, EventsError):
            self._broken.add(file)
            return True
        self._offsets[file] = at + used
        run = str(file.parent.relative_to(self.folder))
        for each in found:
            moment = (
                rfc3339(datetime.fromtimestamp(each.wall_time, UTC), micro=True) if each.wall_time > 0 else ""
            )
            name = each.tag if run == "." else f"{run}/{each.tag}"
            metrics.add(("tensorboard", name, ""), Point(each.step, each.value, moment))
        return len(data) < _MOST_BYTES or not used
