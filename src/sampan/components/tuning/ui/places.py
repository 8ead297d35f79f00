"""Where experiments, trials and what belongs to them are: paths of the API, and of our own pages. Pure."""

from __future__ import annotations

from sampan.components.tuning.api import labels
from sampan.components.tuning.api.kinds import EXPERIMENTS, SUGGESTIONS, TRIALS
from sampan.kube.kinds import Resource
from sampan.ui.api import segment

LIST = "/tuning"
NEW = "/tuning/new"
TEMPLATES = "/tuning/templates"
ICON = "tune"
"""Of tuning, wherever it is named."""


def experiment(namespace: str, name: str) -> str:
    """The page of an experiment."""
    return f"{LIST}/experiments/{segment(namespace)}/{segment(name)}"


def trial(namespace: str, name: str) -> str:
    """The page of a trial."""
    return f"{LIST}/trials/{segment(namespace)}/{segment(name)}"


def cluster(resource: Resource, namespace: str, name: str) -> str:
    """The page of an object among those of the cluster."""
    return f"/cluster/{resource.key}/{segment(namespace)}/{segment(name)}"


def api(resource: Resource, namespace: str, name: str = "", subresource: str = "") -> str:
    """The API's path of a collection or an object."""
    return resource.path(segment(namespace), segment(name), subresource)


def experiments_api(namespace: str, name: str = "") -> str:
    return api(EXPERIMENTS, namespace, name)


def suggestion_api(namespace: str, name: str) -> str:
    return api(SUGGESTIONS, namespace, name)


def trials_api(namespace: str, name: str = "") -> str:
    return api(TRIALS, namespace, name)


def of_experiment(name: str) -> dict[str, str]:
    """The query that chooses the trials of an experiment."""
    return {"labelSelector": f"{labels.EXPERIMENT}={name}"}


def tuning_api(namespace: str, experiment: str, part: str) -> str:
    """Of an experiment, in the API that is beside Kubernetes'."""
    return f"/tuning/v1/namespaces/{segment(namespace)}/experiments/{segment(experiment)}/{part}"


def trial_api(namespace: str, trial: str, part: str) -> str:
    return f"/tuning/v1/namespaces/{segment(namespace)}/trials/{segment(trial)}/{part}"


def columns_api(namespace: str, experiment: str) -> str:
    """All trials of an experiment, compactly."""
    return tuning_api(namespace, experiment, "trials")
