"""Iris, or a smoke test, with XGBoost's collective over the processes of an XGBoostJob.

Stands for training-operator 1.9 examples/xgboost/xgboost-dist/main.py (`--job_type`) and, without a job type, for
examples/xgboost/smoke-dist/xgboost_smoke_test.py. Runs in a pod.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import socket
from collections.abc import Iterator
from typing import Any

import numpy as np
import xgboost as xgb
from generated import announce
from sklearn.datasets import load_iris
from xgboost import collective
from xgboost.tracker import RabitTracker


def main() -> None:
    args = options()
    announce()
    rank, size = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    if not args.job_type:
        with connected(rank, size):
            told = collective.broadcast({"hello world": 100} if collective.get_rank() == 0 else None, 0)
            print(f"@node[{collective.get_rank()}] after broadcast: {told}", flush=True)
        return
    if args.model_storage_type != "local":
        raise SystemExit(f"--model_storage_type={args.model_storage_type} needs Alibaba's OSS: use local")
    # Each process has the whole model; only the first one writes it.
    model = train(args, rank, size) if args.job_type != "Predict" else load(args)
    if args.job_type != "Train":
        predict(model, rank, size)


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--job_type", choices=["Train", "Predict", "All"])
    parser.add_argument("--xgboost_parameter", default="objective:multi:softprob,num_class:3")
    parser.add_argument("--n_estimators", type=int, default=10)
    parser.add_argument("--learning_rate", type=float, default=0.1)
    parser.add_argument("--early_stopping_rounds", type=int, default=50)
    parser.add_argument("--model_path", default="/tmp/xgboost_model")  # noqa: S108 - the container's own
    parser.add_argument("--model_storage_type", default="local")
    parser.add_argument("--oss_param", default="")
    return parser.parse_args()


@contextlib.contextmanager
def connected(rank: int, size: int) -> Iterator[None]:
    """The collective of all processes; the first one's tracker listens where MASTER_ADDR and MASTER_PORT say."""
    if size == 1:
        yield
        return
    port = int(os.environ["MASTER_PORT"])
    tracker = None
    if rank == 0:
        own = socket.gethostbyname(socket.gethostname())
        tracker = RabitTracker(n_workers=size, host_ip=own, port=port, sortby="task")
        tracker.start()
    place = socket.gethostbyname(os.environ["MASTER_ADDR"])
    with collective.CommunicatorContext(
        dmlc_communicator="rabit", dmlc_tracker_uri=place, dmlc_tracker_port=port, dmlc_task_id=f"{rank:05d}"
    ):
        yield
    if tracker is not None:
        tracker.wait_for()


def train(args: argparse.Namespace, rank: int, size: int) -> Any:
    words = args.xgboost_parameter.strip('"').split(",")
    parameters = dict(word.split(":", 1) for word in words) | {
        "learning_rate": args.learning_rate,
        "nthread": 1,
    }
    with connected(rank, size):
        data = part(rank, size)
        history: dict[str, Any] = {}
        model = xgb.train(
            parameters,
            data,
            args.n_estimators,
            evals=[(data, "train")],
            evals_result=history,
            verbose_eval=False,
        )
        for metric, values in history["train"].items():
            print(f"train-{metric}: {values[-1]:.6f}", flush=True)
    if rank == 0:
        os.makedirs(os.path.dirname(args.model_path) or ".", exist_ok=True)
        model.save_model(args.model_path + ".json")
        print(f"The model is in {args.model_path}.json", flush=True)
    return model


def load(args: argparse.Namespace) -> Any:
    return xgb.Booster(model_file=args.model_path + ".json")


def predict(model: Any, rank: int, size: int) -> None:
    data = part(rank, size)
    found = np.argmax(model.predict(data), axis=1)
    accuracy = float((found == data.get_label()).mean())
    print(f"accuracy={accuracy:.4f} on {len(found)} flowers", flush=True)


def part(rank: int, size: int) -> Any:
    """Of the flowers those of this process."""
    flowers = load_iris()
    return xgb.DMatrix(flowers.data[rank::size], flowers.target[rank::size])


if __name__ == "__main__":
    main()
