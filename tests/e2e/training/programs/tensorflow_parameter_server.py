"""Linear regression with parameter servers: the chief has each step done by any worker, and waits for it."""

import os

import numpy as np
import tensorflow as tf

STEPS, BATCH = 12, 32

os.environ["GRPC_FAIL_FAST"] = "use_caller"
cluster = tf.distribute.cluster_resolver.TFConfigClusterResolver()
if cluster.task_type in ("worker", "ps"):
    kind, index = cluster.task_type, cluster.task_id
    tf.distribute.Server(cluster.cluster_spec(), job_name=kind, task_index=index, protocol="grpc").join()

strategy = tf.distribute.ParameterServerStrategy(cluster)
workers = cluster.cluster_spec().num_tasks("worker")
random = np.random.default_rng(7)
inputs = random.normal(size=(STEPS * BATCH, 16)).astype(np.float32)
targets = inputs @ random.normal(size=(16, 1)).astype(np.float32)
with strategy.scope():
    weights = tf.Variable(random.normal(size=(16, 1)).astype(np.float32))
coordinator = tf.distribute.coordinator.ClusterCoordinator(strategy)


@tf.function
def one(x, y):
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean((tf.matmul(x, weights) - y) ** 2)
    weights.assign_sub(0.05 * tape.gradient(loss, weights))
    return loss


for step in range(STEPS):
    batch = slice(step * BATCH, (step + 1) * BATCH)
    loss = coordinator.schedule(one, args=(tf.constant(inputs[batch]), tf.constant(targets[batch])))
    coordinator.join()
    print(f"loss {step} {float(loss.fetch())!r} of {workers}", flush=True)
