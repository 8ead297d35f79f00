"""Rows 15, 17 and 20, as far as the source shows them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

FIXED_IN = {
    "cryptography": "46.0.5",  # CVE-2026-26007
    "starlette": "1.0.1",  # CVE-2026-48710
    "python-multipart": "0.0.27",  # CVE-2026-24486, CVE-2026-42561
    "h11": "0.16.0",  # CVE-2025-43859
    # CVE-2024-11407, and CVE-2024-7246 before it; CVE-2026-33186 is of gRPC for Go, which is not here.
    "grpcio": "1.66.2",
}


def version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text)[:3])


@pytest.mark.parametrize("name", FIXED_IN)
def test_no_version_with_a_known_hole_can_be_installed(name: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    bounds = dict(re.match(r"([\w-]+)>=([\d.]+)", text).groups() for text in project["dependencies"])  # type: ignore[union-attr]
    assert (*version(bounds[name]), 0, 0) >= version(FIXED_IN[name])
    assert version(metadata.version(name)) >= version(FIXED_IN[name])


@pytest.mark.parametrize("name", ["PyJWT"])
def test_what_has_no_use_here_yet_is_not_brought_along(name: str) -> None:
    """Row 17 names them: who adds one adds its lower bound here."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert not [text for text in project["dependencies"] if text.lower().startswith(name.lower())]


def test_no_shell_and_no_sql_from_text() -> None:
    """A shell is started, SQL is pieced together, something is evaluated: no exceptions."""
    assert _found_by_ruff("S602,S604,S605,S608,S302,S306,S307") == []


def test_only_who_has_sent_a_function_unpickles_what_it_returned() -> None:
    """In the user's own program: no part of the server may import that module (its rooms do not see `sdk`)."""
    assert set(_found_by_ruff("S301")) == {"src/sampan/components/training/sdk/calls.py"}
    importers = {
        str(path.relative_to(ROOT / "src" / "sampan"))
        for path in (ROOT / "src").rglob("*.py")
        if re.search(r"training\.sdk(?: import .*\bcalls\b|\.calls\b)", path.read_text())
    }
    assert importers
    assert all(name.startswith(("sdk/", "components/training/sdk/")) for name in importers), importers


def _found_by_ruff(rules: str) -> list[str]:
    """The files in which ruff finds something, whatever they say about it."""
    command = [
        sys.executable,
        "-m",
        "ruff",
        "check",
        "--isolated",
        "--ignore-noqa",
        "--output-format",
        "json",
    ]
    found = subprocess.run([*command, "--select", rules, ROOT / "src"], capture_output=True, text=True)
    return [str(Path(each["filename"]).relative_to(ROOT)) for each in json.loads(found.stdout)]


def test_no_private_key_is_kept_here() -> None:
    tracked = subprocess.run(["git", "-C", ROOT, "ls-files", "-z"], capture_output=True, text=True)
    if tracked.returncode:
        pytest.skip("not a checkout")
    marker = re.compile(
        rb"-----BEGIN [A-Z ]*PRIVATE KEY-----\s+[A-Za-z0-9+/=]{20}|AKIA[0-9A-Z]{16}|ghp_[A-Za-z0-9]{36}"
    )
    for name in filter(None, tracked.stdout.split("\0")):
        file = ROOT / name
        assert not (file.is_file() and marker.search(file.read_bytes())), name
