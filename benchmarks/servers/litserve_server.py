"""LitServe around the same estimator: litserve_server.py FOLDER --port=PORT."""

import sys
from pathlib import Path

import joblib
import litserve
import numpy as np

folder, port = Path(sys.argv[1]), int(sys.argv[2].removeprefix("--port="))


class Iris(litserve.LitAPI):
    def setup(self, device):
        self.estimator = joblib.load(folder / "model.joblib")

    def decode_request(self, request):
        return np.array(request["instances"])

    def predict(self, x):
        return self.estimator.predict(x)

    def encode_response(self, output):
        return {"predictions": output.tolist()}


if __name__ == "__main__":
    litserve.LitServer(Iris(), accelerator="cpu", workers_per_device=1).run(
        port=port, log_level="warning", generate_client_file=False
    )
