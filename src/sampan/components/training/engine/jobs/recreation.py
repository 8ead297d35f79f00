"""How long a replica that keeps failing at once must wait before it is made anew.

A pod that restarts by itself is held back by its node. One that the job makes anew would not be: a job whose program is
killed as it starts would keep the machine busy with pods. The first times are free, so that a lost worker is back at
once. Not remembered over a restart of the server, which costs three quick tries. Upstream holds nothing back.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sampan.components.training.engine.jobs.pods import Slot

_QUICK_SECONDS = 10.0
"""A pod that lived longer had a life."""
_FREE = 3
_MOST_SECONDS = 60.0


@dataclass(slots=True)
class _Failing:
    uid: str
    """Of the pod that failed last."""
    times: int
    until: float


@dataclass(slots=True)
class Recreations:
    """Of one job."""

    _failing: dict[Slot, _Failing] = field(default_factory=dict)

    def failed(self, slot: Slot, uid: str, lived_seconds: float, now: float) -> None:
        """A pod has failed; said as often as it is seen. `now` on a clock that never jumps."""
        before = self._failing.get(slot)
        if before is not None and before.uid == uid:
            return
        times = (before.times if before else 0) + 1 if lived_seconds < _QUICK_SECONDS else 1
        delay = min(2.0 ** (times - _FREE - 1), _MOST_SECONDS) if times > _FREE else 0.0
        self._failing[slot] = _Failing(uid, times, now + delay)

    def held(self, now: float) -> dict[Slot, float]:
        """Seconds for which each replica is not to be made yet."""
        return {slot: each.until - now for slot, each in self._failing.items() if each.until > now}
