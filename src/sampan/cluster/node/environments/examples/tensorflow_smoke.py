"""Multiplies a matrix on every device of the cluster that TF_CONFIG names: training-operator's old smoke test.

Stands for training-operator 1.9 examples/tensorflow/tf_sample/tf_smoke.py. Runs in a pod.
"""

from __future__ import annotations

import tensorflow as tf
from generated import announce


def main() -> None:
    announce()
    for device in tf.config.list_logical_devices():
        with tf.device(device.name):
            product = tf.matmul([[1.0, 2.0], [3.0, 4.0]], [[1.0, 0.0], [0.0, 1.0]])
        print(f"{device.name}: {product.numpy().tolist()}", flush=True)


if __name__ == "__main__":
    main()
