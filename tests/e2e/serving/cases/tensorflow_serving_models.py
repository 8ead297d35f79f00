"""Models for TensorFlow Serving's API: `half_plus_two` of its documents, as TensorFlow 1 writes it, and a module of 2.

With what TensorFlow itself answers. Run in the environment of the image `tensorflow/serving`.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import numpy as np
import tensorflow as tf

v1 = tf.compat.v1
ROWS = np.random.default_rng(5).normal(size=(3, 4)).astype(np.float32)


def half_plus(folder: Path, offset: float) -> None:
    """y = x / 2 + offset, with the signatures of the documents' model."""
    with tf.Graph().as_default(), v1.Session() as session:
        a, b = v1.get_variable("a", initializer=0.5), v1.get_variable("b", initializer=offset)
        examples = v1.placeholder(tf.string, [None], name="tf_example")
        parsed = v1.io.parse_example(
            examples, {"x": v1.io.FixedLenFeature([1], tf.float32, default_value=[-1.0])}
        )
        x = tf.identity(parsed["x"], name="x")
        y = tf.add(tf.multiply(a, x), b, name="y")
        session.run(v1.global_variables_initializer())
        info = v1.saved_model.build_tensor_info
        make = v1.saved_model.build_signature_def
        signatures = {
            "serving_default": make({"x": info(x)}, {"y": info(y)}, "tensorflow/serving/predict"),
            "tensorflow/serving/regress": make(
                {"inputs": info(examples)}, {"outputs": info(y)}, "tensorflow/serving/regress"
            ),
            "classify_x_to_y": make(
                {"inputs": info(examples)}, {"scores": info(y)}, "tensorflow/serving/classify"
            ),
        }
        builder = v1.saved_model.builder.SavedModelBuilder(str(folder))
        builder.add_meta_graph_and_variables(session, ["serve"], signature_def_map=signatures)
        builder.save()


class Module(tf.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weights = tf.Variable(np.arange(8, dtype=np.float32).reshape(4, 2) / 7)

    @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32, name="x")])
    def scores(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"scores": tf.nn.softmax(tf.matmul(x, self.weights))}

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.string, name="tag"),
            tf.TensorSpec([None, 2], tf.int64, name="signal"),
        ]
    )
    def several(self, tag: tf.Tensor, signal: tf.Tensor) -> dict[str, tf.Tensor]:
        return {
            "long": tf.strings.join([tag, tag]),
            "raw_bytes": tag,
            "sum": tf.reduce_sum(signal, axis=1),
            "root": tf.sqrt(tf.cast(signal, tf.float32) - 2.0),
        }

    @tf.function(input_signature=[tf.TensorSpec([], tf.float32, name="x")])
    def scalar(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"y": x * 0.1}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="inputs")])
    def classify(self, inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        spec = {"x": tf.io.FixedLenFeature([4], tf.float32), "who": tf.io.FixedLenFeature([], tf.string, "?")}
        parsed = tf.io.parse_example(inputs, spec)
        scores = tf.nn.softmax(tf.matmul(parsed["x"], self.weights))
        who = tf.expand_dims(parsed["who"], 1)
        return {"classes": tf.concat([who, tf.strings.join([who, "!"])], axis=1), "scores": scores}


def main(folder: Path) -> None:
    half_plus(folder / "half_plus_two" / "00000123", 2.0)
    half_plus(folder / "half_plus_three" / "124", 3.0)
    module = Module()
    signatures = {
        "serving_default": module.scores,
        "several": module.several,
        "scalar": module.scalar,
        "classify": module.classify,
    }
    tf.saved_model.save(module, str(folder / "module" / "1"), signatures=signatures)
    told = {"rows": ROWS.tolist(), "scores": module.scores(tf.constant(ROWS))["scores"].numpy().tolist()}
    (folder / "told.json").write_text(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
