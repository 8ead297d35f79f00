"""The images of upstream's examples: what stands for their programs ends well, on several processes."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.testing import training_jobs as jobs
from sampan.testing.server import ServerProcess

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

IRIS = ["--job_type=All", "--n_estimators=5", "--model_path=/tmp/model"]
TRAIN = ["--job_type=Train", "--objective=binary", "--tree_learner=feature", "--num_trees=5"]
PADDLE = ["python", "-m", "paddle.distributed.launch", "run_check"]
CASES: dict[str, tuple[str, dict[str, int], dict[str, Any], str]] = {
    "pytorch-mnist": (
        "PyTorchJob",
        {"Master": 1, "Worker": 1},
        {"image": "kubeflow/pytorch-dist-mnist:latest", "args": ["--backend", "gloo"]},
        "accuracy=0.",
    ),
    "sendrecv": (
        "PyTorchJob",
        {"Master": 1, "Worker": 2},
        {"image": "kubeflow/pytorch-dist-sendrecv-test:latest"},
        "Result from worker 2: [[0.0, 1.0], [4.0, 9.0]]",
    ),
    "parameter-server": (
        "TFJob",
        {"Chief": 1, "PS": 1, "Worker": 2},
        {"image": "kubeflow/tf-dist-mnist-test:latest"},
        "step 60: loss=",
    ),
    "mirrored": (
        "TFJob",
        {"Worker": 2},
        {"image": "kubeflow/tf-multi-worker-strategy:latest"},
        "Number of replicas: 2",
    ),
    "iris": (
        "XGBoostJob",
        {"Master": 1, "Worker": 2},
        {"image": "kubeflow/xgboost-dist-iris:latest", "args": IRIS},
        "accuracy=",
    ),
    "rabit": (
        "XGBoostJob",
        {"Master": 1, "Worker": 2},
        {"image": "kubeflow/xgboost-dist-rabit-test:latest"},
        "@node[2] after broadcast: {'hello world': 100}",
    ),
    "lightgbm": (
        "XGBoostJob",
        {"Master": 1, "Worker": 2},
        {"image": "kubeflow/lightgbm-dist-py-test:1.0", "args": TRAIN},
        "Finished distributed job: 5 trees",
    ),
    "jax": ("JAXJob", {"Worker": 2}, {"image": "kubeflow/jaxjob-dist-spmd-mnist:latest"}, "accuracy="),
    "paddle": (
        "PaddleJob",
        {"Worker": 2},
        {"image": "paddlepaddle/paddle:2.4.0rc0-cpu", "command": PADDLE},
        "",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_program_of_an_examples_image(server: ServerProcess, case: str) -> None:
    kind, replicas, container, says = CASES[case]
    volume = {"volumeMounts": [{"name": "train", "mountPath": "/train"}]} if case == "mirrored" else {}
    made = jobs.image_job(kind, case, replicas, {**container, **volume})
    for spec in next(each for name, each in made["spec"].items() if name.endswith("Specs")).values():
        spec["template"]["spec"]["volumes"] = [{"name": "train", "emptyDir": {}}]
    end = jobs.run(server, made)
    text = jobs.logs(server, case)
    assert end == "Succeeded", text[-4000:]
    assert says in text
