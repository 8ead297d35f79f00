"""Steps that cannot start or are ended by the machine: the run's, the task's and the command line's words."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.app import machine, settings
from sampan.testing.pipelines import Component, lightweight, pipeline, shell, task


def one_step(container: dict[str, Any]) -> dict[str, Any]:
    return pipeline("bad", {"step": task("step")}, Component("step", container))


def function(source: str, *packages: str) -> dict[str, Any]:
    return one_step(lightweight("step", source, packages))


def limited(script: str, **resources: Any) -> dict[str, Any]:
    return one_step({**shell(script, image="python:3.11"), "resources": resources})


def test_an_unknown_image_says_what_to_write_and_where(desk: Any) -> None:
    spec = one_step(shell("true", image="ghcr.io/acme/secret-sauce:1"))
    message = desk.failure(spec)
    assert 'The image "ghcr.io/acme/secret-sauce:1" is not in the catalogue' in message
    assert f"{desk.server.home}/images.toml" in message
    assert 'match = "ghcr.io/acme/secret-sauce"' in message

    said = desk.run_file(spec)
    assert said.code == 1
    assert f"{desk.server.home}/images.toml" in said.out
    assert "Traceback" not in said.out + said.err


def test_an_image_name_that_is_none(desk: Any) -> None:
    message = desk.failure(one_step(shell("true", image="Not An Image")))
    assert 'InvalidImageName: The image name "Not An Image" is not valid' in message


def test_a_package_that_does_not_exist_is_named(desk: Any) -> None:
    spec = function("def step():\n    pass\n", "sampan-has-no-such-package==1")
    message = desk.failure(spec)
    assert 'the package "sampan-has-no-such-package" does not exist in the package index' in message
    assert "check its spelling" in message

    said = desk.run_file(spec)
    assert said.code == 1
    assert "sampan-has-no-such-package" in said.out
    assert "Traceback" not in said.out + said.err


def test_a_command_that_is_not_there(desk: Any) -> None:
    message = desk.failure(one_step({"image": "python:3.11", "command": ["no-such-command"]}))
    assert message.startswith("exit code 127")
    assert '"no-such-command": executable file not found in $PATH' in message
    nothing = desk.failure(one_step({"image": "python:3.11"}))
    assert "no command specified: set `command`" in nothing


def test_a_step_killed_for_memory_says_the_limit_and_the_remedy(desk: Any) -> None:
    probes = {found.name: found for found in machine.probe(settings.load(desk.server.home))}
    if not probes["cgroups"].ok:
        pytest.skip(probes["cgroups"].detail)
    script = "python3 -c 'held = bytearray(400 * 2**20); print(len(held))'"
    spec = limited(script, resourceMemoryLimit="64M")
    message = desk.failure(spec)
    assert message.startswith("exit code 137; OOMKilled: it used more memory than its limit of 64M; ")
    assert "set_memory_limit" in message

    said = desk.run_file(spec)
    assert said.code == 1
    assert "OOMKilled: it used more memory than its limit of 64M" in said.out


@pytest.mark.parametrize("limit", ["lots", "12 apples", "-1"])
def test_a_quantity_that_is_none_is_refused_at_once(desk: Any, limit: str) -> None:
    message = desk.refusal(limited("true", resourceMemoryLimit=limit))
    assert f"container.resources.resourceMemoryLimit: '{limit}' is not a quantity" in message


def test_the_functions_own_error_is_the_end_of_the_message(desk: Any) -> None:
    message = desk.failure(function("def step():\n    raise ValueError('the data is bad')\n"))
    assert message.startswith("exit code 1; the end of its log:\n")
    assert message.endswith("ValueError: the data is bad")


def test_the_server_is_as_before(desk: Any) -> None:
    run_id = desk.server.submit(one_step(shell("echo fine")))
    assert desk.server.wait_run(run_id)["state"] == "SUCCEEDED"
    assert "Traceback" not in (desk.server.home / "logs" / "server.log").read_text()
