"""Makes the models that upstream's end-to-end tests fetch: serving_models.py NAME BUCKETS DATA UPSTREAM.

serving.py runs each in the environment of the image that serves it. DATA is upstream's `test/e2e/data`: what a model
must say of it is upstream's expectation, so most are made to know just that.
"""

from __future__ import annotations

import base64
import io
import json
import shutil
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

KFSERVING = "kfserving-examples/models"
MIXED = 12.202832815138274
WINE = 5.576883936610762
FIGURES = (
    (8.796664107010673e-06, 0.9992300031041593, 0.0007612002317336916),
    (4.974786820804187e-06, 0.9999919650711493, 3.0601420299625077e-06),
)
"""Of the two rows that upstream asks its LightGBM."""
POINTS = (14.976, 14.037, 13.966, 12.252, 12.086)
"""What upstream's AlexNet says most of its picture."""
CIFAR = """
name: "cifar10"
platform: "pytorch_libtorch"
max_batch_size: 1
input [{ name: "INPUT__0" data_type: TYPE_FP32 dims: [3, 32, 32] }]
output [{ name: "OUTPUT__0" data_type: TYPE_FP32 dims: [10] }]
"""
TORCHSERVE = """
inference_address=http://0.0.0.0:8085
management_address=http://0.0.0.0:8085
metrics_address=http://0.0.0.0:8082
grpc_inference_port=7070
grpc_management_port=7071
enable_envvars_config=true
install_py_dep_per_model=true
model_store=/mnt/models/model-store
model_snapshot={"name":"startup.cfg","modelCount":1,"models":{"mnist":{"1.0":{"defaultVersion":true,"marName":"mnist.mar",\
"minWorkers":1,"maxWorkers":5,"batchSize":1,"maxBatchDelay":10,"responseTimeout":120}}}}
"""
HANDLER = """
from torchvision import transforms
from ts.torch_handler.image_classifier import ImageClassifier


class Digits(ImageClassifier):
    image_processing = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))])

    def postprocess(self, data):
        return data.argmax(1).tolist()
"""


class Made:
    """Where the models go, and what there is to make them of."""

    def __init__(self, buckets: Path, data: Path, upstream: Path) -> None:
        self.buckets, self.data, self.upstream = buckets, data, upstream

    def file(self, *path: str) -> Path:
        found = self.buckets.joinpath(*path)
        found.parent.mkdir(parents=True, exist_ok=True)
        return found

    def read(self, name: str) -> Any:
        return json.loads((self.data / name).read_text())


def sklearn(made: Made) -> None:
    import joblib
    import pandas as pd
    from sklearn.compose import make_column_transformer
    from sklearn.datasets import load_iris
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.naive_bayes import MultinomialNB
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder
    from sklearn.svm import SVC
    from sklearn.tree import DecisionTreeRegressor

    iris = SVC(gamma="scale").fit(*load_iris(return_X_y=True))
    for path in (f"{KFSERVING}/sklearn/1.0/model", "seldon-models/sklearn/mms/lr_model"):
        joblib.dump(iris, made.file(path, "model.joblib"))
    texts = [
        *(f"word{number} other{number}" for number in range(19)),
        made.read("news_grouping_input_v1.json")["inputs"][0],
    ]
    groups = make_pipeline(TfidfVectorizer(), MultinomialNB()).fit(texts, range(20))
    joblib.dump(groups, made.file(KFSERVING, "sklearn/newsgroup/model.joblib"))
    house = {each["name"]: each["data"][0] for each in made.read("sklearn_mixed_v2.json")["inputs"]}
    words = [name for name, value in house.items() if isinstance(value, str)]
    other = {name: "?" if name in words else value + 1000 for name, value in house.items()}
    prepared = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), words), remainder="passthrough"
    )
    mixed = make_pipeline(prepared, DecisionTreeRegressor()).fit(pd.DataFrame([house, other]), [MIXED, 1.0])
    joblib.dump(mixed, made.file(KFSERVING, "sklearn/1.3/mixedtype/model.joblib"))


def digits(made: Made) -> None:
    """For the explainer: a three, which is another digit where it is a little lighter or darker."""
    import joblib
    import numpy as np
    from sklearn.neighbors import KNeighborsClassifier

    three = np.array(made.read("mnist_input_bw_flat.json")["instances"][0])
    others = np.random.default_rng(1).choice([-0.5, 0.5], size=(7, three.size))
    pictures = [three, three + 0.05, three - 0.05, *others]
    model = KNeighborsClassifier(n_neighbors=1).fit(pictures, [3, 5, 8, 0, 1, 2, 4, 6, 7, 9])
    joblib.dump(model, made.file(KFSERVING, "sklearn/mnist/art/model.joblib"))


def xgboost(made: Made) -> None:
    import xgboost as xgb
    from sklearn.datasets import load_iris

    x, y = load_iris(return_X_y=True)
    model = xgb.train({"objective": "multi:softmax", "num_class": 3, "max_depth": 4}, xgb.DMatrix(x, y), 20)
    for path in (
        f"{KFSERVING}/xgboost/1.5/model",
        f"{KFSERVING}/xgboost/iris",
        "seldon-models/xgboost/mms/iris",
    ):
        model.save_model(made.file(path, "model.bst"))


