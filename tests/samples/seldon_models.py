"""Makes the models that Seldon's end-to-end tests fetch: seldon_models.py NAME BUCKETS UPSTREAM UPSTREAM.

seldon.py runs each in the environment of the image that serves it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

MODELS = "seldon-models"
METADATA = """
name: {name}
versions: [{name}/v1]
platform: {platform}
inputs:
- messagetype: tensor
  schema: {{names: [a, b, c, d], shape: [4]}}
outputs:
- messagetype: tensor
  schema: {{shape: [3]}}
"""


class Made:
    def __init__(self, buckets: Path) -> None:
        self.buckets = buckets

    def file(self, *path: str) -> Path:
        found = self.buckets.joinpath(MODELS, *path)
        found.parent.mkdir(parents=True, exist_ok=True)
        return found

    def tell(self, folder: str, name: str, platform: str) -> None:
        self.file(folder, "metadata.yaml").write_text(METADATA.format(name=name, platform=platform))


def sklearn(made: Made) -> None:
    import joblib
    from sklearn.datasets import load_iris
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    iris = LogisticRegression(max_iter=1000).fit(*load_iris(return_X_y=True))
    for folder in ("v1.18.2/sklearn/iris", "v1.15.0-dev/sklearn/iris", "sklearn/iris-0.23.2/lr_model"):
        joblib.dump(iris, made.file(folder, "model.joblib"))
    made.tell("v1.18.2/sklearn/iris", "iris", "sklearn")
    texts = ["a good and moving film", "this is a good test", "a bad film", "data without a story"]
    movies = make_pipeline(CountVectorizer(), LogisticRegression()).fit(texts, [1, 1, 0, 0])
    joblib.dump(movies, made.file("v1.18.2/sklearn/moviesentiment/model.joblib"))


def xgboost(made: Made) -> None:
    import xgboost as xgb
    from sklearn.datasets import load_iris

    x, y = load_iris(return_X_y=True)
    model = xgb.train({"objective": "multi:softprob", "num_class": 3, "max_depth": 4}, xgb.DMatrix(x, y), 20)
    for folder in ("xgboost/iris", "v1.15.0/xgboost/iris"):
        model.save_model(made.file(folder, "model.bst"))
        made.tell(folder, "xgboost-iris", "xgboost")


def mlflow(made: Made) -> None:
    import mlflow.sklearn
    import pandas as pd
    from mlflow.models import infer_signature
    from sklearn.linear_model import ElasticNet

    names = ["fixed acidity", "volatile acidity", "citric acidity", "residual sugar", "chlorides"]
    names += ["free sulfur dioxide", "total sulfur dioxide", "density", "pH", "sulphates", "alcohol"]
    rows = [[float(column + row * 0.5) for column in range(len(names))] for row in range(4)]
    frame = pd.DataFrame(rows, columns=names)
    model = ElasticNet().fit(frame, [5.0, 6.0, 5.5, 7.0])
    signature = infer_signature(frame, model.predict(frame))
    for folder, of in (
        ("v1.18.0/mlflow/elasticnet_wine", None),
        ("v1.12.0-dev/mlflow/elasticnet_wine", signature),
    ):
        mlflow.sklearn.save_model(
            model, str(made.file(folder)), signature=of, pip_requirements=["scikit-learn"]
        )
        made.tell(folder, "mlflow-wines", "mlflow")


def tensorflow(made: Made) -> None:
    import tensorflow as tf

    weights = tf.Variable(tf.random.stateless_normal([784, 10], seed=[1, 2]))

    @tf.function(input_signature=[tf.TensorSpec([None, 784], tf.float32, name="images")])
    def scores(images: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"scores": tf.nn.softmax(images @ weights)}

    module = tf.Module()
    module.weights = weights
    module.scores = scores
    tf.saved_model.save(
        module,
        str(made.file("tfserving/mnist-model/1")),
        signatures={"serving_default": scores, "predict_images": scores},
    )


def alibi(made: Made) -> None:
    """An explainer, in whose environment Alibi has to be mended as our program mends it."""
    sys.path.insert(0, str(Path(__file__).parents[2] / "src"))
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression

    from sampan.components.serving.engine.programs.seldon_explainer import library

    iris = load_iris()
    model = LogisticRegression(max_iter=1000).fit(iris.data, iris.target)
    tabular = library.alibi().explainers.AnchorTabular(model.predict_proba, iris.feature_names)
    tabular.fit(iris.data, disc_perc=(25, 50, 75))
    tabular.save(str(made.file("alibi/iris_anchor_tabular-python3.8-alibi-0.8.0")))


MAKERS: dict[str, Callable[[Made], None]] = {
    each.__name__: each for each in (sklearn, xgboost, mlflow, tensorflow, alibi)
}

if __name__ == "__main__":
    MAKERS[sys.argv[1]](Made(Path(sys.argv[2])))
