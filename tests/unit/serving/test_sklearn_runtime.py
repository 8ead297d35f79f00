"""scikit-learn's models answer what the library answers. (All frameworks: tests/e2e/serving/test_equality.py.)"""

from __future__ import annotations

import importlib
import pickle
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest

from sampan.components.serving.engine.programs.modelserver.contract import (
    LoadError,
    ModelError,
    Source,
    Tensor,
)
from sampan.components.serving.engine.programs.modelserver.runtimes import sklearn
from sampan.components.serving.engine.programs.modelserver.runtimes.tables import Table

RANDOM = np.random.default_rng(2)
X = RANDOM.normal(size=(60, 4))
Y = (X[:, 0] > 0).astype(int) + (X[:, 1] > 0)


def made(name: str, **options: Any) -> Any:
    module, _, kind = name.rpartition(".")
    return getattr(importlib.import_module(f"sklearn.{module}"), kind)(**options)


def served(folder: Path, model: Any, **options: str) -> Table:
    joblib.dump(model, folder / "model.joblib")
    return sklearn.load(Source("m", str(folder), options))


def test_answers_are_the_librarys(tmp_path: Path) -> None:
    model = made("tree.DecisionTreeClassifier").fit(X, Y)
    runtime = served(tmp_path, model)
    assert runtime.metadata.inputs[0].shape == (-1, 4)
    inputs = runtime.from_instances(X.tolist())
    assert runtime.to_predictions(runtime.run(inputs, {})).tolist() == model.predict(X).tolist()
    single = X.astype(np.float32)
    [answer] = runtime.run([Tensor("any", single, "FP32")], {})
    assert (answer.name, answer.datatype) == ("output-0", "INT64")
    assert answer.data.tolist() == model.predict(single).tolist()


def test_probabilities_where_they_are_asked_for_and_there(tmp_path: Path) -> None:
    model = made("tree.DecisionTreeClassifier").fit(X, Y)
    runtime = served(tmp_path, model, PREDICT_PROBA="TRUE")
    [answer] = runtime.run(runtime.from_instances(X.tolist()), {})
    assert answer.data.tolist() == model.predict_proba(X).tolist()
    assert runtime.metadata.outputs[0].shape == (-1, 3)
    line = made("linear_model.LinearRegression").fit(X, Y)
    runtime = served(tmp_path, line, PREDICT_PROBA="true")
    [answer] = runtime.run(runtime.from_instances(X.tolist()), {})
    assert answer.data.tolist() == line.predict(X).tolist()


def test_labels_and_texts(tmp_path: Path) -> None:
    texts = ["good wine", "bad beer", "good beer", "bad wine"] * 5
    model = made("pipeline.Pipeline", steps=[
        ("words", made("feature_extraction.text.CountVectorizer")),
        ("tree", made("tree.DecisionTreeClassifier")),
    ]).fit(texts, ["+", "-", "+", "-"] * 5)  # fmt: skip
    runtime = served(tmp_path, model)
    assert runtime.metadata.inputs[0].datatype == "BYTES"
    assert runtime.to_predictions(runtime.run(runtime.from_instances(["so good", "bad"]), {})) == ["+", "-"]
    for shape in ((2,), (2, 1)):
        asked = np.array([b"good", b"bad"], dtype=object).reshape(shape)
        [answer] = runtime.run([Tensor("text", asked, "BYTES")], {})
        assert answer.data.tolist() == [b"+", b"-"]


def test_wrong_rows_are_told_what_the_model_wants(tmp_path: Path) -> None:
    runtime = served(tmp_path, made("tree.DecisionTreeClassifier").fit(X, Y))
    for wrong in ([[1.0, 2.0]], [1.0, 2.0, 3.0, 4.0], [["a", "b", "c", "d"]]):
        with pytest.raises(ModelError, match=r"the model wants input-0 of shape \[-1, 4\] and datatype FP64"):
            runtime.run(runtime.from_instances(wrong), {})


def test_rows_are_joined_where_every_step_is_known_to_take_each_by_itself(tmp_path: Path) -> None:
    steps = [("scale", made("preprocessing.StandardScaler")), ("tree", made("tree.DecisionTreeClassifier"))]
    assert served(tmp_path, made("pipeline.Pipeline", steps=steps).fit(X, Y)).max_batch > 1
    centred = made("preprocessing.FunctionTransformer", func=np.sort)
    model = made("pipeline.Pipeline", steps=[("own", centred), *steps]).fit(X, Y)
    runtime = served(tmp_path, model)
    assert runtime.max_batch == 0
    for row in X[:6]:
        runtime.run(runtime.from_instances([row.tolist()]), {})
    # Its own rows have shown it.
    assert runtime.max_batch > 1


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    file = tmp_path / "model.pkl"
    file.write_bytes(b"nothing")
    with pytest.raises(LoadError, match=r"model\.pkl cannot be read"):
        sklearn.load(Source("m", str(tmp_path)))
    file.write_bytes(pickle.dumps({"no": "model"}))
    with pytest.raises(LoadError, match=r"builtins\.dict, which has no method `predict`"):
        sklearn.load(Source("m", str(tmp_path)))
    file.write_bytes(b"\x80\x04c" + b"no_such_module\nModel\n.")
    with pytest.raises(LoadError, match="needs the Python module 'no_such_module'"):
        sklearn.load(Source("m", str(tmp_path)))
