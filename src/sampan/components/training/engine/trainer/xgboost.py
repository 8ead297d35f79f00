"""The policy `xgboost`: the tracker that the first node runs, and how many workers report to it.

A node with GPUs has a worker for each, else one. Source: kubeflow/trainer
pkg/runtime/framework/plugins/xgboost/xgboost.go, v2.3.
"""

from __future__ import annotations

from sampan.components.training.engine.trainer import resources
from sampan.components.training.engine.trainer.contract import (
    COMPLETION_INDEX_PATH,
    TRAINER,
    TRAINER_PORT,
    Info,
    Plugin,
)
from sampan.components.training.engine.trainer.torch import master_address
from sampan.components.training.engine.trainer.upserts import from_field, upsert_env, upsert_port, value


def enforce(info: Info) -> None:
    pods = info.by_ancestor(TRAINER)
    if info.ml_policy.get("xgboost") is None or pods is None:
        return
    wanted = info.trainer.get("numNodes")
    if wanted is not None:
        pods.count = int(wanted)
    container = info.trainer_container() if info.has_trainer else None
    if container is None:
        return
    workers = max(resources.gpus(resources.per_node(info)), 1)
    upsert_env(
        container,
        [
            value("DMLC_TRACKER_URI", master_address(info)),
            value("DMLC_TRACKER_PORT", TRAINER_PORT),
            from_field("DMLC_TASK_ID", COMPLETION_INDEX_PATH),
            value("DMLC_NUM_WORKER", pods.count * workers),
        ],
    )
    upsert_port(container, TRAINER_PORT)


PLUGIN = Plugin("xgboost", enforce_ml_policy=enforce)
