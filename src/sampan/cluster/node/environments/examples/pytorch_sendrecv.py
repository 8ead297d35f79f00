"""The first process sends a tensor to each other one, which sends back its square.

Stands for training-operator 1.9 examples/pytorch/smoke-dist/dist_sendrecv.py. Runs in a pod.
"""

from __future__ import annotations

import os

import torch
import torch.distributed as dist
from generated import announce


def main() -> None:
    announce()
    for name in ("MASTER_ADDR", "MASTER_PORT", "WORLD_SIZE", "RANK"):
        print(f"{name}: {os.environ.get(name, '')}", flush=True)
    dist.init_process_group("gloo")
    rank, size = dist.get_rank(), dist.get_world_size()
    tensor = torch.arange(4.0).reshape(2, 2)
    if rank:
        dist.recv(tensor, src=0)
        dist.send(tensor * tensor, dst=0)
    for other in range(1, size if rank == 0 else 0):
        answer = torch.zeros(2, 2)
        dist.send(tensor, dst=other)
        dist.recv(answer, src=other)
        print(f"Result from worker {other}: {answer.tolist()}", flush=True)
        if not torch.equal(answer, tensor * tensor):
            raise SystemExit(f"worker {other} sent something else")
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
