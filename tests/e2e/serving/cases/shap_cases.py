"""SHAP: a tree, a linear model and one that is neither; what is expected is SHAP's own answer."""

from __future__ import annotations

import importlib

import joblib
import numpy as np
import shap
import xgboost
from recorded import Case, play
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression
from sklearn.svm import SVC

X, Y = load_iris(return_X_y=True)
ROWS = X[::50]


def explained(
    case: Case, method: str, values: np.ndarray, base: np.ndarray, names: list[str] | None = None
) -> None:
    case.explain(
        ROWS.tolist(),
        {"method": method, "values": values, "base_values": base, "data": ROWS, "feature_names": names},
    )
    case.write(shap)


def trees() -> None:
    model = RandomForestClassifier(n_estimators=5, random_state=0).fit(X, Y)
    case = Case("shap-forest", "shap")
    joblib.dump(model, case.model / "model.joblib")
    case.v1(ROWS.tolist(), model.predict(ROWS))
    found = shap.TreeExplainer(model)(ROWS)
    explained(case, "tree", found.values, found.base_values)
    booster = xgboost.train({"objective": "multi:softprob", "num_class": 3}, xgboost.DMatrix(X, label=Y), 3)
    case = Case("shap-xgboost", "shap")
    booster.save_model(case.model / "model.ubj")
    found = shap.TreeExplainer(booster)(ROWS)
    explained(case, "tree", found.values, found.base_values)


def linear() -> None:
    model = LinearRegression().fit(X, Y)
    case = Case("shap-linear", "shap")
    joblib.dump(model, case.model / "model.joblib")
    np.savetxt(case.model / "background.csv", X[:40], delimiter=",", header="a,b,c,d", comments="")
    found = shap.LinearExplainer(model, X[:40])(ROWS)
    explained(case, "linear", found.values, found.base_values, found.feature_names)


def kernel() -> None:
    model = SVC().fit(X, Y)
    case = Case("shap-kernel", "shap")
    joblib.dump(model, case.model / "model.joblib")
    np.save(case.model / "background.npy", X[::15])
    explainer = importlib.import_module("shap").KernelExplainer(model.predict, X[::15])
    values = np.asarray(explainer.shap_values(ROWS, silent=True))
    explained(case, "kernel", values, np.asarray(explainer.expected_value))


if __name__ == "__main__":
    play(trees, linear, kernel)
