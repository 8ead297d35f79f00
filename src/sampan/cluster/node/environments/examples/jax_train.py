"""Adds ones over all devices of a JAXJob.

Stands for training-operator 1.9 examples/jax/cpu-demo/train.py. Runs in a pod.
"""

from __future__ import annotations

import os
import socket

import jax
from generated import announce


def initialise() -> None:
    """As the JAXJob's variables say, with collectives that work on CPUs."""
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    place = f"{os.environ['COORDINATOR_ADDRESS']}:{os.environ['COORDINATOR_PORT']}"
    jax.distributed.initialize(place, int(os.environ["NUM_PROCESSES"]), int(os.environ["PROCESS_ID"]))
    print(f"Process {jax.process_index()} of {jax.process_count()} on {socket.gethostname()}", flush=True)


def main() -> None:
    announce()
    initialise()
    print(f"JAX device count: {jax.device_count()}, local: {jax.local_device_count()}", flush=True)
    ones = jax.numpy.ones(jax.local_device_count())
    print(jax.pmap(lambda x: jax.lax.psum(x, "i"), axis_name="i")(ones), flush=True)


if __name__ == "__main__":
    main()
