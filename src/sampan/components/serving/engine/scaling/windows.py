"""The most that was recorded within a while: what holds back a scaling down.

Source: knative.dev/serving pkg/autoscaler/aggregation/max/{timewindow,window}.go (1.22). The queue whose values only
fall is the "ascending minima" algorithm of R. Harter, http://home.tiac.net/~cri/2001/slidingmin.html.
"""

from __future__ import annotations

import math
from collections import deque


class MaxWindow:
    """Times in seconds, none before an earlier one."""

    def __init__(self, duration: float, granularity: float) -> None:
        self.duration = duration
        self._granularity = granularity
        self._buckets = max(math.ceil(duration / granularity), 1)
        self._maxima: deque[tuple[int, int]] = deque()
        """Values with the buckets they are of: buckets rise, values fall."""

    def record(self, now: float, value: int) -> int:
        """The most within the window, `value` included."""
        bucket = int(now // self._granularity)
        maxima = self._maxima
        if maxima and maxima[-1][1] == bucket:
            # Of one bucket the largest counts, not the last.
            value = max(value, maxima.pop()[0])
        while maxima and maxima[-1][0] <= value:
            maxima.pop()
        while maxima and bucket - maxima[0][1] >= self._buckets:
            maxima.popleft()
        maxima.append((value, bucket))
        return maxima[0][0]
