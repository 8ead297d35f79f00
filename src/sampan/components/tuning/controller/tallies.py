"""The trials of each experiment, counted from the cache of trials. Shared by the reconcilers.

Counted from the first question on: whoever drives trials in-process has a count of its own and never asks.
"""

from __future__ import annotations

from sampan.components.tuning.api.kinds import EXPERIMENTS
from sampan.components.tuning.engine.experiment.tally import Tally
from sampan.kube import meta, owners
from sampan.kube.meta import Object
from sampan.reconcile.cache import Cache


class Tallies:
    """By the experiment that controls the trials, by its uid. For one event loop."""

    def __init__(self, trials: Cache) -> None:
        self._tallies: dict[str, Tally] = {}
        self._uncounted: dict[str, dict[str, Object]] = {}
        """Trials by name, of experiments that nobody has asked about."""
        trials.add_handler(self._on_trial)

    def of(self, experiment: Object) -> Tally:
        uid = meta.uid(experiment)
        if trials := self._uncounted.pop(uid, None):
            tally = self._tallies[uid] = Tally()
            for each in trials.values():
                tally.put(each)
        return self._tallies.get(uid) or Tally()

    def _on_trial(self, old: Object | None, new: Object | None) -> None:
        before, after = _owner(old), _owner(new)
        if old is not None and before and before != after:
            self._remove(before, meta.name(old))
        if new is not None and after:
            if (tally := self._tallies.get(after)) is not None:
                tally.put(new)
            else:
                self._uncounted.setdefault(after, {})[meta.name(new)] = new

    def _remove(self, uid: str, trial: str) -> None:
        if (tally := self._tallies.get(uid)) is not None:
            tally.remove(trial)
            if not len(tally):
                del self._tallies[uid]
        elif (trials := self._uncounted.get(uid)) is not None:
            trials.pop(trial, None)
            if not trials:
                del self._uncounted[uid]


def _owner(trial: Object | None) -> str:
    """The uid of the experiment that controls it, empty where none does."""
    found = owners.controller_of(trial) if trial is not None else None
    return str(found.get("uid") or "") if found and found.get("kind") == EXPERIMENTS.kind else ""
