"""Linear regression with MultiWorkerMirroredStrategy: the loss of the global batch at each step, from worker 0."""

import json
import os

import numpy as np
import tensorflow as tf

STEPS, BATCH = 12, 32

told = json.loads(os.environ.get("TF_CONFIG") or "{}")
rank = told.get("task", {}).get("index", 0)
strategy = tf.distribute.MultiWorkerMirroredStrategy()
size = strategy.num_replicas_in_sync

random = np.random.default_rng(7)
inputs = random.normal(size=(STEPS * BATCH, 16)).astype(np.float32)
targets = inputs @ random.normal(size=(16, 1)).astype(np.float32)
first = random.normal(size=(16, 1)).astype(np.float32)
with strategy.scope():
    weights = tf.Variable(first)
    optimizer = tf.keras.optimizers.SGD(0.05)
    optimizer.build([weights])


def one(x, y):
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum((tf.matmul(x, weights) - y) ** 2) / BATCH
    optimizer.apply_gradients([(tape.gradient(loss, weights), weights)])
    return loss


@tf.function
def step_of(x, y):
    return strategy.reduce(tf.distribute.ReduceOp.SUM, strategy.run(one, args=(x, y)), axis=None)


for step in range(STEPS):
    own = slice(step * BATCH + rank, (step + 1) * BATCH, size)
    whole = step_of(tf.constant(inputs[own]), tf.constant(targets[own]))
    if rank == 0:
        print(f"loss {step} {float(whole)!r} of {size}", flush=True)
