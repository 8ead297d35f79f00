"""PyTorch: exported programs, TorchScript, state dicts with their class, safetensors, and a whole pickled module."""

from __future__ import annotations

import inspect
import sys
import warnings

import numpy as np
import torch
from recorded import Case, play
from safetensors.torch import save_file

warnings.filterwarnings("ignore")
torch.manual_seed(3)


class Net(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = torch.nn.Linear(4, 8)
        self.second = torch.nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.softmax(self.second(torch.relu(self.first(x))), dim=1)


class Two(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = torch.nn.Embedding(10, 4)

    def forward(self, tokens: torch.Tensor, weights: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        found = self.embed(tokens) * weights.unsqueeze(-1)
        return found.sum(dim=1), tokens.sum(dim=1)


ROWS = np.random.default_rng(5).normal(size=(6, 4)).astype(np.float32)


def answer(model: torch.nn.Module, *inputs: np.ndarray) -> list[np.ndarray]:
    with torch.inference_mode():
        found = model(*map(torch.from_numpy, inputs))
    return [each.numpy() for each in (found if isinstance(found, tuple) else (found,))]


def asked(case: Case, model: torch.nn.Module) -> None:
    (expected,) = answer(model, ROWS)
    case.v1(ROWS.tolist(), expected)
    (of_whole,) = answer(model, np.ones((1, 4), dtype=np.float32))
    case.v1([[1, 1, 1, 1]], of_whole)
    case.v2({"input-0": ROWS}, {"output-0": expected})
    case.write(torch)


def formats() -> None:
    model = Net().eval()
    case = Case("pytorch-torchscript", "pytorch")
    torch.jit.script(model).save(case.model / "model.pt")
    (expected,) = answer(model, ROWS)
    case.v2({"INPUT__0": ROWS}, {"OUTPUT__0": expected})
    asked(case, model)

    case = Case("pytorch-exported", "pytorch")
    batch = torch.export.Dim("batch")
    program = torch.export.export(model, (torch.from_numpy(ROWS),), dynamic_shapes=({0: batch},))
    torch.export.save(program, case.model / "model.pt2")
    asked(case, model)

    source = "import torch\n\n\n" + inspect.getsource(Net)
    case = Case("pytorch-state-dict", "pytorch", model_class_name="Net")
    torch.save(model.state_dict(), case.model / "model.pt")
    (case.model / "net.py").write_text(source + "\n\nclass Other(torch.nn.Module):\n    pass\n")
    asked(case, model)

    case = Case("pytorch-safetensors", "pytorch")
    save_file(model.state_dict(), case.model / "model.safetensors")
    (case.model / "net.py").write_text(source)
    asked(case, model)

    case = Case("pytorch-pickled", "pytorch")
    (case.model / "own_net.py").write_text(source)
    sys.path.insert(0, str(case.model))
    own = __import__("own_net").Net().eval()
    torch.save(own, case.model / "model.pth")
    asked(case, own)


def several() -> None:
    model = Two().eval()
    tokens = np.array([[1, 2, 3], [4, 5, 9]])
    weights = np.array([[0.5, 1, 2], [3, 0, 1]], dtype=np.float32)
    sums, totals = answer(model, tokens, weights)
    case = Case("pytorch-several", "pytorch")
    torch.jit.script(model).save(case.model / "model.pt")
    instances = [{"tokens": a, "weights": b} for a, b in zip(tokens.tolist(), weights.tolist(), strict=True)]
    expected = [{"output-0": a, "output-1": b} for a, b in zip(sums.tolist(), totals.tolist(), strict=True)]
    case.v1(instances, expected)
    case.v2({"tokens": tokens, "weights": weights}, {"output-0": sums, "output-1": totals})
    case.v2({"weights": weights, "tokens": tokens}, {"output-0": sums, "output-1": totals})
    case.v2({"INPUT__1": weights, "INPUT__0": tokens}, {"OUTPUT__0": sums, "OUTPUT__1": totals})
    case.write(torch)


if __name__ == "__main__":
    play(formats, several)
