"""Trains the network that ENAS has written, on digits: what `RunTrial.py` is in Katib's example image. Runs in a pod.

Its options and what it prints are those of Katib 0.19 examples/v1beta1/trial-images/enas-cnn-cifar10. Each layer reads
the one before and those that it is connected to, its operation chosen from convolution, separable_convolution,
depthwise_convolution and reduction; at the end is the mean over the picture and one linear layer. (Upstream's program
looks for an operation's parameters where they are not, and takes its own defaults; here they count.)
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from search_digits import CLASSES, assigned, pictures
from torch import nn
from torch.nn import functional

_BATCH = 64
Shape = tuple[int, int, int]
"""Channels, height, width."""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--architecture", required=True)
    parser.add_argument("--nn_config", required=True)
    parser.add_argument("--num_epochs", type=int, default=10)
    parser.add_argument("--num_gpus", type=int, default=1, help="taken; one is used if there is one")
    args = parser.parse_args()
    print("This is a small program of Sampan's: it stands for the image's own, which is not pulled here.")
    architecture, config = assigned(args.architecture), assigned(args.nn_config)
    print(f">>> architecture\n{architecture}\n>>> nn_config\n{config}", flush=True)
    # Trials share the cores, and networks as small as this gain nothing from several.
    torch.set_num_threads(1)
    torch.manual_seed(0)
    height, width, channels = (*config["input_sizes"], 1, 1)[:3]
    network = Network(architecture, config["embedding"], (channels, height, width))
    print(f">>> {sum(each.numel() for each in network.parameters())} weights in {len(architecture)} layers")
    train(network, pictures(height, width, channels), args.num_epochs)


class Network(nn.Module):  # type: ignore[misc]
    def __init__(self, architecture: list[list[int]], embedding: Mapping[str, Any], shape: Shape) -> None:
        super().__init__()
        self.reads = [[place, *_skips(layer)] for place, layer in enumerate(architecture)]
        self.operations = nn.ModuleList()
        shapes = [shape]
        for layer, read in zip(architecture, self.reads, strict=True):
            into = _joined_shape([shapes[each] for each in read])
            operation, out = operation_of(embedding[str(layer[0])], into)
            self.operations.append(operation)
            shapes.append(out)
        self.classifier = nn.Linear(shapes[-1][0], CLASSES)

    def forward(self, x: Any) -> Any:
        made = [x]
        for operation, read in zip(self.operations, self.reads, strict=True):
            made.append(operation(_joined([made[each] for each in read])))
        return self.classifier(made[-1].mean(dim=(2, 3)))


def _skips(layer: Sequence[int]) -> list[int]:
    """Layers read beside the one before: 0 is the network's input."""
    return [source for source, connected in enumerate(layer[1:]) if connected]


def _joined_shape(shapes: Sequence[Shape]) -> Shape:
    return sum(each[0] for each in shapes), max(each[1] for each in shapes), max(each[2] for each in shapes)


def _joined(pictures: Sequence[Any]) -> Any:
    """One behind the other, the smaller ones with a margin of nothing."""
    height, width = (max(each.shape[axis] for each in pictures) for axis in (2, 3))
    padded = []
    for each in pictures:
        down, right = height - each.shape[2], width - each.shape[3]
        padded.append(functional.pad(each, (right // 2, right - right // 2, down // 2, down - down // 2)))
    return torch.cat(padded, dim=1)


def operation_of(found: Mapping[str, Any], shape: Shape) -> tuple[nn.Module, Shape]:
    """An operation for pictures of that shape, and the shape of what it makes."""
    kind, given = found["opt_type"], found.get("opt_params") or {}
    channels, height, width = shape
    if kind == "reduction":
        return _reduction(given, shape)
    size, stride = int(given.get("filter_size", 3)), int(given.get("stride", 1))
    filters = int(given.get("num_filter", 64))
    many = channels * int(given.get("depth_multiplier", 1))
    # As much around as keeps the size, where nothing is left out.
    around = nn.ZeroPad2d(((size - 1) // 2, size // 2, (size - 1) // 2, size // 2))
    if kind == "convolution":
        convolution: nn.Module = nn.Conv2d(channels, filters, size, stride)
    elif kind == "separable_convolution":
        each = nn.Conv2d(channels, many, size, stride, groups=channels)
        convolution = nn.Sequential(each, nn.Conv2d(many, filters, 1))
    elif kind == "depthwise_convolution":
        convolution, filters = nn.Conv2d(channels, many, size, stride, groups=channels), many
    else:
        raise SystemExit(f"no such operation: {kind}")
    made = nn.Sequential(nn.ReLU(), around, convolution, nn.BatchNorm2d(filters))
    return made, (filters, -(-height // stride), -(-width // stride))


def _reduction(given: Mapping[str, Any], shape: Shape) -> tuple[nn.Module, Shape]:
    channels, height, width = shape
    size = int(given.get("pool_size", 2))
    stride = int(given.get("stride", size))
    if min(height, width) < max(size, 2):
        print("a reduction of a picture that is as small as that is left out")
        return nn.Identity(), shape
    average = given.get("reduction_type", "max_pooling") == "avg_pooling"
    pool = nn.AvgPool2d(size, stride) if average else nn.MaxPool2d(size, stride)
    return pool, (channels, (height - size) // stride + 1, (width - size) // stride + 1)


def train(network: nn.Module, data: tuple[Any, Any, Any, Any], epochs: int) -> None:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network.to(device)
    x, y, judged, truth = (each.to(device) for each in data)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    for epoch in range(epochs):
        print(f"\nTotal Epoch {epoch + 1}/{epochs}")
        network.train()
        loss = correct = 0.0
        for batch in torch.randperm(len(y), device=device).split(_BATCH):
            optimizer.zero_grad()
            found = network(x[batch])
            error = functional.cross_entropy(found, y[batch])
            error.backward()
            optimizer.step()
            loss += error.item() * len(batch)
            correct += (found.argmax(1) == y[batch]).sum().item()
        network.eval()
        with torch.no_grad():
            found = network(judged)
        print(f"Training-Accuracy={correct / len(y):.4f}\nTraining-Loss={loss / len(y):.4f}")
        print(f"Validation-Accuracy={(found.argmax(1) == truth).float().mean().item():.4f}")
        print(f"Validation-Loss={functional.cross_entropy(found, truth).item():.4f}", flush=True)


if __name__ == "__main__":
    main()
