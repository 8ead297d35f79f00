"""The same with PyTorch, DistributedDataParallel over gloo: `sampan train -n 2 train_torch.py`, which uses torchrun."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=20)
    options = parser.parse_args()
    dist.init_process_group("gloo")
    rank, size = dist.get_rank(), dist.get_world_size()

    torch.manual_seed(7)
    points = torch.rand(2400, 2) * 2 - 1
    labels = (2 * points[:, :1] - points[:, 1:] > 0.25).float()
    points, labels = points[rank::size], labels[rank::size]

    model = DistributedDataParallel(torch.nn.Linear(2, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    for step in range(1, options.steps + 1):
        optimizer.zero_grad()
        loss = torch.nn.functional.binary_cross_entropy_with_logits(model(points), labels)
        loss.backward()
        optimizer.step()
        shared = loss.detach().clone()
        dist.all_reduce(shared)
        if rank == 0:
            print(f"step={step} loss={shared.item() / size:.4f}", flush=True)

    if rank == 0 and (folder := os.environ.get("SAMPAN_OUTPUT")):
        torch.save(model.module.state_dict(), Path(folder, "model.pt"))
    dist.destroy_process_group()


main()