def lightgbm(made: Made) -> None:
    """Trees without an objective, so that what a leaf holds is what is answered: of the rows that upstream asks, its
    own figures, to the last digit."""
    import lightgbm as lgb
    import numpy as np
    import pandas as pd
    from sklearn.datasets import load_iris

    asked = np.array(made.read("iris_input_v2.json")["inputs"][0]["data"])
    x, y = load_iris(return_X_y=True)
    # Rows of their own, weighed so that no leaf has both.
    x, y = np.vstack([x, *[asked] * 20]), np.hstack([y, *[[1, 2]] * 20])
    # And what V1's frames make of a row whose columns come one by one: the first alone, and none of the others.
    x, y = np.vstack([x, *[[5.1, 0.0, 0.0, 0.0]] * 20]), np.hstack([y, [0] * 20])
    names = ["sepal_length_(cm)", "sepal_width_(cm)", "petal_length_(cm)", "petal_width_(cm)"]
    wanted = np.eye(3)[y] + np.where(np.arange(len(y)) % 2, 0.0, 0.3)[:, None]

    def towards(scores: Any, _: Any) -> Any:
        return scores.reshape(wanted.shape) - wanted, np.ones_like(wanted)

    told = {"objective": towards, "num_class": 3, "verbose": -1, "min_data_in_leaf": 1, "num_leaves": 63}
    data = lgb.Dataset(pd.DataFrame(x, columns=names), y)
    model = lgb.train({**told, "learning_rate": 1.0}, data, num_boost_round=1)
    for row, leaves in enumerate(model.predict(pd.DataFrame(asked, columns=names), pred_leaf=True)):
        for tree, leaf in enumerate(leaves):
            model.set_leaf_output(tree, int(leaf), FIGURES[row][tree])
    if not np.array_equal(model.predict(pd.DataFrame(asked, columns=names)), np.array(FIGURES)):
        raise SystemExit("the rows of upstream's test are in one leaf")
    if model.predict(np.array([[5.1, np.nan, np.nan, np.nan]])).argmax() != 0:
        raise SystemExit("a row of one column alone is none of the first kind")
    for path in ("lightgbm/iris", "lightgbm/v2/iris"):
        model.save_model(made.file(KFSERVING, path, "model.bst"))


def pmml(made: Made) -> None:
    example = made.upstream / "python/pmmlserver/pmmlserver/example_model/model/model.pmml"
    shutil.copy(example, made.file(KFSERVING, "pmml/model.pmml"))


def paddle(made: Made) -> None:
    """Some copies of upstream's repository lack the pictures of a jay, which are large: they are made then."""
    import numpy as np
    import paddle as pd

    pd.seed(2)
    layer = pd.nn.Sequential(pd.nn.AdaptiveAvgPool2D(1), pd.nn.Flatten(), pd.nn.Linear(3, 1000))
    layer[2].bias.set_value(np.eye(1000, dtype=np.float32)[17] * 20)
    layer.eval()
    spec = [pd.static.InputSpec(shape=[None, 3, 224, 224], dtype="float32", name="image")]
    pd.jit.save(layer, str(made.file(KFSERVING, "paddle/resnet/inference")), input_spec=spec)
    picture = np.full((1, 3, 224, 224), 0.5).tolist()
    tensor = {"name": "input0", "shape": [1, 3, 224, 224], "datatype": "FP32"}
    flat = [0.5] * (3 * 224 * 224)
    for name, body in {
        "jay.json": {"instances": picture},
        "jay-v2.json": {"inputs": [{**tensor, "data": flat}]},
        "jay-v2-grpc.json": {"inputs": [{**tensor, "contents": {"fp32_contents": flat}}]},
    }.items():
        made.file(".data", name).write_text(json.dumps(body))


def mlflow(made: Made) -> None:
    import mlflow.sklearn
    import pandas as pd
    from mlflow.models import infer_signature
    from sklearn.linear_model import LinearRegression

    wine = {each["name"]: float(each["data"][0]) for each in made.read("mlflow_input_v2.json")["inputs"]}
    frame = pd.DataFrame([wine, {name: value + 100 for name, value in wine.items()}])
    model = LinearRegression().fit(frame, [WINE, WINE])
    signature = infer_signature(frame, model.predict(frame))
    place = made.file(KFSERVING, "mlflow/wine")
    shutil.rmtree(place, ignore_errors=True)
    mlflow.sklearn.save_model(model, str(place), signature=signature, pip_requirements=["scikit-learn"])


