"""kserve's own server around the same estimator: kserve_server.py FOLDER --port=PORT."""

import sys
from pathlib import Path

folder, port = Path(sys.argv[1]), int(sys.argv[2].removeprefix("--port="))
sys.argv = [sys.argv[0], "--enable_latency_logging=false"]

import joblib  # noqa: E402  (kserve reads the arguments when it is imported)
import numpy as np  # noqa: E402
from kserve import Model, ModelServer  # noqa: E402


class Iris(Model):
    def load(self):
        self.estimator = joblib.load(folder / "model.joblib")
        self.ready = True
        return True

    def predict(self, payload, headers=None):
        return {"predictions": self.estimator.predict(np.array(payload["instances"])).tolist()}


if __name__ == "__main__":
    model = Iris("m")
    model.load()
    ModelServer(http_port=port, enable_grpc=False, workers=1).start([model])
