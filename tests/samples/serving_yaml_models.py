"""Makes the models of upstream's samples that its tests do not have: serving_yaml_models.py NAME BUCKETS DATA UPSTREAM.

serving_yaml.py runs each in the environment of the image that serves it. DATA is upstream's `test/e2e/data`, UPSTREAM
the checkout of kserve/kserve.
"""

from __future__ import annotations

import shutil
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

NET = """
import torch


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = torch.nn.Linear(3 * 32 * 32, 10)

    def forward(self, x):
        return self.fc(x.flatten(1))
"""
INCOME = ("Age", "Workclass", "Education", "Marital Status", "Occupation", "Relationship", "Race", "Sex")
INCOME += ("Capital Gain", "Capital Loss", "Hours per week", "Country")


class Made:
    def __init__(self, buckets: Path, upstream: Path) -> None:
        self.buckets, self.upstream = buckets, upstream

    def file(self, *path: str) -> Path:
        found = self.buckets.joinpath(*path)
        found.parent.mkdir(parents=True, exist_ok=True)
        return found

    def copy(self, source: Path, *path: str) -> None:
        target = self.file(*path)
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True)
        else:
            shutil.copy(source, target)


def income_rows() -> tuple[Any, Any]:
    """People by the columns that Alibi's data set has: who is older, and works more, earns more."""
    import numpy as np

    rng = np.random.default_rng(3)
    columns = [rng.integers(17, 90, 600), *(rng.integers(0, 4, 600) for _ in INCOME[1:8])]
    columns += [rng.integers(0, 9000, 600), rng.integers(0, 2000, 600), rng.integers(1, 80, 600)]
    rows = np.stack([*columns, rng.integers(0, 11, 600)], axis=1).astype(float)
    return rows, ((rows[:, 0] > 45) & (rows[:, 10] > 35)).astype(int)


def sklearn(made: Made) -> None:
    import joblib
    from sklearn.datasets import load_iris
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.svm import SVC

    iris = SVC(gamma="scale").fit(*load_iris(return_X_y=True))
    for path in (
        *("kfserving-examples/models/sklearn/iris", "kfserving-samples/models/sklearn/iris"),
        ".web/sklearn",
    ):
        joblib.dump(iris, made.file(path, "model.joblib"))
    likely = LogisticRegression(max_iter=1000).fit(*load_iris(return_X_y=True))
    for path in ("sklearn/iris", "v1.11.0-dev/sklearn/iris", "v1.16.0-dev/sklearn/iris"):
        joblib.dump(likely, made.file("seldon-models", path, "model.joblib"))
    for path in ("sklearn/iris", "iris", "dvc-iris"):
        joblib.dump(likely, made.file(".s3", path, "model.joblib"))
    income = RandomForestClassifier(n_estimators=20, random_state=1).fit(*income_rows())
    joblib.dump(income, made.file("seldon-models/sklearn/income/model/model.joblib"))
    texts = [
        "a visually exquisite film",
        "a good and moving film",
        "a bad film",
        "a tired story , badly told",
    ]
    movies = make_pipeline(CountVectorizer(), LogisticRegression()).fit(texts, [1, 1, 0, 0])
    for path in ("sklearn/moviesentiment", "v1.16.0/sklearn/moviesentiment"):
        joblib.dump(movies, made.file("seldon-models", path, "model.joblib"))


def xgboost(made: Made) -> None:
    import xgboost as xgb
    from sklearn.datasets import load_iris

    x, y = load_iris(return_X_y=True)
    model = xgb.train({"objective": "multi:softmax", "num_class": 3, "max_depth": 4}, xgb.DMatrix(x, y), 20)
    model.save_model(made.file("kfserving-samples/models/xgboost/iris/model.bst"))


def lightgbm(made: Made) -> None:
    import lightgbm as lgb
    from sklearn.datasets import load_iris

    x, y = load_iris(return_X_y=True)
    told = {"objective": "multiclass", "num_class": 3, "verbose": -1}
    lgb.train(told, lgb.Dataset(x, y), 10).save_model(
        made.file("seldon-models/lightgbm/iris/model_3.2.1/model.txt")
    )


def mlflow(made: Made) -> None:
    import mlflow.sklearn
    import pandas as pd
    from sklearn.linear_model import ElasticNet

    names = ["fixed acidity", "volatile acidity", "citric acidity", "residual sugar", "chlorides"]
    names += ["free sulfur dioxide", "total sulfur dioxide", "density", "pH", "sulphates", "alcohol"]
    rows = [[float(column + row * 0.5) for column in range(len(names))] for row in range(4)]
    model = ElasticNet().fit(pd.DataFrame(rows, columns=names), [5.0, 6.0, 5.5, 7.0])
    for name in ("model-a", "model-b"):
        place = made.file("seldon-models/mlflow", name)
        shutil.rmtree(place, ignore_errors=True)
        mlflow.sklearn.save_model(model, str(place), pip_requirements=["scikit-learn"])


