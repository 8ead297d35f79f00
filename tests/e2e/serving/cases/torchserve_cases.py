"""TorchServe: an archive with a handler of its own, and one for TorchServe's image classifier."""

from __future__ import annotations

import base64
import importlib
import inspect
import io
import json
import zipfile

import numpy as np
import torch
from PIL import Image
from recorded import Case, play

torch.manual_seed(6)
HANDLER = """
import torch
from ts.torch_handler.base_handler import BaseHandler


class Own(BaseHandler):
    def preprocess(self, data):
        return torch.tensor([row.get("data") for row in data], dtype=torch.float32)

    def postprocess(self, data):
        return data.argmax(dim=1).tolist()
"""


class Net(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x)


def archived(case: Case, manifest: dict[str, str], files: dict[str, bytes]) -> None:
    with zipfile.ZipFile(case.model / "m.mar", "w") as archive:
        archive.writestr("MAR-INF/MANIFEST.json", json.dumps({"model": {"modelName": "m", **manifest}}))
        for name, data in files.items():
            archive.writestr(name, data)


def saved(save: object, held: object) -> bytes:
    written = io.BytesIO()
    save(held, written)
    return written.getvalue()


def own_handler() -> None:
    model = Net().eval()
    case = Case("torchserve-own", "torchserve")
    source = "import torch\n\n\n" + inspect.getsource(Net)
    files = {
        "handler.py": HANDLER.encode(),
        "net.py": source.encode(),
        "w.pt": saved(torch.save, model.state_dict()),
    }
    archived(case, {"handler": "handler.py", "modelFile": "net.py", "serializedFile": "w.pt"}, files)
    rows = np.random.default_rng(3).normal(size=(5, 4)).astype(np.float32)
    with torch.inference_mode():
        expected = model(torch.from_numpy(rows)).argmax(dim=1).tolist()
    case.v1([{"data": row} for row in rows.tolist()], expected)
    case.v1(rows.tolist(), expected)
    case.v2({"input-0": rows[0]}, {"input-0": np.array(expected[:1])})
    case.write(torch)


def image_classifier() -> None:
    model = torch.jit.script(
        torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(3, 5)).eval()
    )
    case = Case("torchserve-images", "torchserve")
    files = {"model.pt": saved(torch.jit.save, model)}
    archived(case, {"handler": "image_classifier", "serializedFile": "model.pt"}, files)
    image = Image.fromarray(np.random.default_rng(1).integers(0, 255, size=(40, 30, 3), dtype=np.uint8))
    written = io.BytesIO()
    image.save(written, "PNG")
    processing = importlib.import_module("ts.torch_handler.image_classifier").ImageClassifier.image_processing
    with torch.inference_mode():
        found = torch.softmax(model(processing(image).unsqueeze(0)), dim=1)[0]
    best = torch.topk(found, 5)
    expected = {str(int(place)): float(value) for value, place in zip(*best, strict=True)}
    case.v1([{"data": base64.b64encode(written.getvalue()).decode()}], [expected])
    case.write(torch)


if __name__ == "__main__":
    play(own_handler, image_classifier)
