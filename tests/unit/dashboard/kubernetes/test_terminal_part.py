"""A terminal in a container: where it is opened, and what its end means."""

from __future__ import annotations

import pytest

from sampan.dashboard.kubernetes.terminal_part import ended, exec_path, running_containers

POD = {
    "metadata": {"name": "p", "namespace": "n"},
    "status": {
        "containerStatuses": [
            {"name": "a", "state": {"running": {}}},
            {"name": "b", "state": {"terminated": {}}},
        ],
        "initContainerStatuses": [{"name": "c", "state": {"running": {}}}],
    },
}


def test_only_running_containers_are_offered() -> None:
    assert running_containers(POD) == ["a", "c"]
    assert running_containers({}) == []


def test_the_address_is_quoted() -> None:
    path = exec_path({"metadata": {"name": "p/../q", "namespace": "n"}}, "a&b", ("sh", "-c", "x; y"))
    assert path == (
        "/api/v1/namespaces/n/pods/p%2F..%2Fq/exec?container=a%26b&stdin=true&stdout=true&tty=true"
        "&command=sh&command=-c&command=x%3B+y"
    )


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ("", "The connection is closed."),
        ('{"status":"Success"}', "The shell has ended."),
        (
            '{"status":"Failure","message":"m","details":{"causes":[{"reason":"ExitCode","message":"3"}]}}',
            "The shell has ended with exit code 3.",
        ),
        ('{"status":"Failure","message":"container not found"}', "container not found"),
        ("7", "The connection is closed."),
    ],
)
def test_its_end_is_told(status: str, said: str) -> None:
    assert ended(status) == said
