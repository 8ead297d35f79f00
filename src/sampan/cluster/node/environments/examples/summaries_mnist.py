"""Digits with summaries for TensorBoard: what `mnist.py` is in Katib's example image `tf-mnist-with-summaries`.

Its options, folders and lines are those of Katib 0.19 examples/v1beta1/trial-images/tf-mnist-with-summaries. It needs
no TensorFlow: a network of two layers is trained with NumPy, and event files are written here (tensorflow 2.17
core/lib/io/record_writer.cc, core/util/event.proto, core/framework/summary.proto). Runs in a pod.
"""

from __future__ import annotations

import argparse
import os
import socket
import struct
import time
from typing import Any

import numpy as np
from generated import announce, digits

_SAMPLES = {"train": 6000, "test": 1000}
_HIDDEN = 64
_BETAS, _EPSILON = (0.9, 0.999), 1e-7


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--learning-rate", type=float, default=0.001)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--log-interval", type=int, default=100)
    parser.add_argument("--log-path", default="/tmp/tensorflow/mnist/logs/mnist_with_summaries")  # noqa: S108
    args = parser.parse_args()
    announce()
    train, test = (pictures(part) for part in ("train", "test"))
    writers = {part: Summaries(os.path.join(args.log_path, part)) for part in ("train", "test")}
    network = Network(args.learning_rate)
    for epoch in range(args.epochs):
        loss, accuracy = train_epoch(network, train, args, epoch)
        writers["train"].write(epoch, loss=loss, accuracy=accuracy)
        loss, accuracy = network.judged(*test)
        writers["test"].write(epoch, loss=loss, accuracy=accuracy)
        print(f"Test Loss: {loss:.4f}, Test Accuracy: {accuracy:.4f}\n", flush=True)


def pictures(part: str) -> tuple[Any, Any]:
    images, labels = digits(_SAMPLES[part], part=part)
    return images.reshape(len(images), -1) / 255.0, labels


def train_epoch(
    network: Network, data: tuple[Any, Any], args: argparse.Namespace, epoch: int
) -> tuple[float, float]:
    images, labels = data
    order = np.random.default_rng(epoch).permutation(len(labels))
    loss = correct = seen = 0.0
    for step, start in enumerate(range(0, len(order), args.batch_size)):
        batch = order[start : start + args.batch_size]
        more, right = network.step(images[batch], labels[batch])
        loss, correct, seen = loss + more * len(batch), correct + right, seen + len(batch)
        if step % args.log_interval == 0:
            share = 100.0 * start / len(order)
            means = f"loss={loss / seen:.4f}, accuracy={100 * correct / seen:.4f}"
            print(f"Train Epoch: {epoch + 1} [{start}/{len(order)} ({share:.0f}%)]\t{means}", flush=True)
    return loss / seen, correct / seen


class Network:
    """Two layers, by Adam."""

    def __init__(self, rate: float) -> None:
        source = np.random.default_rng(1)
        self.rate = rate
        self.weights = [
            source.normal(0, 0.05, (784, _HIDDEN)),
            np.zeros(_HIDDEN),
            source.normal(0, 0.1, (_HIDDEN, 10)),
            np.zeros(10),
        ]
        self.moments = [(np.zeros_like(each), np.zeros_like(each)) for each in self.weights]
        self.steps = 0

    def step(self, images: Any, labels: Any) -> tuple[float, float]:
        """The loss, and how many were right."""
        hidden, shares = self._forward(images)
        slope = shares.copy()
        slope[np.arange(len(labels)), labels] -= 1
        slope /= len(labels)
        below = (slope @ self.weights[2].T) * (hidden > 0)
        self._move([images.T @ below, below.sum(0), hidden.T @ slope, slope.sum(0)])
        return _loss(shares, labels), float((shares.argmax(1) == labels).sum())

    def judged(self, images: Any, labels: Any) -> tuple[float, float]:
        _, shares = self._forward(images)
        return _loss(shares, labels), float((shares.argmax(1) == labels).mean())

    def _forward(self, images: Any) -> tuple[Any, Any]:
        first, bias, second, more = self.weights
        hidden = np.maximum(images @ first + bias, 0)
        logits = hidden @ second + more
        powers = np.exp(logits - logits.max(1, keepdims=True))
        return hidden, powers / powers.sum(1, keepdims=True)

    def _move(self, slopes: list[Any]) -> None:
        self.steps += 1
        for weight, (mean, square), slope in zip(self.weights, self.moments, slopes):  # noqa: B905 - old Pythons
            mean[:] = _BETAS[0] * mean + (1 - _BETAS[0]) * slope
            square[:] = _BETAS[1] * square + (1 - _BETAS[1]) * slope**2
            size = np.sqrt(square / (1 - _BETAS[1] ** self.steps)) + _EPSILON
            weight -= self.rate * mean / (1 - _BETAS[0] ** self.steps) / size


def _loss(shares: Any, labels: Any) -> float:
    return float(-np.log(np.maximum(shares[np.arange(len(labels)), labels], 1e-12)).mean())


class Summaries:
    """An event file."""

    def __init__(self, folder: str) -> None:
        os.makedirs(folder, exist_ok=True)
        name = f"events.out.tfevents.{int(time.time())}.{socket.gethostname()}.{os.getpid()}"
        self.file = open(os.path.join(folder, name), "ab")  # noqa: SIM115 - open as long as it trains
        self._record(_field(3, b"brain.Event:2"))

    def write(self, step: int, **scalars: float) -> None:
        for tag, value in scalars.items():
            summary = _field(1, _field(1, tag.encode()) + b"\x15" + struct.pack("<f", value))
            self._record(b"\x10" + _varint(step) + _field(5, summary))

    def _record(self, event: bytes) -> None:
        """The length and its checksum, the event with the time, its checksum."""
        event = b"\x09" + struct.pack("<d", time.time()) + event
        head = struct.pack("<Q", len(event))
        self.file.write(head + _checksum(head) + event + _checksum(event))
        self.file.flush()


def _field(number: int, content: bytes) -> bytes:
    """Of a protobuf message: bytes or a message."""
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    made = bytearray()
    while number > 0x7F:
        made.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes((*made, number))


def _checksum(content: bytes) -> bytes:
    """CRC-32C, masked as record_writer.cc does."""
    crc = 0xFFFFFFFF
    for byte in content:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


if __name__ == "__main__":
    main()
