"""MLServer, without its pool of processes, around the same estimator: mlserver_server.py FOLDER --port=PORT."""

import json
import os
import sys
import tempfile
from pathlib import Path

folder, port = Path(sys.argv[1]), int(sys.argv[2].removeprefix("--port="))
place = Path(tempfile.mkdtemp())
settings = {
    "debug": False,
    "parallel_workers": 0,
    "http_port": port,
    "grpc_port": port + 1,
    "metrics_port": port + 2,
}
(place / "settings.json").write_text(json.dumps(settings))
model = {
    "name": "m",
    "implementation": "mlserver_sklearn.SKLearnModel",
    "parameters": {"uri": str(folder / "model.joblib")},
}
(place / "model-settings.json").write_text(json.dumps(model))
program = Path(sys.executable).with_name("mlserver")
os.execv(program, [str(program), "start", str(place)])
