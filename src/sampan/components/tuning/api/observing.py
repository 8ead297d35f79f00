"""What a trial measures: lines of its observation log, and what they come to.

Source: kubeflow/katib 0.19 pkg/apis/manager/v1beta1/api.proto, pkg/controller.v1beta1/trial/trial_controller_util.go.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MetricLog:
    """One value of one metric."""

    time: str
    """RFC 3339, in UTC, up to nanoseconds."""
    name: str
    value: str
    """A number as it was written, or `labels.UNAVAILABLE`."""
    origin: str = ""
    """Where it was read, such as a file and the place in it: the same place read again counts once. Empty for what
    is pushed, which counts each time."""


@dataclass(frozen=True, slots=True)
class Metric:
    """All values of one metric of one trial. Values as they were written, or `labels.UNAVAILABLE`."""

    name: str
    min: str
    max: str
    latest: str
