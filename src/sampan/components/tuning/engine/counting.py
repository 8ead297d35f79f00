"""How many experiments and trials there have been since this process began, as Katib's controller counts them.

Fed by the controllers' caches (`controller.parts`), read by `rest.metrics`. Pure. Source: kubeflow/katib 0.19
pkg/controller.v1beta1/{experiment,trial}/util/prometheus_metrics.go.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from sampan.components.tuning.api.conditions import (
    FAILED,
    METRICS_UNAVAILABLE,
    SUCCEEDED,
    conditions_of,
)
from sampan.kube import meta
from sampan.kube.meta import Object

_UNKNOWN = "Unknown"


class Counts:
    """Of one kind. For one event loop."""

    def __init__(self, ends: Mapping[str, str]) -> None:
        """`ends`: words for conditions that are counted when they come to hold."""
        self._ends = ends
        self.events: dict[str, Counter[str]] = {
            word: Counter() for word in ("created", *ends.values(), "deleted")
        }
        """What has happened how often, by namespace."""

    def see(self, old: Object | None, new: Object | None, *, is_new: bool) -> None:
        """A change. What was there when this process began is not new: it was counted by another."""
        namespace = meta.namespace(new if new is not None else old or {})
        if new is None:
            self.events["deleted"][namespace] += 1
            return
        if old is None and not is_new:
            return
        if old is None:
            self.events["created"][namespace] += 1
        # Most changes end nothing.
        after = _true(new) & self._ends.keys()
        for condition in after - _true(old or {}) if after else ():
            self.events[self._ends[condition]][namespace] += 1


class Totals:
    """Of both kinds."""

    def __init__(self) -> None:
        self.experiments = Counts({SUCCEEDED: "succeeded", FAILED: "failed"})
        self.trials = Counts(
            {SUCCEEDED: "succeeded", FAILED: "failed", METRICS_UNAVAILABLE: "metrics_unavailable"}
        )


def by_status(objects: Iterable[Object]) -> Counter[tuple[str, str]]:
    """How many there are by namespace and the type of the last condition."""
    return Counter((meta.namespace(each), _status(each)) for each in objects)


def _true(obj: Object) -> set[str]:
    """The types of conditions that hold."""
    return {str(each.get("type")) for each in conditions_of(obj) if each.get("status") == "True"}


def _status(obj: Object) -> str:
    conditions = conditions_of(obj)
    return str(conditions[-1].get("type") or _UNKNOWN) if conditions else _UNKNOWN
