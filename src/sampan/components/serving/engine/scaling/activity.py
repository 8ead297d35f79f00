"""Whether a Deployment may follow what the decider says, down to zero above all.

Source: knative.dev/serving pkg/reconciler/autoscaling/kpa/{scaler,kpa}.go (1.22). What upstream keeps as the condition
`Active` of a PodAutoscaler is a state here, made anew with the server: whatever runs then counts as active from then
on. The gateway is always in front of the pods, as upstream's activator is with a target-burst-capacity of -1.
"""

from __future__ import annotations

import math
from enum import StrEnum
from typing import NamedTuple

from sampan.components.serving.engine.scaling.annotations import ScalingSpec

_ACTIVATION_BUFFER_SECONDS = 30.0
"""So that the Deployment says why its pods do not come up before they are taken away."""
_UNKNOWN = -1


class State(StrEnum):
    INACTIVE = "Inactive"
    ACTIVATING = "Activating"
    ACTIVE = "Active"


class Pods(NamedTuple):
    replicas: int
    """As the Deployment's spec has it."""
    ready: int


class Activity:
    """Of one Deployment. Times in seconds on a clock that never jumps."""

    def __init__(self, spec: ScalingSpec, pods: Pods, *, was_complete: bool, now: float) -> None:
        """`was_complete`: all the pods it wanted were there once."""
        self.is_initialized = was_complete or pods.replicas == 0
        # A sleeper is reached by the gateway alone, and has been for as long as it slept.
        self._proxied_since = now if pods.replicas else -math.inf
        self._since = now
        self.state = State.ACTIVATING
        if pods.replicas == 0:
            self.state = State.INACTIVE
        elif pods.ready >= self._enough(spec):
            self.state = State.ACTIVE

    def scale(self, spec: ScalingSpec, desired: int, pods: Pods, now: float) -> int:
        """How many replicas there are to be now; `pods.replicas` where it is not time to change them."""
        wanted = _bounded(desired, self._least(spec), spec.max_scale)
        is_time = True
        if wanted == 0:
            wanted, is_time = self._down_to_zero(spec, pods.ready, now)
        self._observe(spec, wanted, pods.ready, now)
        return wanted if is_time else pods.replicas

    def _least(self, spec: ScalingSpec) -> int:
        if spec.initial_scale > 1 and not self.is_initialized and spec.is_reachable:
            return max(spec.initial_scale, spec.min_scale)
        return spec.min_scale

    def _down_to_zero(self, spec: ScalingSpec, ready: int, now: float) -> tuple[int, bool]:
        """What is wanted, and whether it is time for it."""
        if not spec.may_be_zero:
            return 1, True
        lasted = now - self._since
        if self.state is State.ACTIVATING:
            timeout = spec.progress_deadline + _ACTIVATION_BUFFER_SECONDS
            # Upstream lets a revision that nobody wants any more fail for as long, too.
            is_hopeless = lasted > timeout or not (spec.is_reachable or ready)
            return (0, True) if is_hopeless else (_UNKNOWN, False)
        if self.state is State.ACTIVE:
            if lasted < spec.stable_window:
                return 1, True
            # Inactive from now on, and then it is a matter of the last pod's time.
            self._enter(State.INACTIVE, now)
            lasted = 0.0
        is_proxied = now - self._proxied_since >= spec.grace_period
        return 0, lasted >= spec.pod_retention and (is_proxied or lasted >= spec.grace_period)

    def _observe(self, spec: ScalingSpec, wanted: int, ready: int, now: float) -> None:
        enough = self._enough(spec)
        if ready >= enough:
            self.is_initialized = True
        if wanted == 0 or enough == 0:
            self._enter(State.INACTIVE, now)
        elif wanted > 0 or self.state is not State.INACTIVE:
            self._enter(State.ACTIVE if ready >= enough else State.ACTIVATING, now)

    def _enough(self, spec: ScalingSpec) -> int:
        """Ready pods that make it active."""
        if not self.is_initialized:
            return max(spec.min_scale, spec.initial_scale)
        return max(spec.min_scale, 1)

    def _enter(self, state: State, now: float) -> None:
        if state is not self.state:
            self.state, self._since = state, now


def _bounded(wanted: int, least: int, most: int) -> int:
    if wanted < least:
        return least
    return most if most and wanted > most else wanted
