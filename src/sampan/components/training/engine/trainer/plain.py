"""A runtime without a policy of its own: as many nodes as the TrainJob wants, with its environment.

Source: kubeflow/trainer pkg/runtime/framework/plugins/plainml/plainml.go, v2.3.
"""

from __future__ import annotations

from sampan.components.training.engine.trainer.contract import TRAINER, Info, Plugin, UnbuildableError
from sampan.components.training.engine.trainer.upserts import upsert_env

_OTHERS = ("torch", "mpi", "jax", "xgboost")


def enforce(info: Info) -> None:
    if info.ml_policy.get("flux") is not None:
        # Without its brokers every node would train alone, and nobody would notice.
        raise UnbuildableError(
            "mlPolicy.flux is not supported: use a runtime with another policy, such as mpi"
        )
    if any(info.ml_policy.get(each) is not None for each in _OTHERS):
        return
    pods = info.by_ancestor(TRAINER)
    wanted = info.trainer.get("numNodes")
    if pods is not None and wanted is not None:
        pods.count = int(wanted)
    container = info.trainer_container()
    if container is not None:
        upsert_env(container, info.trainer.get("env") or ())


PLUGIN = Plugin("plain", enforce_ml_policy=enforce)
