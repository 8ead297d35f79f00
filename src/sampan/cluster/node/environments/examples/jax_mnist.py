"""Softmax regression on digits with JAX, data-parallel over the processes of a JAXJob.

Stands for training-operator 1.9 examples/jax/jax-dist-spmd-mnist/spmd_mnist_classifier_fromscratch.py. Runs in a pod.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from generated import announce, digits
from jax_train import initialise

_SAMPLES, _BATCH, _EPOCHS, _RATE = 6000, 120, 3, 0.1


def main() -> None:
    announce()
    initialise()
    rank, size = jax.process_index(), jax.process_count()
    images, labels = digits(_SAMPLES)
    pictures = images.reshape(-1, 784).astype("float32") / 255
    own = slice(rank, None, size)
    pictures, labels = pictures[own], labels[own]
    weights = {"w": jnp.zeros((1, 784, 10)), "b": jnp.zeros((1, 10))}
    step = jax.pmap(one_step, axis_name="all", devices=[each[0] for each in devices_by_process()])
    batch = _BATCH // size
    for epoch in range(1, _EPOCHS + 1):
        loss = jnp.zeros(1)
        for start in range(0, len(labels) - batch + 1, batch):
            part = slice(start, start + batch)
            weights, loss = step(weights, pictures[None, part], labels[None, part])
        print(f"epoch {epoch}: loss={float(loss[0]):.4f}", flush=True)
    found = jnp.argmax(pictures @ weights["w"][0] + weights["b"][0], axis=1)
    print(f"accuracy={float((found == labels).mean()):.4f}", flush=True)


def devices_by_process() -> list[list[Any]]:
    """One device of each process is used, the first."""
    found: dict[int, list[Any]] = {}
    for device in jax.devices():
        found.setdefault(device.process_index, []).append(device)
    return [found[process] for process in sorted(found)]


def loss_of(weights: Any, images: Any, labels: Any) -> Any:
    logits = images @ weights["w"] + weights["b"]
    chosen = jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], axis=1)
    return -chosen.mean()


def one_step(weights: Any, images: Any, labels: Any) -> Any:
    loss, change = jax.value_and_grad(loss_of)(weights, images, labels)
    change = jax.lax.pmean(change, "all")
    return jax.tree_util.tree_map(lambda w, g: w - _RATE * g, weights, change), jax.lax.pmean(loss, "all")


if __name__ == "__main__":
    main()
