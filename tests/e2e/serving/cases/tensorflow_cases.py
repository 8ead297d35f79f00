"""TensorFlow: a SavedModel with several signatures, texts and bytes, and a file of Keras."""

from __future__ import annotations

import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras
import numpy as np
import tensorflow as tf
from recorded import Case, play

ROWS = np.random.default_rng(11).normal(size=(5, 4)).astype(np.float32)


class Module(tf.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weights = tf.Variable(np.arange(8, dtype=np.float32).reshape(4, 2) / 7)

    @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32, name="x")])
    def scores(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"scores": tf.nn.softmax(tf.matmul(x, self.weights))}

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.string, name="word"),
            tf.TensorSpec([None], tf.int64, name="n"),
        ]
    )
    def repeat(self, word: tf.Tensor, n: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"long": tf.strings.join([word, word]), "more": n + 1}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="image_bytes")])
    def size(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"size": tf.strings.length(image_bytes)}


def saved_models() -> None:
    module = Module()
    case = Case("tensorflow-signatures", "tensorflow")
    signatures = {"serving_default": module.scores, "repeat": module.repeat}
    tf.saved_model.save(module, str(case.model / "3"), signatures=signatures)
    (case.model / "2").mkdir()
    scores = module.scores(tf.constant(ROWS))["scores"].numpy()
    case.v1(ROWS.tolist(), scores)
    case.v1([{"x": row} for row in ROWS.tolist()], scores)
    case.v1({"x": ROWS.tolist()}, scores)
    case.v2({"x": ROWS}, {"scores": scores})
    case.v2({"input-0": ROWS}, {"scores": scores})
    words, counts = np.array(["ab", "ü"], dtype=object), np.array([1, 2])
    found = module.repeat(tf.constant(words.tolist()), tf.constant(counts))
    case.v2(
        {"word": words, "n": counts},
        {
            "long": np.array([each.decode() for each in found["long"].numpy()], dtype=object),
            "more": found["more"].numpy(),
        },
        signature_name="repeat",
    )
    case.write(tf)
    case = Case("tensorflow-bytes", "tensorflow")
    tf.saved_model.save(module, str(case.model), signatures=module.size)
    case.v1([{"b64": "AAEC/w=="}, {"b64": "AA=="}], [4, 1])
    case.v1([{"image_bytes": {"b64": "AAEC/w=="}}], [4])
    case.write(tf)


def kerases() -> None:
    inputs = keras.Input((4,), name="features")
    hidden = keras.layers.Dense(5, activation="relu")(inputs)
    model = keras.Model(inputs, keras.layers.Dense(2, name="out")(hidden))
    expected = model(ROWS).numpy()
    case = Case("tensorflow-keras", "tensorflow")
    model.save(case.model / "model.keras")
    case.v1(ROWS.tolist(), expected)
    case.v2({"features": ROWS}, {model.output_names[0]: expected})
    case.write(keras)
    case = Case("tensorflow-export", "tensorflow")
    model.export(str(case.model / "1"), verbose=False)
    case.v1(ROWS.tolist(), expected)
    case.v2({"features": ROWS}, {"output_0": expected})
    case.write(keras)


if __name__ == "__main__":
    play(saved_models, kerases)
