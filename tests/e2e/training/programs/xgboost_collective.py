"""Boosted trees over the collective of all processes: the log loss of all data at each round, from rank 0."""

import os
import socket

import numpy as np
import xgboost as xgb
from xgboost import collective
from xgboost.tracker import RabitTracker

ROUNDS, ROWS = 12, 512

if "DMLC_NUM_WORKER" in os.environ:  # of Trainer's runtime
    size, rank = int(os.environ["DMLC_NUM_WORKER"]), int(os.environ["DMLC_TASK_ID"])
    host, port = os.environ["DMLC_TRACKER_URI"], int(os.environ["DMLC_TRACKER_PORT"])
else:  # of an XGBoostJob
    size, rank = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0"))
    host, port = os.environ.get("MASTER_ADDR", "localhost"), int(os.environ.get("MASTER_PORT", "9999"))
tracker = None
if rank == 0:
    own = socket.gethostbyname(socket.gethostname())
    tracker = RabitTracker(n_workers=size, host_ip=own, port=port, sortby="task")
    tracker.start()

# Whole numbers: whoever sees a part of them finds the same bins.
random = np.random.default_rng(7)
features = random.integers(0, 16, (ROWS, 8)).astype(np.float32)
labels = (features[:, 0] + features[:, 1] * features[:, 2] > 70).astype(np.float32)
with collective.CommunicatorContext(
    dmlc_communicator="rabit",
    dmlc_tracker_uri=socket.gethostbyname(host),
    dmlc_tracker_port=port,
    dmlc_task_id=f"{rank:05d}",
):
    data = xgb.DMatrix(features[rank::size], labels[rank::size])
    history = {}
    parameters = {
        "objective": "binary:logistic",
        "max_depth": 3,
        "nthread": 1,
        "tree_method": "hist",
        "base_score": 0.5,
    }
    xgb.train(parameters, data, ROUNDS, evals=[(data, "train")], evals_result=history, verbose_eval=False)
    if collective.get_rank() == 0:
        for step, loss in enumerate(history["train"]["logloss"]):
            print(f"loss {step} {float(loss)!r} of {size}", flush=True)
if tracker is not None:
    tracker.wait_for()
