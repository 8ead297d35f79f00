"""scikit-learn's cases, and those of the other libraries of trees that take the same rows."""

from __future__ import annotations

import importlib
import pickle

import joblib
import numpy as np
import sklearn
from recorded import Case, play
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC

X, Y = load_iris(return_X_y=True)
ROWS = X[::30]


def classes() -> None:
    model = SVC().fit(X, Y)
    case = Case("sklearn-joblib", "sklearn")
    joblib.dump(model, case.model / "model.joblib")
    case.v1(ROWS.tolist(), model.predict(ROWS))
    case.v1(ROWS[:1].astype(int).tolist(), model.predict(ROWS[:1].astype(int)))
    for kind in (np.float64, np.float32, np.int64):
        case.v2({"input-0": ROWS.astype(kind)}, {"output-0": model.predict(ROWS.astype(kind))})
    case.write(sklearn)


def probabilities() -> None:
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, Y)
    case = Case("sklearn-proba", "sklearn", PREDICT_PROBA="true")
    (case.model / "model.pkl").write_bytes(pickle.dumps(model))
    case.v1(ROWS.tolist(), model.predict_proba(ROWS))
    case.v2({"input-0": ROWS}, {"output-0": model.predict_proba(ROWS)})
    case.write(sklearn)


def labels_from_skops() -> None:
    skops = importlib.import_module("skops")
    names = np.array(["setosa", "versicolor", "virginica"])[Y]
    model = RandomForestClassifier(n_estimators=9, random_state=1).fit(X, names)
    case = Case("sklearn-skops", "sklearn")
    importlib.import_module("skops.io").dump(model, case.model / "model.skops")
    # The safe format is the one that is read.
    (case.model / "model.pkl").write_bytes(b"no pickle at all")
    case.v1(ROWS.tolist(), model.predict(ROWS))
    case.v2({"input-0": ROWS}, {"output-0": model.predict(ROWS).astype(object)})
    case.write(sklearn, skops)


def frames() -> None:
    pd = importlib.import_module("pandas")
    frame = pd.DataFrame(
        {"zone": ["RL", "RM", "RL", "FV"] * 5, "area": range(100, 120), "year": range(1990, 2010)}
    )
    worth = np.arange(20) * 3.5
    steps = ColumnTransformer([("zone", OneHotEncoder(), ["zone"])], remainder="passthrough")
    model = make_pipeline(steps, LinearRegression()).fit(frame, worth)
    case = Case("sklearn-frame", "sklearn")
    joblib.dump(model, case.model / "model.joblib")
    some = frame[:3]
    records = some.to_dict("records")
    case.v1(records, model.predict(some))
    case.v1([[each] for each in records], model.predict(some))
    # In another order, and as pandas itself would write them.
    case.v1([dict(reversed(each.items())) for each in records], model.predict(some))
    case.v1([{"zone": {"0": "RL"}, "area": {"0": 100}, "year": {"0": 1990}}], model.predict(some[:1]))
    columns = {
        "zone": some["zone"].to_numpy(dtype=object),
        "area": some["area"].to_numpy(),
        "year": some["year"].to_numpy(),
    }
    case.v2(columns, {"output-0": model.predict(some)}, content_type="pd")
    case.v2(columns, {"output-0": model.predict(some)})
    case.write(sklearn, pd)


def texts() -> None:
    said = ["good wine", "bad beer", "good beer", "bad wine", "so good", "so bad"]
    model = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(said, ["+", "-", "+", "-", "+", "-"])
    case = Case("sklearn-texts", "sklearn")
    joblib.dump(model, case.model / "model.joblib")
    case.v1(["good", "bad thing", "good"], model.predict(["good", "bad thing", "good"]))
    asked = np.array(["good", "bad thing"], dtype=object)
    case.v2({"text": asked}, {"output-0": model.predict(asked).astype(object)})
    case.v2({"text": asked.reshape(2, 1)}, {"output-0": model.predict(asked).astype(object)})
    case.write(sklearn)


def several_outputs() -> None:
    both = np.stack([X[:, 0] * 2 + X[:, 1], X[:, 3]], axis=1)
    model = LinearRegression().fit(X, both)
    case = Case("sklearn-outputs", "sklearn")
    joblib.dump(model, case.model / "model.joblib")
    case.v1(ROWS.tolist(), model.predict(ROWS))
    case.v2({"input-0": ROWS}, {"output-0": model.predict(ROWS)})
    case.write(sklearn)
    model = MultiOutputClassifier(LogisticRegression()).fit(X, np.stack([Y, Y > 0], axis=1))
    case = Case("sklearn-outputs-proba", "sklearn", PREDICT_PROBA="true")
    joblib.dump(model, case.model / "model.joblib")
    one, other = model.predict_proba(ROWS)
    case.v1(ROWS.tolist(), [one, other])
    case.v2({"input-0": ROWS}, {"output-0": one, "output-1": other})
    case.write(sklearn)


if __name__ == "__main__":
    play(classes, probabilities, labels_from_skops, frames, texts, several_outputs)
