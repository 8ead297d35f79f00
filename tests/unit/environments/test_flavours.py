"""Which builds of frameworks a machine gets."""

from pathlib import Path

import pytest

from sampan.cluster.node.environments.distributions import installed_versions, write_stand_ins
from sampan.cluster.node.environments.flavours import Flavour, flavours, unlike_torch

CUDA = (
    *("torch==2.13.0", "tensorflow[and-cuda]==2.17.0", "xgboost[cuda12,plotting]>=3; python_version > '3'"),
    *("jax[cuda12]", "mlx[cuda13]==0.30.6", "numpy"),
)


def test_a_machine_with_a_gpu_gets_what_the_catalogue_says() -> None:
    assert flavours(CUDA, has_gpu=True, from_pypi=True) == (Flavour(CUDA),)


def test_without_a_gpu_the_small_builds_come_first() -> None:
    small, plain = flavours(CUDA, has_gpu=False, from_pypi=True)
    assert small.requirements == (
        *("torch==2.13.0", "tensorflow-cpu==2.17.0", "xgboost-cpu[plotting]>=3; python_version > '3'"),
        *("jax", "mlx[cpu]==0.30.6", "numpy"),
    )
    assert small.torch_backend == "cpu"
    assert small.stands_for == (("tensorflow-cpu", "tensorflow"), ("xgboost-cpu", "xgboost"))
    assert small.overrides == ("tensorflow; python_version < '3'", "xgboost; python_version < '3'")
    # The fall-back brings no CUDA of its own accord either.
    assert plain.requirements[1:2] == ("tensorflow==2.17.0",)
    assert not plain.torch_backend


def test_an_index_of_ones_own_is_not_passed_by() -> None:
    assert flavours(("torch", "torchvision"), has_gpu=False, from_pypi=False) == (
        Flavour(("torch", "torchvision")),
    )


@pytest.mark.parametrize(
    "requirements", [(), ("numpy", "pandas<3"), ("tensorflow-datasets",), ("torch-geometric",)]
)
def test_other_packages_are_installed_in_one_way(requirements: tuple[str, ...]) -> None:
    assert flavours(requirements, has_gpu=False, from_pypi=True) == (Flavour(requirements),)


def test_torch_and_what_is_built_for_it_fit() -> None:
    assert unlike_torch({"torch": "2.13.0+cpu", "torchvision": "0.28.0"}) == "torch===2.13.0"
    assert unlike_torch({"torch": "2.13.0+cpu", "torchvision": "0.28.0+cpu"}) == ""
    assert unlike_torch({"torch": "2.13.0", "torchvision": "0.28.0"}) == ""
    assert unlike_torch({"torch": "2.13.0+cpu"}) == unlike_torch({}) == ""


def test_a_package_is_there_under_the_name_that_others_ask_for(tmp_path: Path) -> None:
    (tmp_path / "tensorflow_cpu-2.17.0.dist-info").mkdir()
    write_stand_ins(tmp_path, [("tensorflow-cpu", "tensorflow"), ("xgboost-cpu", "xgboost")])
    assert installed_versions(tmp_path) == {"tensorflow-cpu": "2.17.0", "tensorflow": "2.17.0"}
    write_stand_ins(tmp_path, [("tensorflow-cpu", "tensorflow")])
