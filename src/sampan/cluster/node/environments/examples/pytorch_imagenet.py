"""Elastic training with checkpoints: what `imagenet.py` is in Kubeflow's elastic example, on generated pictures.

Its options are those of training-operator 1.9 examples/pytorch/elastic/imagenet/imagenet.py that its job uses. Runs in
a pod, started by torchrun: a process that is started again goes on from the last checkpoint that any of them has.
"""

from __future__ import annotations

import argparse
import os
from typing import Any

import torch
import torch.distributed as dist
from generated import announce
from pytorch_mnist import dataset, evaluate, network, train_epoch
from torch import nn
from torch.utils.data import DataLoader
from torch.utils.data.distributed import DistributedSampler


def main() -> None:
    args = options()
    announce()
    has_gpu = torch.cuda.is_available()
    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0"))) if has_gpu else torch.device("cpu")
    dist.init_process_group("nccl" if has_gpu else "gloo")
    print(
        f"Rank {dist.get_rank()} of {dist.get_world_size()}; {args.arch} is a small network here", flush=True
    )
    model = nn.parallel.DistributedDataParallel(network().to(device))
    optimizer = torch.optim.SGD(model.parameters(), lr=args.lr, momentum=args.momentum)
    train, test = dataset(args, "train"), dataset(args, "test")
    sampler = DistributedSampler(train)
    loader = DataLoader(train, args.batch_size, sampler=sampler, num_workers=args.workers)
    for epoch in range(restore(args.checkpoint_file, model, optimizer), args.epochs):
        sampler.set_epoch(epoch)
        train_epoch(model, loader, optimizer, device, epoch, args.print_freq)
        loss, accuracy = evaluate(model, DataLoader(test, 500), device)
        print(f"epoch={epoch} loss={loss:.4f} accuracy={accuracy:.4f}", flush=True)
        if int(os.environ.get("LOCAL_RANK", "0")) == 0:
            save(args.checkpoint_file, model, optimizer, epoch + 1)
    dist.destroy_process_group()


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("data", nargs="?", default="", help="MNIST's files, if there; else pictures are made")
    parser.add_argument("-a", "--arch", default="resnet18")
    parser.add_argument("-j", "--workers", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("-b", "--batch-size", type=int, default=32)
    parser.add_argument("--lr", "--learning-rate", type=float, default=0.05)
    parser.add_argument("--momentum", type=float, default=0.9)
    parser.add_argument("-p", "--print-freq", type=int, default=10)
    parser.add_argument("--checkpoint-file", default="/tmp/checkpoint.pth.tar")  # noqa: S108 - the container's own
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def restore(file: str, model: Any, optimizer: Any) -> int:
    """The epoch to begin with: the one after the newest checkpoint of all processes."""
    state = torch.load(file, weights_only=True) if os.path.exists(file) else {"epoch": 0}
    have: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(have, state["epoch"])
    newest = max(have)
    if newest:
        shared = [state]
        dist.broadcast_object_list(shared, src=have.index(newest))
        model.load_state_dict(shared[0]["model"])
        optimizer.load_state_dict(shared[0]["optimizer"])
    return int(newest)


def save(file: str, model: Any, optimizer: Any, epoch: int) -> None:
    torch.save(
        {"epoch": epoch, "model": model.state_dict(), "optimizer": optimizer.state_dict()}, f"{file}.new"
    )
    os.replace(f"{file}.new", file)


if __name__ == "__main__":
    main()