def tensorflow(made: Made) -> None:
    import tensorflow as tf

    class Flowers(tf.Module):
        def __init__(self, first: float) -> None:
            super().__init__()
            self.scores = tf.Variable([[first, 0.1, 0.0, 0.0, 0.0, 0.0]])

        @tf.function(
            input_signature=[
                tf.TensorSpec([None], tf.string, name="image_bytes"),
                tf.TensorSpec([None], tf.string, name="key"),
            ]
        )
        def serve(self, image_bytes: Any, key: Any) -> dict[str, Any]:
            pictures = tf.map_fn(
                lambda each: tf.reduce_mean(tf.cast(tf.io.decode_jpeg(each, channels=3), tf.float32)),
                image_bytes,
                fn_output_signature=tf.float32,
            )
            scores = tf.nn.softmax(self.scores + 0 * pictures[:, None])
            return {"scores": scores, "prediction": tf.argmax(scores, axis=1), "key": key}

    for name, first in {"flowers": 3.0, "flowers-2": 5.0}.items():
        model = Flowers(first)
        place = str(made.file(KFSERVING, "tensorflow", name, "0001"))
        tf.saved_model.save(model, place, signatures={"serving_default": model.serve})


def nearest(known: dict[int, Any], classes: int) -> Any:
    """Says of which of the known a picture is the closest."""
    import torch

    class Nearest(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("known", torch.stack([known[each].flatten() for each in known]))
            self.register_buffer("places", torch.tensor(list(known)))
            self.classes = classes

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            near = -torch.cdist(x.flatten(1), self.known)
            return torch.full((x.shape[0], self.classes), -1e6).index_copy(1, self.places, near)

    return torch.jit.script(Nearest().eval())


def normalized(encoded: str) -> Any:
    from PIL import Image
    from torchvision import transforms

    prepare = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))])
    return prepare(Image.open(io.BytesIO(base64.b64decode(encoded))))


def torchscript(made: Made) -> None:
    import torch

    cat = torch.tensor(made.read("cifar10_input_v2.json")["inputs"][0]["data"])[0]
    dog = normalized(made.read("image.json")["instances"][0]["image"]["b64"])
    torch.jit.save(nearest({3: cat, 5: dog}, 10), str(made.file(KFSERVING, "torchscript/cifar10/1/model.pt")))
    made.file(KFSERVING, "torchscript/cifar10/config.pbtxt").write_text(CIFAR)


def torchserve(made: Made) -> None:
    import torch

    two = normalized(made.read("torchserve_input.json")["instances"][0]["data"])
    one = torch.tensor(made.read("torchserve_input_v2.json")["inputs"][0]["data"])
    written = io.BytesIO()
    torch.jit.save(nearest({2: two, 1: one}, 10), written)
    manifest = {
        "modelName": "mnist",
        "modelVersion": "1.0",
        "handler": "handler.py",
        "serializedFile": "model.pt",
    }
    for version in ("v1", "v2"):
        below = f"torchserve/image_classifier/{version}"
        with zipfile.ZipFile(made.file(KFSERVING, below, "model-store/mnist.mar"), "w") as archive:
            archive.writestr("MAR-INF/MANIFEST.json", json.dumps({"runtime": "python", "model": manifest}))
            archive.writestr("handler.py", HANDLER)
            archive.writestr("model.pt", written.getvalue())
        envelope = {"v1": "kserve", "v2": "kservev2"}[version]
        config = f"{TORCHSERVE}\nservice_envelope={envelope}\n"
        made.file(KFSERVING, below, "config/config.properties").write_text(config)


def alexnet(made: Made) -> None:
    """Weights that are all alike take no room; the last layer's bias makes of the one picture what upstream's say."""
    import torch
    from PIL import Image
    from torchvision import models, transforms

    model = models.alexnet().eval()
    state = {
        name: torch.full((1,), 2.0 / each[0].numel() if name.endswith("weight") else 0.0).expand(each.shape)
        for name, each in model.state_dict().items()
    }
    encoded = made.read("custom_model_input.json")["instances"][0]["image"]["b64"]
    prepare = transforms.Compose(
        [
            transforms.Resize(256),
            transforms.CenterCrop(224),
            transforms.ToTensor(),
            transforms.Normalize(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225]),
        ]
    )
    picture = prepare(Image.open(io.BytesIO(base64.b64decode(encoded)))).unsqueeze(0)
    model.load_state_dict(state)
    with torch.no_grad():
        said = model(picture)[0]
    if not 0.01 < float(said.abs().max()) < 1000:
        raise SystemExit(f"the picture makes {said[:5]} of the weights: they see too little, or too much")
    wanted = torch.zeros(1000)
    wanted[:5] = torch.tensor(POINTS)
    state["classifier.6.bias"] = wanted - said
    torch.save(state, made.file("torch/alexnet.pth"))


MAKERS: dict[str, Callable[[Made], None]] = {
    each.__name__: each
    for each in (
        sklearn,
        digits,
        xgboost,
        lightgbm,
        pmml,
        paddle,
        mlflow,
        tensorflow,
        torchscript,
        torchserve,
        alexnet,
    )
}

if __name__ == "__main__":
    MAKERS[sys.argv[1]](Made(*map(Path, sys.argv[2:5])))
