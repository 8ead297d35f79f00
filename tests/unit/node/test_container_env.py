"""Variables and commands of containers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sampan.cluster.node import env
from sampan.cluster.node.references import ContainerConfigError, References

POD: dict[str, Any] = {
    "metadata": {
        "name": "p",
        "namespace": "ns",
        "uid": "u",
        "labels": {"app": "x", "b": 'say "hi"'},
        "annotations": {"note/a": "n"},
    },
    "spec": {"nodeName": "node", "serviceAccountName": "default"},
}
CAPACITY = env.Capacity(cpu_millis=2000, memory_bytes=1 << 30)


def composed(container: dict[str, Any], references: References | None = None) -> dict[str, str]:
    return env.compose(POD, container, {"HOME": "/h"}, references or References("ns"), CAPACITY)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$(A)", "1"),
        ("x$(A)y$(B)", "x1y2"),
        ("$$(A)", "$(A)"),
        ("$$$(A)", "$1"),
        ("$(MISSING)", "$(MISSING)"),
        ("$A $", "$A $"),
        ("$(", "$("),
        ("$()", "$()"),
        ("$$", "$"),
        ("$(mktemp -d)", "$(mktemp -d)"),
    ],
)
def test_expansion(text: str, expected: str) -> None:
    assert env.expand(text, {"A": "1", "B": "2"}) == expected


def test_later_variables_see_earlier_ones() -> None:
    values = composed(
        {"env": [{"name": "A", "value": "$(HOME)/a"}, {"name": "B", "value": "$(A)/b"}, {"name": "C"}]}
    )
    assert values == {"HOME": "/h", "A": "/h/a", "B": "/h/a/b", "C": ""}


def test_env_from_and_its_prefix() -> None:
    references = References(
        "ns", config_maps={"c": {"data": {"K": "v"}}}, secrets={"s": {"data": {"P": "cHc="}}}
    )
    sources = [{"prefix": "X_", "configMapRef": {"name": "c"}}, {"secretRef": {"name": "s"}}]
    assert composed({"envFrom": sources}, references) == {"HOME": "/h", "X_K": "v", "P": "pw"}


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"configMapKeyRef": {"name": "c", "key": "k"}}, 'configmap "c" not found'),
        ({"secretKeyRef": {"name": "s", "key": "k"}}, "couldn't find key k in Secret ns/s"),
        ({"fieldRef": {"fieldPath": "spec.containers"}}, "field label not supported: spec.containers"),
        ({"resourceFieldRef": {"resource": "limits.cpu", "divisor": "no"}}, "quantities must match"),
    ],
)
def test_references_that_lead_nowhere(source: dict[str, Any], message: str) -> None:
    references = References("ns", secrets={"s": {"data": {}}})
    with pytest.raises(ContainerConfigError, match=message):
        composed({"env": [{"name": "A", "valueFrom": source}]}, references)


def test_optional_references_are_left_out() -> None:
    source = {"configMapKeyRef": {"name": "c", "key": "k", "optional": True}}
    container = {
        "env": [{"name": "A", "valueFrom": source}],
        "envFrom": [{"secretRef": {"name": "s", "optional": True}}],
    }
    assert composed(container) == {"HOME": "/h"}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("metadata.name", "p"),
        ("metadata.labels['app']", "x"),
        ("metadata.annotations['note/a']", "n"),
        ("metadata.labels", 'app="x"\nb="say \\"hi\\""'),
        ("status.podIP", "127.0.0.1"),
        ("spec.nodeName", "node"),
        ("metadata.labels['none']", ""),
    ],
)
def test_the_downward_api(path: str, expected: str) -> None:
    assert env.field_value(POD, path) == expected


@pytest.mark.parametrize(
    ("resource", "divisor", "expected"),
    [
        ("limits.cpu", "", "2"),
        ("limits.cpu", "1m", "1500"),
        ("requests.cpu", "1m", "1500"),
        ("limits.memory", "1Mi", "1024"),
        ("requests.memory", "", "0"),
    ],
)
def test_resources(resource: str, divisor: str, expected: str) -> None:
    container = {"resources": {"limits": {"cpu": "1500m"}}}
    assert env.resource_value(container, resource, divisor, CAPACITY) == expected


def test_a_container_without_a_command_is_told_what_to_do() -> None:
    with pytest.raises(ContainerConfigError, match="no command specified") as caught:
        env.command({"name": "main"}, {})
    assert caught.value.reason == "CreateContainerError"
    assert env.command({"command": ["a", "$(X)"], "args": ["b"]}, {"X": "1"}) == ("a", "1", "b")


def test_a_variable_that_no_process_can_have() -> None:
    with pytest.raises(ContainerConfigError, match="'A'"):
        composed({"env": [{"name": "A", "value": "a\0b"}]})


def test_what_the_image_has_in_place_of_a_command() -> None:
    image = (("argosay",), ("echo", "hello"))
    assert env.command({"name": "main"}, {}, *image) == ("argosay", "echo", "hello")
    assert env.command({"name": "main", "args": ["cat"]}, {}, *image) == ("argosay", "cat")
    assert env.command({"name": "main", "command": ["sh"]}, {}, *image) == ("sh",)


def test_a_program_of_the_image_is_called_by_other_words() -> None:
    commands = {"python -m x": ("python3", "-m", "y"), "server": ("python3", "-m", "y", "server")}
    assert env.replaced(["python", "-m", "x", "--a=1"], commands) == ("python3", "-m", "y", "--a=1")
    assert env.replaced(["server", "start"], commands) == ("python3", "-m", "y", "server", "start")
    for other in (["python", "-m", "xx"], ["python", "-m"], ["echo", "server"]):
        assert env.replaced(other, commands) == tuple(other)


def test_folders_of_packages_come_before_those_of_the_container() -> None:
    folders = [Path("/envs/programs/serving/1")]
    assert env.with_packages({"A": "1"}, folders) == {"A": "1", "PYTHONPATH": "/envs/programs/serving/1"}
    own = {"PYTHONPATH": "/code"}
    assert env.with_packages(own, folders) == {"PYTHONPATH": "/envs/programs/serving/1:/code"}
    assert env.with_packages(own, []) == own
