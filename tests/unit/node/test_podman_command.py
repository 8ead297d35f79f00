"""What podman is told, what its answers mean, and which pods it gets. No podman needed."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from sampan.cluster.node.choosing import ANNOTATION, wants_container
from sampan.cluster.node.environments.image import parse_image
from sampan.cluster.node.images import ContainerImage, credentials_of, full, image_of
from sampan.cluster.node.references import ContainerConfigError
from sampan.cluster.node.rights import argv, image_run
from sampan.cluster.node.runtimes.container import Held, how_it_ended
from sampan.cluster.node.runtimes.podman import Options, own_limits, reason
from sampan.cluster.node.runtimes.podman_command import client_env, exec_command, run_command
from sampan.cluster.node.runtimes.process import LOST_REASON
from sampan.cluster.node.runtimes.protocol import (
    ContainerSpec,
    ExecSpec,
    Exit,
    ImageRun,
    Limits,
    Mount,
    RuntimeFailureError,
)

SPEC = ContainerSpec(
    id="u/c/0", folder=Path("/f"), log=Path("/l"), argv=("run", "--rm"), env={}, cwd="", scratch=Path("/s"),
    image=ImageRun("abc"),
)  # fmt: skip
IMAGE = ContainerImage("abc", ("/entry",), ("of", "image"), "fred")
HELD = Held("u/c/0", Path("/f"), Path("/l"), 1000, 5)
END = Exit(137, "2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z")
RAN = {"StartedAt": "2026-01-01T00:00:00Z", "OOMKilled": False}


def command(**changes: Any) -> list[str]:
    return run_command(
        "podman", Options(("--runtime", "x"), ("--y",)), replace(SPEC, **changes), "name", "home"
    )


def pairs(words: list[str]) -> set[tuple[str, str]]:
    return set(pairwise(words))


def test_the_command_of_the_container_is_no_option_of_podman() -> None:
    words = command()
    assert words[:4] == ["podman", "--runtime", "x", "run"]
    assert words[-3:] == ["abc", "run", "--rm"]
    assert {("--name", "name"), ("--network", "host"), ("--entrypoint", ""), ("--pull", "never")} <= pairs(
        words
    )
    assert ("--log-driver", "passthrough") in pairs(words)
    assert "--interactive" not in words


def test_a_terminal_is_handed_through() -> None:
    words = command(tty=True, stdin=True)
    assert ("--log-driver", "none") in pairs(words)
    assert {"--tty", "--interactive"} <= set(words)


def test_values_of_variables_are_not_on_the_command_line() -> None:
    values = {
        "TOKEN": "secret",
        "PATH": "/own",
        "HTTP_PROXY": "p",
        "XDG_RUNTIME_DIR": "/x",
        "LD_PRELOAD": "l",
    }
    words = command(env=values)
    assert ("--env", "TOKEN") in pairs(words)
    assert "secret" not in " ".join(words)
    # Those that podman reads itself cannot travel in its own.
    for name in ("PATH", "HTTP_PROXY", "XDG_RUNTIME_DIR", "LD_PRELOAD"):
        assert ("--env", f"{name}={values[name]}") in pairs(words)
    server = {"PATH": "/bin", "HOME": "/root", "TOKEN": "the server's", "OTHER": "x"}
    assert client_env(server, values) == {"PATH": "/bin", "HOME": "/root", "TOKEN": "secret"}


def test_mounts_come_from_above_to_below() -> None:
    mounts = (Mount(Path("/b"), "/x/y", read_only=True), Mount(Path("/a"), "/x"))
    words = command(mounts=mounts, termination=(Path("/f/t"), "/dev/termination-log"))
    found = [after for word, after in pairwise(words) if word == "--mount"]
    assert found == [
        "type=bind,source=/f/t,target=/dev/termination-log",
        "type=bind,source=/a,target=/x",
        "type=bind,source=/b,target=/x/y,ro=true",
    ]
    with pytest.raises(RuntimeFailureError, match="comma"):
        command(mounts=(Mount(Path("/a,b"), "/x"),))


def test_limits_and_rights() -> None:
    image = ImageRun(
        "abc", "/w", "7:8", (9,), read_only=True, no_new_privileges=True, unconfined=True,
        add_capabilities=("NET_RAW",), drop_capabilities=("ALL",), devices=("nvidia.com/gpu=1",), host_pid=True,
    )  # fmt: skip
    words = pairs(command(image=image, limits=Limits(64 << 20, 250)))
    assert {
        ("--memory", str(64 << 20)), ("--memory-swap", str(64 << 20)), ("--cpu-quota", "25000"),
        ("--workdir", "/w"), ("--user", "7:8"), ("--group-add", "9"), ("--cap-add", "NET_RAW"),
        ("--cap-drop", "ALL"), ("--device", "nvidia.com/gpu=1"), ("--pid", "host"),
        ("--security-opt", "no-new-privileges"), ("--security-opt", "seccomp=unconfined"),
    } <= words  # fmt: skip
    bare = run_command(
        "podman", Options((), ("--cgroups=disabled",)), replace(SPEC, limits=Limits(1, 1)), "n", "h"
    )
    assert "--memory" not in bare


def test_a_command_in_a_container_can_be_known_again() -> None:
    words = exec_command("podman", Options(), "name", ExecSpec(("ls", "-l"), stdin=True, env={"A": "b"}), "m")
    assert words == [
        "podman",
        "exec",
        "--interactive",
        "--env",
        "A=b",
        "--env",
        "SAMPAN_EXEC=m",
        "name",
        "ls",
        "-l",
    ]


@pytest.mark.parametrize(
    ("container", "expected"),
    [
        ({}, ["/entry", "of", "image"]),
        ({"args": ["a"]}, ["/entry", "a"]),
        ({"command": ["c"]}, ["c"]),
        ({"command": ["c"], "args": ["a"]}, ["c", "a"]),
    ],
)
def test_entry_point_and_arguments(container: Any, expected: list[str]) -> None:
    assert argv(container, IMAGE) == expected


def test_nothing_to_run() -> None:
    with pytest.raises(ContainerConfigError, match="no command specified"):
        argv({}, ContainerImage("abc"))


@pytest.mark.parametrize(
    ("own", "user", "words"),
    [
        ({"runAsNonRoot": True}, "", "image will run as root"),
        ({"runAsNonRoot": True}, "0:5", "image will run as root"),
        ({"runAsNonRoot": True}, "fred", "non-numeric user .fred."),
        ({"runAsNonRoot": True, "runAsUser": 0}, "7", "runAsUser breaks non-root policy"),
        ({"privileged": True}, "", "allow_privileged"),
    ],
)
def test_what_must_not_be(own: Any, user: str, words: str) -> None:
    with pytest.raises(ContainerConfigError, match=words):
        image_run(
            {}, {"name": "c", "securityContext": own}, replace(IMAGE, user=user), (), allow_privileged=False
        )


@pytest.mark.parametrize(
    ("shared", "own", "user"),
    [
        ({}, {}, ""),
        ({"runAsUser": 5}, {}, "5"),
        ({"runAsUser": 5}, {"runAsUser": 6}, "6"),
        ({"runAsGroup": 7}, {}, "fred:7"),
        ({"runAsUser": 0}, {"runAsGroup": 7}, "0:7"),
    ],
)
def test_the_user(shared: Any, own: Any, user: str) -> None:
    pod = {"spec": {"securityContext": shared}}
    assert image_run(pod, {"securityContext": own}, IMAGE, (), allow_privileged=False).user == user


@pytest.mark.parametrize(
    ("end", "state", "kills", "was_killed", "expected"),
    [
        (END, RAN, 5, False, ("", False, 137)),
        (END, RAN, 6, False, ("", True, 137)),
        (END, RAN, 6, True, ("", False, 137)),
        (replace(END, exit_code=1), RAN, 6, False, ("", False, 1)),
        (replace(END, exit_code=1), {**RAN, "OOMKilled": True}, 5, False, ("", True, 1)),
        (replace(END, exit_code=127), RAN, 5, False, ("", False, 127)),
        (
            replace(END, exit_code=127),
            {"StartedAt": "0001-01-01T00:00:00Z"},
            5,
            False,
            ("StartError", False, 127),
        ),
        (
            replace(END, exit_code=125),
            {"StartedAt": "0001-01-01T00:00:00Z"},
            5,
            False,
            ("StartError", False, 128),
        ),
        (replace(END, reason=LOST_REASON), {}, 5, False, (LOST_REASON, False, 137)),
    ],
)
def test_how_it_ended(end: Exit, state: Any, kills: int, was_killed: bool, expected: Any) -> None:
    found = how_it_ended(end, state, HELD, "words", kills, was_killed=was_killed)
    assert (found.reason, found.oom, found.exit_code) == expected
    assert found.message == ("words" if found.reason == "StartError" else "")
    no_limit = how_it_ended(END, RAN, replace(HELD, memory_bytes=0), "", 9, was_killed=False)
    assert not no_limit.oom


@pytest.mark.parametrize(
    ("asked", "setting", "has_podman", "expected"),
    [
        ({}, "process", True, False),
        ({}, "podman", False, True),
        ({}, "auto", True, False),
        ({"image": "odd"}, "auto", True, True),
        ({"image": "odd"}, "auto", False, False),
        ({"command": []}, "auto", True, True),
        ({"class": "podman"}, "process", False, True),
        ({"class": "process"}, "podman", True, False),
        ({"class": "nvidia"}, "podman", True, True),
        ({"note": "podman"}, "process", True, True),
        ({"note": "podman", "class": "process"}, "process", True, False),
        ({"note": "auto", "image": "odd"}, "process", True, True),
        ({"init": "odd"}, "auto", True, True),
    ],
)
def test_which_pods_it_gets(asked: Any, setting: str, has_podman: bool, expected: bool) -> None:
    container = {"name": "c", "image": asked.get("image", "python"), "command": asked.get("command", ["x"])}
    spec: dict[str, Any] = {"containers": [container]}
    if "init" in asked:
        spec["initContainers"] = [{"name": "i", "image": asked["init"], "command": ["x"]}]
    if "class" in asked:
        spec["runtimeClassName"] = asked["class"]
    pod = {"metadata": {"annotations": {ANNOTATION: asked["note"]} if "note" in asked else {}}, "spec": spec}
    assert wants_container(pod, setting, has_podman=has_podman, is_known="python".__eq__) is expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("python", "docker.io/library/python:latest"),
        ("team/x:1", "docker.io/team/x:1"),
        ("r.example:5000/x", "r.example:5000/x:latest"),
        ("quay.io/x:2@sha256:" + "a" * 64, "quay.io/x@sha256:" + "a" * 64),
    ],
)
def test_the_name_that_is_pulled(name: str, expected: str) -> None:
    assert full(parse_image(name)) == expected


def test_what_an_image_says_of_itself() -> None:
    found = {"Id": "1", "Config": {"Entrypoint": ["e"], "User": "7"}, "RepoDigests": ["x@sha256:2"]}
    assert image_of(found) == ContainerImage("1", ("e",), (), "7", "x@sha256:2")


def test_credentials() -> None:
    entry = {"username": "u", "password": "p"}
    pair = base64.b64encode(b"u:p").decode()

    def secret(key: str, document: Any) -> dict[str, Any]:
        return {"data": {key: base64.b64encode(json.dumps(document).encode()).decode()}}

    assert credentials_of(secret(".dockerconfigjson", {"auths": {"r": entry}})) == {"r": {"auth": pair}}
    assert credentials_of(secret(".dockercfg", {"r": {"auth": pair}})) == {"r": {"auth": pair}}
    assert credentials_of(secret("other", {})) == {}
    assert credentials_of({"data": {".dockercfg": "!"}}) == {}
    assert credentials_of(secret(".dockerconfigjson", {"auths": []})) == {}


def test_reasons_and_limits_of_the_machine() -> None:
    assert reason("some log\nError: the reason\n") == "the reason"
    assert reason("only this\n") == "only this"
    assert reason("") == ""
    assert own_limits(1 << 24, 1000, 2000) == ()
    assert own_limits(0, 1000, 2000) == ("--ulimit", "nofile=1000:1000", "--ulimit", "nproc=2000:2000")
    assert own_limits(0, -1, -1)[-1] == "nproc=32768:32768"
