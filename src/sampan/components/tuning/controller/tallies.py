"""The trials of each experiment, counted from the cache of trials. Shared by the reconcilers."""

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
        trials.add_handler(self._on_trial)

    def of(self, experiment: Object) -> Tally:
        return self._tallies.get(meta.uid(experiment)) or Tally()

    def _on_trial(self, old: Object | None, new: Object | None) -> None:
        before, after = _owner(old), _owner(new)
        if old is not None and before and before != after:
            tally = self._tallies.get(before)
            if tally is not None:
                tally.remove(meta.name(old))
                if not len(tally):
                    del self._tallies[before]
        if new is not None and after:
            self._tallies.setdefault(after, Tally()).put(new)


def _owner(trial: Object | None) -> str:
    """The uid of the experiment that controls it, empty where none does."""
    found = owners.controller_of(trial) if trial is not None else None
    return str(found.get("uid") or "") if found and found.get("kind") == EXPERIMENTS.kind else ""
