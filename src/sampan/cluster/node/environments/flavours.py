"""Which builds of frameworks a machine gets: those for GPUs as the catalogue names them, or without a GPU smaller ones.

Called by the facade for an image's own packages; what a step installs itself is installed as it says. Pure. PyPI's
PyTorch brings some gigabytes of CUDA, TensorFlow and XGBoost half of one, and none of it runs without a GPU
(docs/decisions/0041). Each flavour is tried in turn, and the last is the catalogue's own words: an index that lacks the
small build costs a second.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_NAME = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(\[[^\]]*\])?")
# Other names for the same modules.
_SMALL = {"tensorflow": "tensorflow-cpu", "xgboost": "xgboost-cpu"}
_WITH_BACKENDS = frozenset({"torch", "torchvision", "torchaudio", "torchtune", "deepspeed", "accelerate"})
# Extras that bring CUDA.
_CUDA = re.compile(r"^(?:and-)?cuda\d*$")


@dataclass(frozen=True, slots=True)
class Flavour:
    """One way to install what an image has."""

    requirements: tuple[str, ...]
    torch_backend: str = ""
    """uv's: the index of PyTorch's own that has its builds for this machine."""
    stands_for: tuple[tuple[str, str], ...] = ()
    """Packages that are there under another name: (tensorflow-cpu, tensorflow) …"""

    @property
    def overrides(self) -> tuple[str, ...]:
        """What uv must not install, whoever asks for it."""
        return tuple(f"{name}; python_version < '3'" for _, name in self.stands_for)


def flavours(requirements: Sequence[str], *, has_gpu: bool, from_pypi: bool) -> tuple[Flavour, ...]:
    """Those to try, the best first. `from_pypi`: packages come from nowhere else."""
    wanted = tuple(requirements)
    plain = Flavour(wanted)
    if has_gpu:
        return (plain,)
    names = {name_of(each) for each in wanted}
    without_cuda = tuple(map(_without_cuda, wanted))
    small = tuple(map(_smaller, without_cuda))
    backend = "cpu" if from_pypi and names & _WITH_BACKENDS else ""
    stands_for = tuple((_SMALL[name], name) for name in sorted(names & _SMALL.keys()))
    tried = (Flavour(small, backend, stands_for), Flavour(without_cuda))
    return tuple(dict.fromkeys(tried))


def unlike_torch(installed: dict[str, str]) -> str:
    """A requirement that makes torch fit the packages beside it; empty where it does. `installed` are the versions.

    torchvision and torchaudio hold machine code for the very build of torch: where an index has a CPU build of torch
    and not of them, they would not load.
    """
    torch, _, build = installed.get("torch", "").partition("+")
    beside = [installed[name] for name in ("torchvision", "torchaudio") if name in installed]
    if build == "cpu" and any("+" not in version for version in beside):
        # As text, so that builds with a suffix do not fit.
        return f"torch==={torch}"
    return ""


def name_of(requirement: str) -> str:
    match = _NAME.match(requirement)
    return re.sub(r"[-_.]+", "-", match[1]).lower() if match else ""


def _without_cuda(requirement: str) -> str:
    match = _NAME.match(requirement)
    if match is None or not match[2]:
        return requirement
    extras = [each.strip() for each in match[2].strip("[]").split(",")]
    # MLX has no machine code at all without one of the two.
    instead = ["cpu"] if match[1] == "mlx" else []
    kept = ",".join([*(each for each in extras if not _CUDA.match(each)), *instead])
    return match[1] + (f"[{kept}]" if kept else "") + requirement[match.end() :]


def _smaller(requirement: str) -> str:
    small = _SMALL.get(name_of(requirement))
    match = _NAME.match(requirement)
    return requirement if small is None or match is None else small + requirement[match.end(1) :]
