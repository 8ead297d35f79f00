"""Kubeflow's training clients with PyTorch itself: a function on two nodes.

    python torch_sdks.py KUBECONFIG

In the environment of either client. Run by `test_training_sdks`.
"""

from __future__ import annotations

import importlib.util
import sys

from checks import Journey

CONFIG = sys.argv[1]
NS = "default"
journey = Journey("PyTorch")


def reduce() -> None:
    import os

    import torch
    import torch.distributed as dist

    dist.init_process_group("gloo")
    value = torch.tensor([float(dist.get_rank() + 1)])
    dist.all_reduce(value)
    node = os.environ["GROUP_RANK"]
    print(f"rank {dist.get_rank()} of {dist.get_world_size()}: {value.item()} on node {node}", flush=True)
    dist.destroy_process_group()


if importlib.util.find_spec("kubeflow.trainer"):

    @journey
    def trainer_client() -> None:
        from kubeflow.common.types import KubernetesBackendConfig
        from kubeflow.trainer import CustomTrainer, TrainerClient

        api = TrainerClient(backend_config=KubernetesBackendConfig(config_file=CONFIG, namespace=NS))
        name = api.train(
            runtime="torch-distributed",
            trainer=CustomTrainer(func=reduce, num_nodes=2, resources_per_node={"cpu": 1}),
        )
        api.wait_for_job_status(name, timeout=500, polling_interval=1)
        logs = "\n".join(api.get_job_logs(name))
        # As many processes on each node as it has CPUs.
        assert "rank 0 of 2: 3.0 on node 0" in logs, logs
        api.delete_job(name)

else:

    @journey
    def training_client() -> None:
        from kubeflow.training import TrainingClient

        api = TrainingClient(config_file=CONFIG, namespace=NS)
        api.create_job(
            name="reduce",
            job_kind="PyTorchJob",
            train_func=reduce,
            base_image="pytorch/pytorch:2.13.0-cuda13.0-cudnn9-runtime",
            num_workers=2,
            num_procs_per_worker=2,
        )
        api.wait_for_job_conditions("reduce", job_kind="PyTorchJob", wait_timeout=500, polling_interval=1)
        logs, _ = api.get_job_logs("reduce", job_kind="PyTorchJob")
        assert "rank 0 of 4: 10.0 on node 0" in logs["reduce-master-0"], logs
        api.delete_job("reduce", job_kind="PyTorchJob")


if __name__ == "__main__":
    sys.exit(journey.run())
