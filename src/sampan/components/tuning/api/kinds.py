"""Tuning's kinds as Kubernetes serves them. Source: kubeflow/katib 0.19 pkg/apis/controller."""

from __future__ import annotations

from sampan.kube.kinds import Resource

GROUP = "kubeflow.org"
VERSION = "v1beta1"


def _kind(kind: str) -> Resource:
    singular = kind.lower()
    return Resource(GROUP, VERSION, kind, f"{singular}s", singular=singular)


EXPERIMENTS = _kind("Experiment")
SUGGESTIONS = _kind("Suggestion")
TRIALS = _kind("Trial")

KINDS: tuple[Resource, ...] = (EXPERIMENTS, SUGGESTIONS, TRIALS)
