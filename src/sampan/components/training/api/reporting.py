"""How a trainer tells of its progress: the path it calls, the token it shows, and where it finds both.

For the trainer's plugin, which tells pods, and for the endpoint, which answers them. Source: kubeflow/trainer
pkg/statusserver/utils.go, pkg/runtime/framework/plugins/trainjobstatus/trainjobstatus.go, v2.3.
"""

from __future__ import annotations

import re

from sampan.components.training.api.kinds import TRAIN_JOBS, TRAINER_GROUP, TRAINER_VERSION

URL, CA_CERT, TOKEN = (f"KUBEFLOW_TRAINER_SERVER_{each}" for each in ("URL", "CA_CERT", "TOKEN"))
"""Environment variables."""
MOUNT_PATH = "/var/run/secrets/kubeflow/trainer"
VOLUME = "kubeflow-trainer-token"
TOKEN_FILE, CA_FILE = "token", "ca.crt"
TOKEN_SECONDS = 3600

ROUTE = TRAIN_JOBS.path("{namespace}", "{name}", "status")
PATTERN = f"/apis/{re.escape(TRAINER_GROUP)}/{TRAINER_VERSION}/namespaces/[^/]{{1,63}}/trainjobs/[^/]{{1,253}}/status"
"""Of the whole path."""


def path(namespace: str, name: str) -> str:
    return TRAIN_JOBS.path(namespace, name, "status")


def audience(namespace: str, name: str) -> str:
    return f"{TRAINER_GROUP}/{TRAINER_VERSION}/namespaces/{namespace}/trainjobs/{name}/status"
