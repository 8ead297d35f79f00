"""Keys: the same inputs make the same environment, any other input another one; and the nearest Python."""

import sys
from dataclasses import replace

import pytest

from sampan.cluster.node.environments import PipInstall
from sampan.cluster.node.environments.flavours import Flavour
from sampan.cluster.node.environments.index import IndexOptions
from sampan.cluster.node.environments.interpreter import Interpreter, nearest_version, own_interpreter
from sampan.cluster.node.environments.model import Manifest, base_key, derived_key

PYTHON = Interpreter(
    "/usr/bin/python3.11", "3.11.7", "cpython", "cpython-311", "linux-x86_64", "/usr/lib/python3.11"
)
TORCH = (Flavour(("torch==2.4.0",)),)
NONE = IndexOptions()
INSTALL = PipInstall(("a==1", "b"))


def test_base_keys() -> None:
    key = base_key(PYTHON, TORCH, NONE, ())
    assert key == base_key(PYTHON, TORCH, NONE, ())
    others = {
        base_key(replace(PYTHON, version="3.11.8"), TORCH, NONE, ()),
        base_key(replace(PYTHON, implementation="pypy"), TORCH, NONE, ()),
        base_key(replace(PYTHON, platform="linux-aarch64"), TORCH, NONE, ()),
        base_key(PYTHON, (Flavour(("torch==2.4.1",)),), NONE, ()),
        base_key(PYTHON, TORCH, IndexOptions(index_url="https://a.example"), ()),
        base_key(PYTHON, TORCH, NONE, ("UV_EXCLUDE_NEWER=2024-01-01",)),
        base_key(PYTHON, (Flavour(("torch==2.4.0",), "cpu"), *TORCH), NONE, ()),
    }
    assert len(others | {key}) == 8


def test_derived_keys() -> None:
    key = derived_key("base", (INSTALL,), NONE, ())
    others = {
        derived_key("other", (INSTALL,), NONE, ()),
        derived_key("base", (INSTALL, INSTALL), NONE, ()),
        derived_key("base", (PipInstall(("b", "a==1")),), NONE, ()),
        derived_key("base", (PipInstall(("a==1",)), PipInstall(("b",))), NONE, ()),
        derived_key("base", (replace(INSTALL, no_deps=True),), NONE, ()),
        derived_key("base", (replace(INSTALL, upgrade=True),), NONE, ()),
        derived_key("base", (replace(INSTALL, pre=True),), NONE, ()),
        derived_key("base", (replace(INSTALL, index_url="https://a.example"),), NONE, ()),
    }
    assert len(others | {key}) == 9
    # What is trusted on the way there does not change what arrives.
    assert derived_key("base", (replace(INSTALL, trusted_hosts=("h",)),), NONE, ()) == key


def test_manifest_survives_its_file() -> None:
    manifest = Manifest("k", PYTHON, "lib/python3.11/site-packages", ("a", "b"), ("m",), {"X": "y"}, "now")
    assert Manifest.from_json(manifest.to_json()) == manifest
    with pytest.raises((ValueError, TypeError, KeyError)):
        Manifest.from_json("{}")


@pytest.mark.parametrize(
    ("wanted", "available", "nearest"),
    [
        ((3, 7), {(3, 8), (3, 11)}, (3, 8)),
        ((3, 10), {(3, 9), (3, 11), (3, 13)}, (3, 11)),
        ((3, 14), {(3, 11), (3, 13)}, (3, 13)),
        ((3, 11), {(3, 11)}, (3, 11)),
        ((2, 7), {(3, 11)}, None),
    ],
)
def test_nearest_version(
    wanted: tuple[int, int], available: set[tuple[int, int]], nearest: tuple[int, int] | None
) -> None:
    assert nearest_version(wanted, available) == nearest


def test_the_servers_own_interpreter_is_no_virtual_environment() -> None:
    own = own_interpreter()
    assert own.is_there()
    assert sys.prefix == sys.base_prefix or not own.executable.startswith(f"{sys.prefix}/")