def pmml(made: Made) -> None:
    tree = made.upstream / "docs/samples/v1beta1/spark/DecisionTreeIris.pmml"
    made.copy(tree, "kfserving-examples/models/sparkpmml/model.pmml")


def tensorflow(made: Made) -> None:
    import tensorflow as tf

    flowers = made.buckets / "kfserving-examples/models/tensorflow"
    for name in ("flowers", "flowers-2"):
        made.copy(flowers / name, "kfserving-samples/models/tensorflow", name)

    class Pictures(tf.Module):
        """Ten classes of pictures, by weights of one layer."""

        def __init__(self, *shape: int) -> None:
            super().__init__()
            size = 1
            for each in shape:
                size *= each
            self.weights = tf.Variable(tf.random.stateless_normal([size, 10], seed=[1, 2]) / size)
            signature = [tf.TensorSpec([None, *shape], tf.float32, name="input_1")]
            self.serve = tf.function(
                lambda pictures: {"scores": tf.nn.softmax(tf.reshape(pictures, [-1, size]) @ self.weights)},
                input_signature=signature,
            )

    def save(model: Any, *path: str) -> None:
        tf.saved_model.save(model, str(made.file(*path)), signatures={"serving_default": model.serve})

    save(Pictures(32, 32, 3), "seldon-models/tfserving/cifar10/resnet32/1")
    save(Pictures(32, 32, 3), "kfserving-samples/tfserving/cifar10/resnet32/1")
    save(Pictures(28, 28, 1), ".s3/mnist/v1/export/1")
    save(Pictures(28, 28, 1), ".s3/mnist/model-v1/export/1")
    save(Pictures(28, 28, 1), ".s3/kfserving-examples/mnist/1")
    save(Pictures(4), ".web/tensorflow/1")
    with tarfile.open(made.file(".web/model_artifacts.tar.gz"), "w:gz") as archive:
        archive.add(made.buckets / ".web/tensorflow/1", "1")
    half = tf.Module()
    half.serve = tf.function(
        lambda x: {"y": x * 0.5 + 2.0}, input_signature=[tf.TensorSpec([None], tf.float32, name="x")]
    )
    save(half, "seldon-models/tfserving/half_plus_two/00000123")


def pytorch(made: Made) -> None:
    import torch

    made.file("kfserving-samples/models/pytorch/cifar10/cifar10.py").write_text(NET)
    space: dict[str, Any] = {}
    exec(NET, space)
    torch.manual_seed(1)
    torch.save(space["Net"]().state_dict(), made.file("kfserving-samples/models/pytorch/cifar10/model.pt"))
    v1 = made.buckets / "kfserving-examples/models/torchserve/image_classifier/v1"
    for part in ("config", "model-store"):
        made.copy(v1 / part, "kfserving-examples/models/torchserve/image_classifier", part)


def onnx(made: Made) -> None:
    """A picture becomes another: its negative."""
    import onnx as library
    from onnx import TensorProto, helper

    shape = [1, 3, 224, 224]
    graph = helper.make_graph(
        [helper.make_node("Neg", ["input1"], ["output1"])],
        "style",
        [helper.make_tensor_value_info("input1", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("output1", TensorProto.FLOAT, shape)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    library.save(model, str(made.file("kfserving-examples/models/onnx/onnx-model/1/model.onnx")))
    library.save(model, str(made.file("kfserving-examples/onnx/style/model.onnx")))


def alibi(made: Made) -> None:
    """Explainers, in whose environment Alibi has to be mended as our program mends it."""
    sys.path.insert(0, str(Path(__file__).parents[2] / "src"))
    import numpy as np

    from sampan.components.serving.engine.programs.seldon_explainer import library

    rows, _ = income_rows()
    explainers = library.alibi().explainers
    tabular = explainers.AnchorTabular(lambda x: np.zeros(len(x), dtype=int), list(INCOME))
    tabular.fit(rows, disc_perc=(25, 50, 75))
    for path in (
        "kfserving-examples/models/sklearn/1.3/income/explainer",
        "seldon-models/sklearn/income/explainer-py36-0.5.2",
    ):
        tabular.save(str(made.file(path)))
    image = explainers.AnchorImage(lambda x: np.zeros((len(x), 10)), (32, 32, 3))
    image.save(str(made.file("kfserving-examples/models/tensorflow/cifar/explainer-0.9.1")))


MAKERS: dict[str, Callable[[Made], None]] = {
    each.__name__: each
    for each in (sklearn, xgboost, lightgbm, mlflow, pmml, tensorflow, pytorch, onnx, alibi)
}

if __name__ == "__main__":
    MAKERS[sys.argv[1]](Made(Path(sys.argv[2]), Path(sys.argv[4])))
