"""The floor: a Starlette handler around the library's own predict, under uvicorn: bare.py LIBRARY FOLDER --port=N."""

import sys
from pathlib import Path

import numpy as np
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

library, folder, port = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3].removeprefix("--port="))
if library == "sklearn":
    import joblib

    estimator = joblib.load(folder / "model.joblib")

    def run(instances: list) -> list:
        return estimator.predict(np.array(instances)).tolist()

elif library == "onnx":
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"), options)

    def run(instances: list) -> list:
        return session.run(None, {"x": np.array(instances, dtype=np.float32)})[0].tolist()

else:
    import torch

    torch.set_num_threads(1)
    network = torch.jit.load(str(folder / "model.pt"))

    def run(instances: list) -> list:
        with torch.inference_mode():
            return network(torch.tensor(instances)).tolist()


async def predict(request: Request) -> JSONResponse:
    body = await request.json()
    return JSONResponse({"predictions": run(body["instances"])})


application = Starlette(routes=[Route("/v1/models/m:predict", predict, methods=["POST"])])
uvicorn.run(application, port=port, log_level="warning", access_log=False)
