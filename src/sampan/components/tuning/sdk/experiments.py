"""Experiments in a cluster, for commands and handles: read, waited for, edited, ended. Blocking."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sampan.client.session import Session
from sampan.components.tuning.api import kinds, labels
from sampan.components.tuning.api.reading import place_in_time
from sampan.components.tuning.api.summary import Summary, TrialSummary, summarise, summarise_trial
from sampan.components.tuning.sdk.plan import TuneError
from sampan.kube import meta, owners
from sampan.kube.errors import ApiError, NotFoundError
from sampan.kube.kinds import CONFIG_MAPS, Resource
from sampan.kube.meta import Object

_POLL_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Ref:
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"experiment/{self.name}"


class Experiments:
    """For any thread. Methods raise ApiError."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def submit(self, experiment: Object, code: Sequence[Object] = ()) -> Ref:
        """Creates it, and ConfigMaps that go with it; leaves nothing behind when it fails."""
        namespace = meta.namespace(experiment)
        maps = [self.session.create(CONFIG_MAPS, each) for each in code]
        try:
            made = self.session.create(kinds.EXPERIMENTS, experiment)
        except BaseException:
            for each in maps:
                try:
                    self.session.delete(CONFIG_MAPS, meta.name(each), namespace)
                except ApiError:
                    continue
            raise
        owner = owners.owner_reference({**made, "kind": kinds.EXPERIMENTS.kind}, controller=False)
        for each in maps:
            self.session.patch(
                CONFIG_MAPS, meta.name(each), {"metadata": {"ownerReferences": [owner]}}, namespace
            )
        return Ref(namespace, meta.name(experiment))

    def get(self, ref: Ref) -> Object:
        found = self.session.get(kinds.EXPERIMENTS, ref.name, ref.namespace)
        return {**found, "apiVersion": kinds.EXPERIMENTS.api_version, "kind": kinds.EXPERIMENTS.kind}

    def summary(self, ref: Ref) -> Summary:
        return summarise(self.get(ref))

    def newest(self, namespace: str | None) -> list[Summary]:
        """The newest first; of all namespaces for None."""
        found = [summarise(each) for each in self.session.list(kinds.EXPERIMENTS, namespace)]
        return sorted(found, key=lambda each: (each.created, each.name), reverse=True)

    def trials(self, ref: Ref) -> list[TrialSummary]:
        """As they came."""
        found = sorted(self.trial_objects(ref), key=lambda each: (place_in_time(each), meta.name(each)))
        return [summarise_trial(each) for each in found]

    def trial_objects(self, ref: Ref) -> list[Object]:
        return self.session.list(kinds.TRIALS, ref.namespace, f"{labels.EXPERIMENT}={ref.name}")

    def wait(self, ref: Ref, timeout_seconds: float | None = None) -> Summary:
        """Until it has ended, however. Raises TimeoutError, NotFoundError once it is deleted."""
        deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        while not (found := self.summary(ref)).is_over:
            if deadline is not None and time.monotonic() > deadline:
                said = f": {found.message}" if found.message else ""
                raise TimeoutError(f"{ref} is still {found.state} after {timeout_seconds:.0f} s{said}")
            time.sleep(_POLL_SECONDS)
        return found

    def edit(self, ref: Ref, counts: Mapping[str, int | None]) -> None:
        """The counts, which alone may change."""
        spec = {name: value for name, value in counts.items() if value is not None}
        self.session.patch(kinds.EXPERIMENTS, ref.name, {"spec": spec}, ref.namespace)

    def stop(self, ref: Ref) -> None:
        """Ends it: what runs is ended, what is known stays."""
        annotations = {labels.STOP: "true"}
        self.session.patch(
            kinds.EXPERIMENTS, ref.name, {"metadata": {"annotations": annotations}}, ref.namespace
        )

    def resume(self, ref: Ref, trials: int) -> None:
        """Lets one that was stopped, or has had all its trials, have `trials` more. Raises TuneError."""
        found = self.get(ref)
        summary = summarise(found)
        if summary.resume_policy == "Never" and summary.state.is_finished:
            raise TuneError(
                f"{ref} has the resume policy Never: make a new one, or set LongRunning from the start"
            )
        most, spec = summary.trials + trials, meta.spec(found)
        # The others may not be more than there are trials.
        counts = {
            key: min(most, int(spec[key]))
            for key in ("parallelTrialCount", "maxFailedTrialCount")
            if spec.get(key) is not None
        }
        change: dict[str, Any] = {"spec": {"maxTrialCount": most, **counts}}
        if labels.STOP in meta.annotations(found):
            change["metadata"] = {"annotations": {labels.STOP: None}}
        self.session.patch(kinds.EXPERIMENTS, ref.name, change, ref.namespace)

    def delete(self, ref: Ref) -> None:
        self.session.delete(kinds.EXPERIMENTS, ref.name, ref.namespace)

    def exists(self, ref: Ref) -> bool:
        return self._has(kinds.EXPERIMENTS, ref)

    def has_trial(self, ref: Ref) -> bool:
        return self._has(kinds.TRIALS, ref)

    def _has(self, resource: Resource, ref: Ref) -> bool:
        try:
            self.session.get(resource, ref.name, ref.namespace)
        except NotFoundError:
            return False
        return True
