"""Paddle: a layer saved for inference."""

from __future__ import annotations

import numpy as np
import paddle
from paddle import inference
from recorded import Case, play


def saved() -> None:
    paddle.seed(2)
    layer = paddle.nn.Sequential(paddle.nn.Linear(4, 6), paddle.nn.ReLU(), paddle.nn.Linear(6, 3))
    layer.eval()
    case = Case("paddle-dense", "paddle")
    spec = [paddle.static.InputSpec(shape=[None, 4], dtype="float32", name="x")]
    paddle.jit.save(layer, str(case.model / "model"), input_spec=spec)
    program = next(each for each in case.model.iterdir() if each.suffix in (".pdmodel", ".json"))
    predictor = inference.create_predictor(
        inference.Config(str(program), str(case.model / "model.pdiparams"))
    )
    (name,) = predictor.get_output_names()
    rows = np.random.default_rng(1).normal(size=(3, 4)).astype(np.float32)
    predictor.get_input_handle("x").copy_from_cpu(rows)
    predictor.run()
    expected = predictor.get_output_handle(name).copy_to_cpu()
    case.v1(rows.tolist(), expected)
    case.v2({"x": rows}, {name: expected})
    case.v2({"input-0": rows}, {name: expected})
    case.write(paddle)


if __name__ == "__main__":
    play(saved)
