"""Searches a cell by gradients, on digits: what `run_trial.py` is in Katib's example image. Runs in a pod.

Liu et al. 2019, DARTS: Differentiable Architecture Search (arXiv 1806.09055): each edge of a cell is the mixture of all
operations (equation 2), whose weights are learnt on other pictures than the networks are, by the gradient at weights
one step ahead (equations 5 to 8). Options, settings and what it reports, `Best-Genotype`, are those of Katib 0.19
examples/v1beta1/trial-images/darts-cnn-cifar10.
"""

from __future__ import annotations

import argparse
import copy
from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from search_digits import CLASSES, assigned, pictures
from torch import nn
from torch.nn import functional

Genotype = namedtuple("Genotype", "normal normal_concat reduce reduce_concat")
_SIDE = 8
_KEPT = 2
"""Edges of a node that the genotype keeps."""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--algorithm-settings", required=True)
    parser.add_argument("--search-space", required=True)
    parser.add_argument("--num-layers", required=True)
    args = parser.parse_args()
    print("This is a small program of Sampan's: it stands for the image's own, which is not pulled here.")
    settings, space = assigned(args.algorithm_settings), [*assigned(args.search_space), "none"]
    layers = int(args.num_layers.strip().strip('"'))
    print(f">>> Algorithm settings\n{settings}\n>>> Search space\n{space}\n>>> Layers\n{layers}", flush=True)
    # Trials share the cores, and networks as small as this gain nothing from several.
    torch.set_num_threads(1)
    torch.manual_seed(2)
    x, y, judged, truth = pictures(_SIDE, _SIDE, 1)
    network = Supernet(space, layers, settings)
    half = len(y) // 2
    search = Search(network, settings, (x[:half], y[:half]), (x[half:], y[half:]))
    best, found = -1.0, network.genotype(space)
    epochs = int(settings["num_epochs"])
    for epoch in range(epochs):
        search.epoch(epoch, epochs)
        network.eval()
        with torch.no_grad():
            accuracy = (network(judged).argmax(1) == truth).float().mean().item()
        print(f"Validation-Accuracy={accuracy:.4f}", flush=True)
        if accuracy > best:
            best, found = accuracy, network.genotype(space)
    print(f"Final best accuracy: {best:.4f}\n\nBest-Genotype={str(found).replace(' ', '')}", flush=True)


def _unit(channels: int, out: int, size: int, stride: int, dilation: int = 1) -> nn.Sequential:
    """Each channel on its own, then all together."""
    around = dilation * (size - 1) // 2
    each = nn.Conv2d(channels, channels, size, stride, around, dilation, groups=channels, bias=False)
    return nn.Sequential(
        nn.ReLU(), each, nn.Conv2d(channels, out, 1, bias=False), nn.BatchNorm2d(out, affine=False)
    )


class Zero(nn.Module):  # type: ignore[misc]
    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, x: Any) -> Any:
        return x[:, :, :: self.stride, :: self.stride] * 0.0


def _plain(channels: int, out: int, stride: int) -> nn.Sequential:
    """The same picture, or a smaller one."""
    return nn.Sequential(
        nn.ReLU(), nn.Conv2d(channels, out, 1, stride, bias=False), nn.BatchNorm2d(out, affine=False)
    )


