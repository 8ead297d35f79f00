"""From what is asked of a Deployment's pods to how many there should be.

Two averages: over the stable window, and over the last tenth of it. When the short one asks for twice what is there,
that is panic: from then on numbers only grow, until for a whole stable window it was no longer so.
Source: knative.dev/serving pkg/autoscaler/scaling/autoscaler.go (1.22). The excess burst capacity is not reckoned: it
decides there whether requests go through the activator, and here they all go through the gateway.
"""

from __future__ import annotations

import math

from sampan.components.serving.engine.scaling.annotations import ScalingSpec
from sampan.components.serving.engine.scaling.windows import MaxWindow

TICK_SECONDS = 2.0


class Decider:
    """Of one Deployment. Times in seconds on a clock that never jumps."""

    def __init__(self, ready: int, now: float) -> None:
        """`ready` pods that nothing is known about (the server has just started) are kept for a stable window."""
        self._panics_since: float | None = now if ready > 1 else None
        self._most_in_panic = ready
        self._delay: MaxWindow | None = None

    @property
    def is_in_panic(self) -> bool:
        return self._panics_since is not None

    def desired(self, spec: ScalingSpec, stable: float, panic: float, ready: int, now: float) -> int:
        """`stable` and `panic`: the metric's averages over the two windows, of all pods together."""
        pods = max(ready, 1)
        # Rounded so that a rate too small to matter still lets one more pod come, and one go.
        most = math.ceil(spec.max_scale_up_rate * pods)
        least = math.floor(pods / spec.max_scale_down_rate) if spec.is_reachable else 0
        for_stable, for_panic = (math.ceil(each / spec.target) for each in (stable, panic))
        wanted, wanted_in_panic = (
            _activated(min(max(each, least), most), each, spec) for each in (for_stable, for_panic)
        )
        self._judge_panic(spec, for_panic / pods >= spec.panic_threshold, now)
        if self.is_in_panic:
            # The average of the longer window may be the larger one.
            self._most_in_panic = max(self._most_in_panic, wanted, wanted_in_panic)
            wanted = self._most_in_panic
        return self._delayed(spec, wanted, now)

    def _judge_panic(self, spec: ScalingSpec, is_over: bool, now: float) -> None:
        if is_over:
            self._panics_since = now
        elif self._panics_since is not None and self._panics_since + spec.stable_window < now:
            self._panics_since = None
            self._most_in_panic = 0

    def _delayed(self, spec: ScalingSpec, wanted: int, now: float) -> int:
        if not spec.is_reachable or spec.scale_down_delay <= 0:
            # Not a window of one bucket: of two looks within one, the last counts here.
            self._delay = self._delay if spec.scale_down_delay > 0 else None
            return wanted
        if self._delay is None or self._delay.duration != spec.scale_down_delay:
            self._delay = MaxWindow(spec.scale_down_delay, TICK_SECONDS)
        return self._delay.record(now, wanted)


def _activated(wanted: int, asked: int, spec: ScalingSpec) -> int:
    """Whoever comes up at all comes up with that many."""
    return max(wanted, spec.activation_scale) if spec.activation_scale > 1 and asked > 0 else wanted
