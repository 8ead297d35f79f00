"""Whether an experiment is over, and whether it goes on again: what its conditions and its counts say. Pure.

For reconcilers, hooks, and whoever waits for its end. Source: kubeflow/katib 0.19
pkg/controller.v1beta1/experiment/util/experiment_util.go (IsCompletedExperimentRestartable), experiment_controller.go.
"""

from __future__ import annotations

from sampan.components.tuning.api import labels
from sampan.components.tuning.api.conditions import FAILED, SUCCEEDED, conditions_of, find, holds
from sampan.kube import meta
from sampan.kube.meta import Object

MAX_TRIALS_REASON = "ExperimentMaxTrialsReached"
STOPPED_REASON = "ExperimentStopped"
"""Ours: upstream's are deleted."""


def is_completed(experiment: Object) -> bool:
    conditions = conditions_of(experiment)
    return holds(conditions, SUCCEEDED) or holds(conditions, FAILED)


def is_restartable(experiment: Object) -> bool:
    """Whether a completed one may go on if its budget grows."""
    done = find(conditions_of(experiment), SUCCEEDED) or {}
    return (
        done.get("status") == "True"
        and done.get("reason") in (MAX_TRIALS_REASON, STOPPED_REASON)
        and meta.spec(experiment).get("resumePolicy") in ("LongRunning", "FromVolume")
    )


def restarts(experiment: Object) -> bool:
    """Whether a completed one goes on, for its budget has grown."""
    most = meta.spec(experiment).get("maxTrialCount")
    made = int(meta.status(experiment).get("trials") or 0)
    stays = is_stopped(experiment) or not is_restartable(experiment)
    return not stays and (most is None or int(most) > made)


def is_stopped(experiment: Object) -> bool:
    """Whether its user wants it ended."""
    return meta.annotations(experiment).get(labels.STOP) == "true"
