"""The doctor's probes on the machine that runs the tests: quick, complete, and never a traceback."""

import socket
import sys
from pathlib import Path

import pytest

from sampan.cluster.node import capabilities
from sampan.cluster.node.capabilities import Probe, probe_machine


def by_name(probes: list[Probe]) -> dict[str, Probe]:
    return {probe.name: probe for probe in probes}


def test_all_probes_answer(tmp_path: Path) -> None:
    probes = probe_machine(tmp_path)
    assert list(by_name(probes)) == [
        "mount namespaces", "pod addresses", "cgroups", "podman", "docker", "GPUs", "disk", "memory", "uv",
        "Python versions", "open files",
    ]  # fmt: skip
    for probe in probes:
        assert probe.detail
        assert "\n" not in probe.detail
        assert probe.ok is not False or probe.remedy, probe


def test_what_is_here_is_found(tmp_path: Path) -> None:
    probes = by_name(probe_machine(tmp_path / "not" / "there" / "yet"))
    assert probes["uv"].ok
    assert f"3.{sys.version_info.minor}" in probes["Python versions"].detail
    assert "GiB" in probes["disk"].detail


def test_missing_tools_are_no_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    probes = by_name(probe_machine(tmp_path))
    for name in ("podman", "docker"):
        assert (probes[name].ok, probes[name].remedy) == (None, "")
        assert probes[name].detail.startswith("not installed; ")


@pytest.mark.parametrize(
    ("script", "ok", "words"),
    [
        ("echo 5.4.2 crun true", True, "5.4.2 with crun, rootless"),
        ("echo 4.3.1 runc false", True, "4.3.1 with runc, as root"),
        ("exit 125", False, "fails"),
        ("exec sleep 5", None, "does not answer"),
    ],
)
def test_podman(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, ok: bool | None, words: str
) -> None:
    podman = tmp_path / "podman"
    podman.write_text(f"#!/bin/sh\nPATH=/usr/bin:/bin\n{script}\n")
    podman.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    probe = by_name(probe_machine(tmp_path))["podman"]
    assert probe.ok is ok
    assert words in probe.detail
    assert bool(probe.remedy) is (ok is False)


def test_the_index(tmp_path: Path) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/simple"
        assert by_name(probe_machine(tmp_path, index_url=url))["package index"].ok in (True, None)
    assert by_name(probe_machine(tmp_path, index_url=url))["package index"].ok in (False, None)
    assert by_name(probe_machine(tmp_path, index_url=f"file://{tmp_path}"))["package index"].ok is True


def test_a_probe_that_fails_is_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> Probe:
        raise RuntimeError("no such luck")

    monkeypatch.setattr(capabilities, "_memory", broken)
    memory = by_name(probe_machine(tmp_path))["memory"]
    assert (memory.ok, memory.detail) == (None, "cannot be told: no such luck")
