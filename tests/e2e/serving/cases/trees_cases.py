"""XGBoost's and LightGBM's cases: `trees_cases.py OUT xgboosts|lightgbms`."""

from __future__ import annotations

import importlib
import pickle

import joblib
import numpy as np
import pandas as pd
from recorded import Case, play
from sklearn.datasets import load_iris

X, Y = load_iris(return_X_y=True)
ROWS = X[::30]
NAMES = ["sepal_length_(cm)", "sepal_width_(cm)", "petal_length_(cm)", "petal_width_(cm)"]


def xgboosts() -> None:
    xgb = importlib.import_module("xgboost")
    plain = xgb.DMatrix(X, label=Y)
    for ending in ("ubj", "json", "bst"):
        objective = "multi:softmax" if ending == "bst" else "multi:softprob"
        model = xgb.train({"objective": objective, "num_class": 3, "max_depth": 3}, plain, num_boost_round=5)
        case = Case(f"xgboost-{ending}", "xgboost", nthread="1")
        model.save_model(case.model / ("model.ubj" if ending == "bst" else f"model.{ending}"))
        if ending == "bst":
            (case.model / "model.ubj").rename(case.model / "model.bst")
        case.v1(ROWS.tolist(), model.predict(xgb.DMatrix(ROWS)))
        for kind in (np.float32, np.float64):
            asked = ROWS.astype(kind)
            case.v2({"input-0": asked}, {"output-0": model.predict(xgb.DMatrix(asked))})
        case.write(xgb)
    named = xgb.train({}, xgb.DMatrix(X, label=Y, feature_names=NAMES), num_boost_round=3)
    case = Case("xgboost-named", "xgboost")
    named.save_model(case.model / "model.json")
    expected = named.predict(xgb.DMatrix(ROWS, feature_names=NAMES))
    case.v1(ROWS.tolist(), expected)
    case.v1([dict(zip(NAMES, row, strict=True)) for row in ROWS.tolist()], expected)
    case.v2({name: ROWS[:, place] for place, name in enumerate(NAMES)}, {"output-0": expected})
    case.write(xgb)
    estimator = xgb.XGBClassifier(n_estimators=4).fit(X, Y)
    case = Case("xgboost-estimator", "xgboost", PREDICT_PROBA="true")
    (case.model / "model.pkl").write_bytes(pickle.dumps(estimator))
    case.v1(ROWS.tolist(), estimator.predict_proba(ROWS))
    case.v2({"input-0": ROWS}, {"output-0": estimator.predict_proba(ROWS)})
    case.write(xgb)


def lightgbms() -> None:
    lgb = importlib.import_module("lightgbm")
    told = {"objective": "multiclass", "num_class": 3, "verbose": -1}
    for ending in ("txt", "bst"):
        data = lgb.Dataset(X, label=Y, feature_name=NAMES, free_raw_data=False)
        model = lgb.train(told, data, num_boost_round=5)
        case = Case(f"lightgbm-{ending}", "lightgbm", nthread="1")
        model.save_model(case.model / f"model.{ending}")
        case.v1(ROWS.tolist(), model.predict(ROWS))
        for kind in (np.float32, np.float64):
            case.v2({"input-0": ROWS.astype(kind)}, {"output-0": model.predict(ROWS.astype(kind))})
        row = {name: [value] for name, value in zip(NAMES, (5.1, 3.5, 1.4, 0.2), strict=True)}
        frame = pd.DataFrame(row)
        case.v1([row], model.predict(frame))
        # Upstream's: a column that is missing is a missing value, and each object of a list is a row.
        lacking = [{name: value[0]} for name, value in row.items()][:3]
        case.v1([lacking], model.predict(pd.DataFrame(lacking, columns=NAMES)))
        case.v2({name: np.array(value) for name, value in row.items()}, {"output-0": model.predict(frame)})
        case.write(lgb)
    estimator = lgb.LGBMClassifier(n_estimators=4, verbose=-1).fit(X, Y)
    case = Case("lightgbm-estimator", "lightgbm")
    joblib.dump(estimator, case.model / "model.joblib")
    case.v1(ROWS.tolist(), estimator.predict(ROWS))
    case.v2({"input-0": ROWS}, {"output-0": estimator.predict(ROWS)})
    case.write(lgb)


if __name__ == "__main__":
    play(xgboosts, lightgbms)
