"""Linear regression over a mesh of all processes: the loss of the global batch at each step, from process 0."""

import os

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

STEPS, BATCH = 12, 32

jax.config.update("jax_cpu_collectives_implementation", "gloo")
if "COORDINATOR_ADDRESS" in os.environ:  # of a JAXJob
    place = f"{os.environ['COORDINATOR_ADDRESS']}:{os.environ['COORDINATOR_PORT']}"
    jax.distributed.initialize(place, int(os.environ["NUM_PROCESSES"]), int(os.environ["PROCESS_ID"]))
elif "JAX_COORDINATOR_ADDRESS" in os.environ:  # of Trainer's runtime; JAX itself reads the address only
    told = [os.environ[f"JAX_{name}"] for name in ("COORDINATOR_ADDRESS", "NUM_PROCESSES", "PROCESS_ID")]
    jax.distributed.initialize(told[0], int(told[1]), int(told[2]))
rank, size = jax.process_index(), jax.process_count()

random = np.random.default_rng(7)
inputs = random.normal(size=(STEPS * BATCH, 16)).astype(np.float32)
targets = inputs @ random.normal(size=(16, 1)).astype(np.float32)
mesh = Mesh(np.array(jax.devices()), ("data",))
shared, split = NamedSharding(mesh, PartitionSpec()), NamedSharding(mesh, PartitionSpec("data"))
first = {"w": random.normal(size=(16, 1)).astype(np.float32), "b": np.zeros((1,), np.float32)}
weights = jax.device_put(first, shared)


def loss_of(weights, x, y):
    return jnp.mean((x @ weights["w"] + weights["b"] - y) ** 2)


@jax.jit
def train(weights, x, y):
    loss, change = jax.value_and_grad(loss_of)(weights, x, y)
    return jax.tree_util.tree_map(lambda w, g: w - 0.05 * g, weights, change), loss


part = BATCH // size
for step in range(STEPS):
    own = slice(step * BATCH + rank * part, step * BATCH + (rank + 1) * part)
    batch = [jax.make_array_from_process_local_data(split, each[own]) for each in (inputs, targets)]
    weights, loss = train(weights, *batch)
    if rank == 0:
        print(f"loss {step} {float(loss)!r} of {size}", flush=True)
