"""Models of each framework, made by programs of `cases/` in the environment of the image that serves them."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from sampan.cluster.node.environments import Environments, PipInstall
from sampan.testing.homes import home_with_frameworks

CASES = Path(__file__).with_name("cases")


@dataclass(frozen=True)
class Library:
    image: str
    program: str
    names: tuple[str, ...] = ()
    installs: tuple[str, ...] = ()
    """What only making the models needs."""


LIBRARIES = {
    "sklearn": Library("kserve/sklearnserver:v0.20.0", "sklearn_cases.py"),
    "xgboost": Library("kserve/xgbserver:v0.20.0", "trees_cases.py", ("xgboosts",)),
    "lightgbm": Library("kserve/lgbserver:v0.20.0", "trees_cases.py", ("lightgbms",)),
    "onnx": Library("onnxruntime/server", "onnx_cases.py", installs=("onnx",)),
    "pytorch": Library("gcr.io/kfserving/pytorchserver:v0.5.1", "pytorch_cases.py"),
    "torchserve": Library("pytorch/torchserve-kfs:0.9.0", "torchserve_cases.py"),
    "shap": Library("sampan/shap-explainer", "shap_cases.py"),
    "tensorflow": Library("tensorflow/serving:2.6.2", "tensorflow_cases.py"),
    "pmml": Library("kserve/pmmlserver:v0.20.0", "pmml_cases.py"),
    "paddle": Library("kserve/paddleserver:v0.20.0", "paddle_cases.py"),
    "transformers": Library("kserve/huggingfaceserver:v0.20.0", "transformers_cases.py"),
    "mlflow": Library("seldonio/mlserver:1.7.1", "mlflow_cases.py"),
}


def interpreters(home: Path, library: Library) -> tuple[str, str]:
    """Python of the image's environment, and of one in which models can be made."""

    async def build() -> tuple[str, str]:
        environments = Environments(home)
        try:
            base = await environments.for_image(library.image)
            made = await environments.with_installs(
                base, [PipInstall(library.installs)] if library.installs else []
            )
            return str(base.python), str(made.python)
        finally:
            await environments.close()

    return asyncio.run(build())


def make(python: str, library: Library, folder: Path) -> list[Path]:
    command = [python, str(CASES / library.program), str(folder), *library.names]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return sorted(each.parent for each in folder.glob("*/case.json"))


@dataclass(frozen=True)
class Made:
    cases: list[Path]
    """Folders with `model/` and `case.json`."""
    python: str
    """Of the environment that serves them."""


@pytest.fixture(scope="session")
def language_models(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Cases of Transformers, made once. Nobody writes there."""
    folder = tmp_path_factory.mktemp("language-models")
    library = LIBRARIES["transformers"]
    python, maker = interpreters(home_with_frameworks(folder / "home"), library)
    return Made(make(maker, library, folder / "cases"), python)


@pytest.fixture(scope="session")
def taught(language_models: Made, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `cases/taught_language_model.py` makes."""
    folder = tmp_path_factory.mktemp("taught")
    program = CASES / "taught_language_model.py"
    done = subprocess.run(
        [language_models.python, str(program), str(folder)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def made(tmp_path: Path) -> Callable[[str], Made]:
    """The cases of a framework, by its name in LIBRARIES; `here` for what this environment can make of scikit-learn."""

    def make_all(name: str) -> Made:
        if name == "here":
            library = Library("", "sklearn_cases.py", ("classes",))
            return Made(make(sys.executable, library, tmp_path / "cases"), sys.executable)
        library = LIBRARIES[name]
        python, maker = interpreters(home_with_frameworks(tmp_path / "home"), library)
        return Made(make(maker, library, tmp_path / "cases" / name), python)

    return make_all
