"""MNIST with PyTorch on one process or many: what `mnist.py` is in Kubeflow's and Katib's example images.

Its options are those of training-operator 1.9 examples/pytorch/mnist/mnist.py and of Katib 0.19
examples/v1beta1/trial-images/pytorch-mnist/mnist.py. Runs in a pod.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from typing import Any

import torch
import torch.distributed as dist
from generated import announce, digits
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset
from torch.utils.data.distributed import DistributedSampler

_SAMPLES = {"train": 6000, "test": 1000}


def main() -> None:
    args = options()
    announce()
    torch.manual_seed(args.seed)
    device = torch.device("cuda" if torch.cuda.is_available() and not args.no_cuda else "cpu")
    world_size = int(os.environ.get("WORLD_SIZE", "1"))
    if world_size > 1:
        dist.init_process_group(args.backend if device.type == "cuda" else "gloo")
    print(f"Using {device}, {world_size} process(es)", flush=True)
    train, test = dataset(args, "train"), dataset(args, "test")
    sampler = DistributedSampler(train, seed=args.seed) if world_size > 1 else None
    loader = DataLoader(train, args.batch_size, shuffle=sampler is None, sampler=sampler)
    model: nn.Module = network().to(device)
    if world_size > 1:
        model = nn.parallel.DistributedDataParallel(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=args.lr, momentum=args.momentum)
    for epoch in range(1, args.epochs + 1):
        if sampler is not None:
            sampler.set_epoch(epoch)
        train_epoch(model, loader, optimizer, device, epoch, args.log_interval)
        loss, accuracy = evaluate(model, DataLoader(test, args.test_batch_size), device)
        report(args, epoch, loss, accuracy)
    if args.save_model and int(os.environ.get("RANK", "0")) == 0:
        torch.save(model.state_dict(), "mnist_cnn.pt")
    if world_size > 1:
        dist.destroy_process_group()


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--test-batch-size", type=int, default=1000)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--lr", type=float, default=0.01)
    parser.add_argument("--momentum", type=float, default=0.5)
    parser.add_argument("--no-cuda", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--log-interval", type=int, default=10)
    parser.add_argument("--save-model", action="store_true")
    parser.add_argument("--dir", default="logs", help="summaries; ours are in the log")
    parser.add_argument(
        "--data", default=os.environ.get("MNIST_DATA", "../data"), help="MNIST's files, if there"
    )
    parser.add_argument("--backend", default="gloo", choices=["gloo", "nccl", "mpi"])
    parser.add_argument("--log-path", default="", help="Katib's: metrics are written there too")
    parser.add_argument("--logger", default="standard", choices=["standard", "hypertune"])
    return parser.parse_args()


def dataset(args: argparse.Namespace, part: str) -> TensorDataset:
    # With mistakes: Katib's experiments on this image stop at a loss of 0.001, which upstream's never reach.
    images, labels = digits(_SAMPLES[part], args.seed, args.data, part, mistakes=0.2)
    pixels = torch.from_numpy(images.copy()).unsqueeze(1).float().div(255)
    return TensorDataset((pixels - 0.1307) / 0.3081, torch.from_numpy(labels.copy()))


def network() -> nn.Sequential:
    convolution = (nn.Conv2d(1, 8, 5), nn.ReLU(), nn.MaxPool2d(4))
    head = (nn.Flatten(), nn.Linear(288, 64), nn.ReLU(), nn.Linear(64, 10))
    return nn.Sequential(*convolution, *head, nn.LogSoftmax(1))


def train_epoch(model: Any, loader: Any, optimizer: Any, device: Any, epoch: int, log_interval: int) -> None:
    model.train()
    for batch, (images, labels) in enumerate(loader):
        optimizer.zero_grad()
        loss = functional.nll_loss(model(images.to(device)), labels.to(device))
        loss.backward()
        optimizer.step()
        if batch % log_interval == 0:
            share = 100.0 * batch / len(loader)
            seen, whole = batch * len(images), len(loader.sampler)
            print(f"Train Epoch: {epoch} [{seen}/{whole} ({share:.0f}%)]\tloss={loss.item():.4f}", flush=True)


def evaluate(model: Any, loader: Any, device: Any) -> tuple[float, float]:
    model.eval()
    loss = correct = 0.0
    with torch.no_grad():
        for images, labels in loader:
            found = model(images.to(device)).cpu()
            loss += functional.nll_loss(found, labels, reduction="sum").item()
            correct += (found.argmax(1) == labels).sum().item()
    return loss / len(loader.dataset), correct / len(loader.dataset)


def report(args: argparse.Namespace, epoch: int, loss: float, accuracy: float) -> None:
    line = f"accuracy={accuracy:.4f}"
    both = (
        f"{{metricName: accuracy, metricValue: {accuracy:.4f}}};{{metricName: loss, metricValue: {loss:.4f}}}"
    )
    print(f"\n{both}\n\n{line}\n", flush=True)
    if not args.log_path:
        return
    os.makedirs(os.path.dirname(args.log_path) or ".", exist_ok=True)
    with open(args.log_path, "a") as file:
        if args.logger == "hypertune":
            # As the package cloudml-hypertune 0.1 writes it, for Katib's collector of JSON.
            for name, value in (("loss", loss), ("accuracy", accuracy)):
                told = {"timestamp": time.time(), "trial": "0", name: str(value), "global_step": str(epoch)}
                file.write(json.dumps({**told, "checkpoint_path": ""}) + "\n")
        else:
            now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            file.write(f"{now} INFO     {both}\n")


if __name__ == "__main__":
    main()
