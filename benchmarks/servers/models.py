"""Small models for `benchmarks/serving.py`, made with the library itself: models.py LIBRARY FOLDER."""

import sys
from pathlib import Path

library, folder = sys.argv[1], Path(sys.argv[2])
if library == "sklearn":
    import joblib
    from sklearn import datasets, svm

    x, y = datasets.load_iris(return_X_y=True)
    joblib.dump(svm.SVC(gamma="scale").fit(x, y), folder / "model.joblib")
elif library == "onnx":
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    chance = np.random.default_rng(1)
    shapes = {"w0": (4, 64), "b0": (64,), "w1": (64, 3), "b1": (3,)}
    weights = [numpy_helper.from_array(chance.normal(size=s).astype("float32"), n) for n, s in shapes.items()]
    nodes = [
        helper.make_node("Gemm", ["x", "w0", "b0"], ["h"]),
        helper.make_node("Relu", ["h"], ["r"]),
        helper.make_node("Gemm", ["r", "w1", "b1"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "mlp",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 3])],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, folder / "model.onnx")
else:
    import torch

    torch.manual_seed(1)
    network = torch.nn.Sequential(torch.nn.Linear(4, 64), torch.nn.ReLU(), torch.nn.Linear(64, 3)).eval()
    torch.jit.script(network).save(str(folder / "model.pt"))
