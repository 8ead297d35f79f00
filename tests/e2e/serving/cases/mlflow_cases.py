"""MLflow: models with a signature of columns, and without; the answers are those of its pyfunc."""

from __future__ import annotations

import mlflow
import mlflow.pyfunc
import mlflow.sklearn
import numpy as np
import pandas as pd
from mlflow.models import infer_signature
from recorded import Case, play
from sklearn.datasets import load_iris
from sklearn.linear_model import LinearRegression
from sklearn.svm import SVC

X, Y = load_iris(return_X_y=True)
ROWS = X[::40]


def columns() -> None:
    frame = pd.DataFrame(X, columns=["a", "b", "c", "d"])
    model = LinearRegression().fit(frame, Y)
    case = Case("mlflow-columns", "mlflow")
    case.model.rmdir()
    signature = infer_signature(frame, model.predict(frame))
    mlflow.sklearn.save_model(model, str(case.model), signature=signature, pip_requirements=["scikit-learn"])
    loaded = mlflow.pyfunc.load_model(str(case.model))
    some = pd.DataFrame(ROWS, columns=frame.columns)
    expected = np.asarray(loaded.predict(some))
    case.v1(some.to_dict("records"), expected)
    case.v1(ROWS.tolist(), expected)
    case.v2({name: some[name].to_numpy() for name in some.columns}, {"output-0": expected}, content_type="pd")
    case.v2({"input-0": ROWS}, {"output-0": expected})
    case.write(mlflow)


def without_signature() -> None:
    model = SVC().fit(X, Y)
    case = Case("mlflow-plain", "mlflow")
    case.model.rmdir()
    mlflow.sklearn.save_model(model, str(case.model), pip_requirements=["scikit-learn"])
    expected = np.asarray(mlflow.pyfunc.load_model(str(case.model)).predict(ROWS))
    case.v1(ROWS.tolist(), expected)
    case.v2({"input-0": ROWS}, {"output-0": expected})
    case.write(mlflow)


class Doubled(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]
        return model_input * 2


def own_class() -> None:
    case = Case("mlflow-pyfunc", "mlflow")
    case.model.rmdir()
    mlflow.pyfunc.save_model(str(case.model), python_model=Doubled(), pip_requirements=[])
    case.v1([{"a": 1.5, "b": 2}, {"a": 2.5, "b": 3}], [{"a": 3.0, "b": 4}, {"a": 5.0, "b": 6}])
    case.v2(
        {"a": np.array([1.5]), "b": np.array([2])},
        {"a": np.array([3.0]), "b": np.array([4])},
        content_type="pd",
    )
    case.write(mlflow)


if __name__ == "__main__":
    play(columns, without_signature, own_class)
