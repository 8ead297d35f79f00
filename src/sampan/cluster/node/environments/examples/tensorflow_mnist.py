"""MNIST with Keras and summaries: what `mnist_with_summaries.py` and Kubeflow's strategy examples are in their images.

TF_CONFIG decides how: alone, as one of several mirrored workers (`--mirrored`), or with parameter servers (`--ps`).
Options are those of training-operator 1.9 examples/tensorflow. Runs in a pod.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from typing import Any

import tensorflow as tf
from generated import announce, digits

_SAMPLES = 6000


def main() -> None:
    args = options()
    announce()
    task = json.loads(os.environ.get("TF_CONFIG") or "{}").get("task", {})
    kind, index = task.get("type", ""), int(task.get("index", 0))
    if args.ps:
        with_parameter_servers(args, kind)
    elif args.mirrored:
        mirrored(args, is_chief=kind == "chief" or index == 0)
    else:
        model = network(args)
        train(
            model, args, dataset(args).batch(args.batch_size), [tf.keras.callbacks.TensorBoard(args.log_dir)]
        )
        images, labels = pictures(args, "test", 1000)
        print("accuracy=%.4f" % model.evaluate(images, labels, verbose=0)[1], flush=True)  # noqa: UP031


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--mirrored", action="store_true", help="tf.distribute.MultiWorkerMirroredStrategy")
    parser.add_argument("--ps", action="store_true", help="tf.distribute.ParameterServerStrategy")
    parser.add_argument("--fake_data", nargs="?", const=True, default=False)
    parser.add_argument("--max_steps", type=int, default=0, help="older images': no more than so many")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--learning_rate", type=float, default=0.001)
    parser.add_argument("--batch_size", type=int, default=64)
    parser.add_argument("--dropout", type=float, default=0.9, help="the share that is kept")
    parser.add_argument("--data_path", "--data_dir", default="")
    parser.add_argument("--log_dir", default="/tmp/tensorflow/mnist/logs")  # noqa: S108 - the container's own
    parser.add_argument("--saved_model_dir", default="")
    parser.add_argument("--checkpoint_dir", default="")
    return parser.parse_args()


def mirrored(args: argparse.Namespace, *, is_chief: bool) -> None:
    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    print(f"Number of replicas: {strategy.num_replicas_in_sync}", flush=True)
    data = dataset(args).batch(args.batch_size * strategy.num_replicas_in_sync)
    with strategy.scope():
        model = network(args)
    train(model, args, data.repeat(), [], steps=40)
    # Saving is a common act: all take part, and only what the chief writes is kept.
    folder = args.saved_model_dir if is_chief and args.saved_model_dir else tempfile.mkdtemp()
    os.makedirs(folder, exist_ok=True)
    model.save(os.path.join(folder, "mnist.keras"))


def with_parameter_servers(args: argparse.Namespace, kind: str) -> None:
    os.environ["GRPC_FAIL_FAST"] = "use_caller"
    cluster = tf.distribute.cluster_resolver.TFConfigClusterResolver()
    if kind in ("worker", "ps"):
        server = tf.distribute.Server(
            cluster.cluster_spec(), job_name=kind, task_index=cluster.task_id, protocol="grpc"
        )
        server.join()
        return
    strategy = tf.distribute.ParameterServerStrategy(cluster)
    print(f"Parameter servers: {cluster.cluster_spec().num_tasks('ps')}", flush=True)
    with strategy.scope():
        weights = tf.Variable(tf.zeros((784, 10)))
        bias = tf.Variable(tf.zeros(10))
    coordinator = tf.distribute.coordinator.ClusterCoordinator(strategy)
    images, labels = pictures(args, "train", _SAMPLES)
    step = gradient_step(strategy, weights, bias, args.learning_rate * 100)
    for number in range(args.max_steps or 60):
        start = number * args.batch_size % (_SAMPLES - args.batch_size)
        batch = slice(start, start + args.batch_size)
        loss = coordinator.schedule(step, args=(tf.constant(images[batch]), tf.constant(labels[batch])))
        if number % 20 == 19:
            coordinator.join()
            print(f"step {number + 1}: loss={float(loss.fetch()):.4f}", flush=True)
    coordinator.join()


def gradient_step(strategy: Any, weights: Any, bias: Any, rate: float) -> Any:
    """One step of softmax regression on whichever worker is free."""

    def step(images: Any, labels: Any) -> Any:
        with tf.GradientTape() as tape:
            logits = tf.matmul(tf.reshape(images, (-1, 784)), weights) + bias
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
            loss = tf.reduce_mean(losses)
        for variable, change in zip((weights, bias), tape.gradient(loss, (weights, bias))):  # noqa: B905
            variable.assign_sub(rate * change)
        return loss

    return tf.function(step)


def pictures(args: argparse.Namespace, part: str, count: int) -> tuple[Any, Any]:
    folder = args.data_path if os.path.isdir(args.data_path) else ""
    images, labels = digits(count, 0, folder, part)
    return images.reshape(-1, 28, 28, 1).astype("float32") / 255, labels


def dataset(args: argparse.Namespace) -> Any:
    data = tf.data.Dataset.from_tensor_slices(pictures(args, "train", _SAMPLES)).shuffle(_SAMPLES, seed=1)
    wanted = tf.data.Options()
    wanted.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    return data.with_options(wanted)


def network(args: argparse.Namespace) -> Any:
    layers = tf.keras.layers
    convolution = (layers.Conv2D(16, 3, activation="relu"), layers.MaxPooling2D())
    head = (
        layers.Dense(64, activation="relu"),
        layers.Dropout(1 - args.dropout),
        layers.Dense(10, activation="softmax"),
    )
    model = tf.keras.Sequential([layers.Input((28, 28, 1)), *convolution, layers.Flatten(), *head])
    optimizer = tf.keras.optimizers.Adam(args.learning_rate)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def train(
    model: Any, args: argparse.Namespace, data: Any, callbacks: list[Any], steps: int | None = None
) -> None:
    if args.checkpoint_dir:
        os.makedirs(args.checkpoint_dir, exist_ok=True)
        place = os.path.join(args.checkpoint_dir, "ckpt_{epoch}.weights.h5")
        callbacks = [*callbacks, tf.keras.callbacks.ModelCheckpoint(place, save_weights_only=True)]
    model.fit(
        data,
        epochs=args.epochs,
        steps_per_epoch=steps or args.max_steps or None,
        callbacks=callbacks,
        verbose=2,
    )


if __name__ == "__main__":
    main()
