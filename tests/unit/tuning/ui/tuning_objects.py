"""Experiments and trials as the API gives them, for the tests of tuning's pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

T = "2026-05-01T10:{:02d}:{:02d}Z"
OBJECTIVE = {
    "type": "minimize",
    "objectiveMetricName": "loss",
    "additionalMetricNames": ["accuracy"],
    "metricStrategies": [{"name": "loss", "value": "min"}, {"name": "accuracy", "value": "max"}],
}


def at(second: int) -> str:
    return T.format(second // 60, second % 60)


def conditions(told: Sequence[tuple[str, str, str]]) -> list[dict[str, str]]:
    """Types, reasons and messages, the oldest first; all but the last and `Created` no longer hold."""
    return [
        {
            "type": type_,
            "status": "True" if type_ == "Created" or place == len(told) - 1 else "False",
            "reason": reason,
            "message": message,
            "lastTransitionTime": at(place),
        }
        for place, (type_, reason, message) in enumerate(told)
    ]


def experiment(
    name: str = "search",
    told: Sequence[tuple[str, str, str]] = (),
    status: Mapping[str, Any] | None = None,
    **spec: Any,
) -> dict[str, Any]:
    return {
        "apiVersion": "kubeflow.org/v1beta1",
        "kind": "Experiment",
        "metadata": {"name": name, "namespace": "default", "uid": f"uid-{name}", "creationTimestamp": at(0)},
        "spec": {
            "objective": OBJECTIVE,
            "algorithm": {"algorithmName": "tpe"},
            "parallelTrialCount": 3,
            "maxTrialCount": 12,
            "maxFailedTrialCount": 3,
            "resumePolicy": "Never",
            "parameters": [
                {
                    "name": "lr",
                    "parameterType": "double",
                    "feasibleSpace": {"min": "0.0001", "max": "1", "distribution": "logUniform"},
                },
                {"name": "kind", "parameterType": "categorical", "feasibleSpace": {"list": ["a", "b"]}},
            ],
            "trialTemplate": {
                "primaryContainerName": "training",
                "trialParameters": [{"name": "lr", "reference": "lr"}],
                "trialSpec": {"apiVersion": "batch/v1", "kind": "Job", "spec": {}},
            },
            **spec,
        },
        "status": {"conditions": conditions(told), **(status or {})},
    }


def columns(rows: Sequence[tuple[str, str, float | None, dict[str, str]]], **more: Any) -> dict[str, Any]:
    """What `/tuning/v1/…/trials` answers for trials of these names, states, losses and parameters."""
    count = len(rows)
    names = dict.fromkeys(name for row in rows for name in row[3])
    return {
        "objective": {"metric": "loss", "type": "minimize", "goal": None},
        "objectives": [{"metric": "loss", "type": "minimize"}],
        "version": "1",
        "whole": True,
        "total": count,
        "best": "",
        "columns": {
            "name": [row[0] for row in rows],
            "uid": [row[0] for row in rows],
            "state": [row[1] for row in rows],
            "reason": ["" for _ in rows],
            "message": ["" for _ in rows],
            "created": [1000.0 + place for place in range(count)],
            "started": [1000.5 + place if row[1] != "Created" else None for place, row in enumerate(rows)],
            "ended": [
                1010.0 + place if row[1] not in ("Created", "Running") else None
                for place, row in enumerate(rows)
            ],
        },
        "parameters": {name: [row[3].get(name, "") for row in rows] for name in names},
        "metrics": {"loss": [row[2] for row in rows]},
        **more,
    }
