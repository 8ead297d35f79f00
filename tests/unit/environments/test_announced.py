"""Packages that a program announces."""

from __future__ import annotations

import pytest

from sampan.cluster.node.environments import PipInstall, announced
from sampan.components.training.sdk import objects
from sampan.components.training.sdk.plan import Plan

BOOT = ["python3", "/sampan/code/boot.py", "python", "train.py"]


def test_what_is_sent_announces_its_packages() -> None:
    plan = Plan(
        "train", "team", ("python", "train.py"), kind="PyTorchJob", image="i", packages=("numpy>=2", "six")
    )
    job = objects.job_object(plan)
    container = job["spec"]["pytorchReplicaSpecs"]["Master"]["template"]["spec"]["containers"][0]
    own = {each["name"]: each["value"] for each in container["env"]}
    assert announced(container["command"], own) == PipInstall(("numpy>=2", "six"))


@pytest.mark.parametrize(
    ("argv", "own"),
    [
        (["python3", "/sampan/code/boot.py"], {}),
        (["python3", "other.py"], {"SAMPAN_PACKAGES": "six"}),
        (["mpirun", *BOOT], {"SAMPAN_PACKAGES": "six"}),
        (BOOT, {"SAMPAN_PACKAGES": "git+https://example.com/x"}),
        (BOOT, {"SAMPAN_PACKAGES": "six\n-r other.txt"}),
        (BOOT, {"SAMPAN_PACKAGES": "six", "PIP_NO_DEPS": "1"}),
        (BOOT, {"SAMPAN_PACKAGES": "six", "PATH": "/mine"}),
    ],
)
def test_whatever_pip_must_see_to_is_left_to_it(argv: list[str], own: dict[str, str]) -> None:
    assert announced(argv, own) is None
