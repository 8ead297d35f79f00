"""What becomes of experiments and trials is counted as their caches see it. For `controller.parts`."""

from __future__ import annotations

from sampan.components.tuning.api.kinds import EXPERIMENTS, TRIALS
from sampan.components.tuning.engine.counting import Counts, Totals
from sampan.reconcile.cache import Cache, Caches


def count(caches: Caches, totals: Totals) -> None:
    """Before they are started."""
    _follow(caches.of(EXPERIMENTS), totals.experiments)
    _follow(caches.of(TRIALS), totals.trials)


def _follow(cache: Cache, counts: Counts) -> None:
    cache.add_handler(lambda old, new: counts.see(old, new, is_new=cache.is_synced))
