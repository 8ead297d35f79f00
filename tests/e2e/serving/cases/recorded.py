"""Cases of equality: a model's file, requests, and what the library itself answers to them.

The programs beside this one run in the environment of an image, make models there, and write each case into a folder:
`CASE/model/…` and `CASE/case.json`. `sampan`'s tests then put the same requests to the server.
"""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

DATATYPES = {
    "bool": "BOOL",
    "uint8": "UINT8",
    "int8": "INT8",
    "int32": "INT32",
    "int64": "INT64",
    "float16": "FP16",
    "float32": "FP32",
    "float64": "FP64",
}


def play(*functions: Callable[[], None]) -> None:
    """Those that the command line names after the folder, or all."""
    for each in functions:
        if each.__name__ in (sys.argv[2:] or [each.__name__]):
            each()


class Case:
    def __init__(self, name: str, runtime: str, **options: str) -> None:
        self.folder = Path(sys.argv[1]) / name
        self.model = self.folder / "model"
        self.model.mkdir(parents=True)
        self._case: dict[str, Any] = {
            "runtime": runtime,
            "options": options,
            "v1": [],
            "v2": [],
            "explain": [],
            "versions": {},
        }

    def v1(self, instances: Any, predictions: Any) -> None:
        """Of the library: what `instances` are to become."""
        self._case["v1"].append({"instances": instances, "predictions": plain(predictions)})

    def explain(self, instances: Any, explanations: Any) -> None:
        self._case["explain"].append({"instances": instances, "explanations": plain(explanations)})

    def v2(self, inputs: dict[str, Any], outputs: dict[str, Any], **parameters: Any) -> None:
        self._case["v2"].append(
            {
                "inputs": [tensor(name, value) for name, value in inputs.items()],
                "outputs": [tensor(name, value) for name, value in outputs.items()],
                "parameters": parameters,
            }
        )

    def write(self, *libraries: Any) -> None:
        self._case["versions"] = {each.__name__: each.__version__ for each in libraries}
        (self.folder / "case.json").write_text(json.dumps(self._case))


def tensor(name: str, value: Any) -> dict[str, Any]:
    array = np.asarray(value)
    datatype = DATATYPES.get(array.dtype.name, "BYTES")
    data = [plain(each) for each in array.ravel().tolist()]
    return {"name": name, "shape": list(array.shape), "datatype": datatype, "data": data}


def plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    if isinstance(value, dict):
        return {str(name): plain(each) for name, each in value.items()}
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return {"b64": base64.b64encode(value).decode()}
    return value
