"""BentoML around the same estimator: bentoml_server.py FOLDER --port=PORT."""

import os
import sys
from pathlib import Path

import bentoml
import joblib
import numpy as np


@bentoml.service(workers=1, logging={"access": {"enabled": False}})
class Iris:
    def __init__(self) -> None:
        self.estimator = joblib.load(Path(os.environ["BENCH_FOLDER"]) / "model.joblib")

    @bentoml.api
    def predict(self, instances: list[list[float]]) -> dict[str, list[int]]:
        return {"predictions": self.estimator.predict(np.array(instances)).tolist()}


if __name__ == "__main__":
    os.environ["BENCH_FOLDER"] = sys.argv[1]
    port = sys.argv[2].removeprefix("--port=")
    os.chdir(Path(__file__).parent)
    program = Path(sys.executable).with_name("bentoml")
    os.execv(program, [str(program), "serve", "bentoml_server:Iris", "--port", port])
