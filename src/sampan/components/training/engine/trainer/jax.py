"""The policy `jax`: what `jax.distributed.initialize` reads, one process a node.

Source: kubeflow/trainer pkg/runtime/framework/plugins/jax/jax.go, v2.3.
"""

from __future__ import annotations

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
    if info.ml_policy.get("jax") is None:
        return
    pods = info.by_ancestor(TRAINER)
    wanted = info.trainer.get("numNodes")
    if pods is not None and wanted is not None:
        pods.count = int(wanted)
    container = info.trainer_container() if info.has_trainer else None
    if container is None or pods is None:
        return
    upsert_env(
        container,
        [
            value("JAX_NUM_PROCESSES", pods.count),
            from_field("JAX_PROCESS_ID", COMPLETION_INDEX_PATH),
            value("JAX_COORDINATOR_ADDRESS", f"{master_address(info)}:{TRAINER_PORT}"),
        ],
    )
    upsert_port(container, TRAINER_PORT)


PLUGIN = Plugin("jax", enforce_ml_policy=enforce)
