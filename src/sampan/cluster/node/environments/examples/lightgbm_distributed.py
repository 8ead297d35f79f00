"""LightGBM over the processes of an XGBoostJob, each with a part of generated data.

Stands for training-operator 1.9 examples/xgboost/lightgbm-dist/main.py: options it does not know are LightGBM's. With
`--valid_data` it prints after every tree what LightGBM's own program prints, for Katib's example (kubeflow/katib 0.19
examples/v1beta1/kubeflow-training-operator/xgboostjob-lightgbm.yaml). Runs in a pod.
"""

from __future__ import annotations

import argparse
import os
import socket
from typing import Any

import lightgbm
import numpy as np
from generated import announce


def main() -> None:
    announce()
    parser = argparse.ArgumentParser()
    parser.add_argument("--job_type", choices=["Train", "Predict"], required=True)
    parser.add_argument("--data", default="")
    parser.add_argument("--valid_data", default="")
    args, others = parser.parse_known_args()
    told = dict(word.lstrip("-").split("=", 1) for word in others)
    rounds = int(told.pop("num_trees", "10"))
    if told.get("tree_learner") == "feature":
        # Only its command line knows that one.
        told["tree_learner"] = "data"
    rank, size = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    if args.job_type == "Predict":
        print("There is nothing to predict with in this example.", flush=True)
        return
    parameters = {**told, "num_threads": 1, **(network(rank, size) if size > 1 else {})}
    data = rows(rank, 4000)
    model = lightgbm.train(parameters, data, rounds, **watched(args.valid_data, data, size))
    if rank == 0:
        model.save_model("model.txt")
    print(f"Finished distributed job: {model.num_trees()} trees", flush=True)


def rows(seed: int, count: int) -> lightgbm.Dataset:
    random = np.random.default_rng(seed)
    features = random.normal(size=(count, 28))
    return lightgbm.Dataset(features, (features[:, 0] + features[:, 1] ** 2 > 1).astype(int))


def watched(valid_data: str, data: lightgbm.Dataset, size: int) -> dict[str, Any]:
    """What is told of each tree."""
    if not valid_data:
        return {"valid_sets": [data], "callbacks": [lightgbm.log_evaluation(10)]}
    # Rows that no process trains with.
    valid = rows(size, 1000).set_reference(data)
    return {"valid_sets": [data, valid], "valid_names": ["training", "valid_1"], "callbacks": [tell]}


def tell(now: Any) -> None:
    """`Iteration:3, valid_1 auc : 0.91`, as its program does."""
    for part, metric, value, *_ in now.evaluation_result_list:
        print(f"[LightGBM] [Info] Iteration:{now.iteration + 1}, {part} {metric} : {value:g}", flush=True)


def network(rank: int, size: int) -> dict[str, str | int]:
    """The first process listens at the master's port, the others at the workers'.

    LightGBM looks for itself among the addresses of the machine's interfaces. Pods that are processes have theirs on
    the loopback, where it does not look: they are told the machine's, and a port each.
    """
    workers = [name for name in os.environ["WORKER_ADDRS"].split(",") if name]
    hosts = [socket.gethostbyname(name) for name in (os.environ["MASTER_ADDR"], *workers)]
    ports = [int(os.environ["MASTER_PORT"]), *(int(os.environ["WORKER_PORT"]) for _ in workers)]
    if hosts[0].startswith("127."):
        hosts = [machine_address()] * size
        ports = [port + number for number, port in enumerate(ports)]
    machines = ",".join(f"{host}:{port}" for host, port in zip(hosts, ports))  # noqa: B905
    return {"machines": machines, "num_machines": size, "local_listen_port": ports[rank]}


def machine_address() -> str:
    """The one that would be used to leave it; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError as error:
            raise SystemExit(f"LightGBM needs a network for several processes: {error}") from error
        return str(probe.getsockname()[0])


if __name__ == "__main__":
    main()