def operation(name: str, channels: int, stride: int) -> nn.Module:
    if name == "none":
        return Zero(stride)
    if name == "skip_connection":
        return nn.Identity() if stride == 1 else _plain(channels, channels, stride)
    kind, _, sizes = name.rpartition("_")
    size = int(sizes.partition("x")[0])
    pools: Mapping[str, Callable[..., nn.Module]] = {"max_pooling": nn.MaxPool2d, "avg_pooling": nn.AvgPool2d}
    if kind in pools:
        return nn.Sequential(pools[kind](size, stride, size // 2), nn.BatchNorm2d(channels, affine=False))
    if kind == "separable_convolution":
        return nn.Sequential(_unit(channels, channels, size, stride), _unit(channels, channels, size, 1))
    if kind == "dilated_convolution":
        return _unit(channels, channels, size, stride, dilation=2)
    raise SystemExit(f"no such operation: {name}")


class Cell(nn.Module):  # type: ignore[misc]
    def __init__(
        self,
        space: Sequence[str],
        nodes: int,
        before: tuple[int, int],
        channels: int,
        shrinks: tuple[bool, bool],
    ) -> None:
        """`before`: channels of the two cells before; `shrinks`: whether the one before does, and this one."""
        super().__init__()
        self.first = _plain(before[0], channels, 2 if shrinks[0] else 1)
        self.second = _plain(before[1], channels, 1)
        self.edges = nn.ModuleList()
        for node in range(nodes):
            for source in range(node + 2):
                stride = 2 if shrinks[1] and source < 2 else 1
                self.edges.append(nn.ModuleList(operation(each, channels, stride) for each in space))
        self.nodes = nodes

    def forward(self, first: Any, second: Any, weights: Sequence[Any]) -> Any:
        states = [self.first(first), self.second(second)]
        at = 0
        for node in range(self.nodes):
            total = 0.0
            for source, mixture in enumerate(weights[node]):
                operations = self.edges[at + source]
                total = total + sum(
                    share * each(states[source]) for share, each in zip(mixture, operations, strict=True)
                )
            at += len(states)
            states.append(total)
        return torch.cat(states[2:], dim=1)


class Supernet(nn.Module):  # type: ignore[misc]
    """All networks of the search at once."""

    def __init__(self, space: Sequence[str], layers: int, settings: Mapping[str, Any]) -> None:
        super().__init__()
        nodes, channels = int(settings["num_nodes"]), int(settings["init_channels"])
        stem = int(settings["stem_multiplier"]) * channels
        self.nodes = nodes
        self.stem = nn.Sequential(nn.Conv2d(1, stem, 3, padding=1, bias=False), nn.BatchNorm2d(stem))
        # A third and two thirds through, pictures get smaller and channels more; of two layers the second does.
        places = {1} if layers == 2 else {layers // 3, 2 * layers // 3} if layers > 2 else set()
        self.cells, self.shrinks = nn.ModuleList(), [place in places for place in range(layers)]
        before = (stem, stem)
        for place, shrinks in enumerate(self.shrinks):
            channels *= 2 if shrinks else 1
            self.cells.append(
                Cell(space, nodes, before, channels, (place > 0 and self.shrinks[place - 1], shrinks))
            )
            before = (before[1], channels * nodes)
        self.classifier = nn.Linear(before[1], CLASSES)
        kinds = 2 if any(self.shrinks) else 1
        self.alphas = nn.ParameterList(
            nn.Parameter(1e-3 * torch.randn(node + 2, len(space)))
            for _ in range(kinds)
            for node in range(nodes)
        )

    def forward(self, x: Any) -> Any:
        mixtures = [functional.softmax(each, dim=-1) for each in self.alphas]
        first = second = self.stem(x)
        for cell, shrinks in zip(self.cells, self.shrinks, strict=True):
            weights = mixtures[self.nodes :] if shrinks else mixtures[: self.nodes]
            first, second = second, cell(first, second, weights)
        return self.classifier(second.mean(dim=(2, 3)))

    def weights(self) -> list[Any]:
        """All that is learnt, but for the mixtures."""
        mixtures = {id(each) for each in self.alphas}
        return [each for each in self.parameters() if id(each) not in mixtures]

    def genotype(self, space: Sequence[str]) -> Genotype:
        """Of each node the best edges, each with its best operation, `none` left out (section 2.4)."""
        found = []
        for alpha in self.alphas:
            strengths = functional.softmax(alpha, dim=-1)[:, :-1]
            values, chosen = strengths.max(dim=1)
            sources = values.topk(min(_KEPT, len(values))).indices.tolist()
            found.append([(space[chosen[source]], source) for source in sources])
        concat = range(2, 2 + self.nodes)
        return Genotype(found[: self.nodes], concat, found[self.nodes :], concat)


class Search:
    """Alternates a step of the mixtures and one of the weights: algorithm 1."""

    def __init__(self, network: Supernet, settings: Mapping[str, Any], train: Any, valid: Any) -> None:
        self.network, self.train, self.valid = network, train, valid
        self.momentum, self.decay = float(settings["w_momentum"]), float(settings["w_weight_decay"])
        self.rates = float(settings["w_lr"]), float(settings["w_lr_min"])
        self.clip, self.print_step = float(settings["w_grad_clip"]), int(settings["print_step"])
        self.batch = int(settings["batch_size"] or len(train[1]))
        self.weights = torch.optim.SGD(
            network.weights(), self.rates[0], self.momentum, weight_decay=self.decay
        )
        alpha, decay = float(settings["alpha_lr"]), float(settings["alpha_weight_decay"])
        self.mixtures = torch.optim.Adam(network.alphas, alpha, betas=(0.5, 0.999), weight_decay=decay)

    def epoch(self, number: int, of: int) -> None:
        high, low = self.rates
        rate = low + (high - low) * (1 + torch.cos(torch.tensor(torch.pi * number / of)).item()) / 2
        self.weights.param_groups[0]["lr"] = rate
        self.network.train()
        batches = [torch.randperm(len(data[1])).split(self.batch) for data in (self.train, self.valid)]
        for step, (train, valid) in enumerate(zip(*batches, strict=False)):
            learnt = self.train[0][train], self.train[1][train]
            self._step_mixtures(learnt, (self.valid[0][valid], self.valid[1][valid]), rate)
            self.weights.zero_grad()
            loss = self._loss(self.network, learnt)
            loss.backward()
            nn.utils.clip_grad_norm_(self.network.weights(), self.clip)
            self.weights.step()
            if step % self.print_step == 0:
                print(f"Epoch {number + 1}/{of}, step {step}: Training-Loss={loss.item():.4f}", flush=True)

    def _loss(self, network: Supernet, batch: Any) -> Any:
        return functional.cross_entropy(network(batch[0]), batch[1])

    def _step_mixtures(self, train: Any, valid: Any, rate: float) -> None:
        """By the gradient of equation 7, whose second part is taken from a difference (equation 8)."""
        ahead = self._ahead(train, rate)
        alphas = list(ahead.alphas)
        grads = torch.autograd.grad(self._loss(ahead, valid), alphas + ahead.weights(), allow_unused=True)
        first = [
            torch.zeros_like(alpha) if grad is None else grad
            for alpha, grad in zip(alphas, grads, strict=False)
        ]
        slopes = [
            torch.zeros_like(weight) if grad is None else grad
            for weight, grad in zip(ahead.weights(), grads[len(alphas) :], strict=True)
        ]
        curve = self._curve(slopes, train)
        for alpha, own, more in zip(self.network.alphas, first, curve, strict=True):
            alpha.grad = own - rate * more
        self.mixtures.step()

    def _ahead(self, train: Any, rate: float) -> Supernet:
        """The network after one step of its weights."""
        weights = self.network.weights()
        grads = torch.autograd.grad(self._loss(self.network, train), weights, allow_unused=True)
        ahead = copy.deepcopy(self.network)
        with torch.no_grad():
            for weight, new, grad in zip(weights, ahead.weights(), grads, strict=True):
                moved = self.weights.state[weight].get("momentum_buffer")
                step = self.decay * weight + (0 if grad is None else grad)
                new.sub_(rate * (step if moved is None else step + self.momentum * moved))
        return ahead

    def _curve(self, slopes: Sequence[Any], train: Any) -> list[Any]:
        norm = torch.cat([each.flatten() for each in slopes]).norm()
        epsilon = 0.01 / max(norm.item(), 1e-12)
        sides = []
        for move in (epsilon, -2 * epsilon):
            self._shift(slopes, move)
            loss = self._loss(self.network, train)
            sides.append(torch.autograd.grad(loss, list(self.network.alphas), allow_unused=True))
        self._shift(slopes, epsilon)
        return [
            torch.zeros_like(alpha) if plus is None or minus is None else (plus - minus) / (2 * epsilon)
            for alpha, plus, minus in zip(self.network.alphas, *sides, strict=True)
        ]

    def _shift(self, slopes: Sequence[Any], by: float) -> None:
        with torch.no_grad():
            for weight, slope in zip(self.network.weights(), slopes, strict=True):
                weight.add_(by * slope)


if __name__ == "__main__":
    main()
