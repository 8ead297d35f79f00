"""Says what torchrun told this process, and meets the others once.

Stands for training-operator 1.9 examples/pytorch/elastic/echo/echo.py. Runs in a pod, started by torchrun.
"""

from __future__ import annotations

import os

import torch.distributed as dist
from generated import announce

_TOLD = (
    *("LOCAL_RANK", "RANK", "GROUP_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"),
    *("TORCHELASTIC_RESTART_COUNT", "TORCHELASTIC_MAX_RESTARTS"),
)


def main() -> None:
    announce()
    print(", ".join(f"{name}={os.environ[name]}" for name in _TOLD), flush=True)
    dist.init_process_group("gloo")
    dist.barrier()
    print(f"On PID {os.getpid()}: rank={dist.get_rank()}, world_size={dist.get_world_size()}", flush=True)
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
