"""Which scalars of TensorBoard's event files are values of a trial's metrics. Pure.

Source: kubeflow/katib 0.19 pkg/metricscollector/v1beta1/tfevent-metricscollector/tfevent_loader.py: a metric's name
may begin with the name of the folder that the file is in (`train/accuracy`), and a tag counts that begins with the
rest.
"""

from __future__ import annotations

import posixpath
import struct
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from sampan.lib.tfevents import Scalar

EPOCH = "1970-01-01T00:00:00Z"


def values(scalars: Iterable[Scalar], metrics: Iterable[str], folder: str) -> Iterator[tuple[str, Scalar]]:
    """Of a file in `folder`: metrics with their scalars, in order."""
    wanted = [(each, posixpath.dirname(each), each.rpartition("/")[2]) for each in metrics]
    for scalar in scalars:
        for metric, inside, name in wanted:
            if scalar.tag.startswith(name) and folder.endswith(inside):
                yield metric, scalar


def text_of(value: float) -> str:
    """As short as it can be: most of them were written as floats of 32 bits."""
    try:
        single = struct.pack("<f", value)
        if struct.unpack("<f", single)[0] != value:
            return repr(value)
        return next(
            text
            for digits in range(6, 10)
            if struct.pack("<f", float(text := f"{value:.{digits}g}")) == single
        )
    except (OverflowError, StopIteration):
        return repr(value)


def time_of(scalar: Scalar) -> str:
    try:
        moment = datetime.fromtimestamp(scalar.wall_time, UTC)
    except (ValueError, OverflowError, OSError):
        return EPOCH
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
