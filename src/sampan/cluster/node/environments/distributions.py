"""What is installed in an environment, read and written as pip does: the `.dist-info` folders of site-packages.

Called by the builder. Source: packaging.python.org, "Recording installed projects", 2025.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

_FOLDER = re.compile(r"(?P<name>.+?)-(?P<version>[^-]+)\.dist-info\Z")


def installed_versions(site: Path) -> dict[str, str]:
    """By normalised name."""
    found = (_FOLDER.match(entry.name) for entry in site.glob("*.dist-info"))
    return {re.sub(r"[-_.]+", "-", each["name"]).lower(): each["version"] for each in found if each}


def write_stand_ins(site: Path, stands_for: Iterable[tuple[str, str]]) -> None:
    """Says that `tensorflow` is there where `tensorflow-cpu` is: what needs it, and pip, find it. Raises OSError."""
    versions = installed_versions(site)
    for real, name in stands_for:
        version = versions.get(real)
        if version is None or name in versions:
            continue
        folder = site / f"{name.replace('-', '_')}-{version}.dist-info"
        folder.mkdir()
        summary = f"The modules are those of {real}."
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nSummary: {summary}\n"
        (folder / "METADATA").write_text(metadata, encoding="utf-8")
        (folder / "INSTALLER").write_text("sampan\n", encoding="utf-8")
        lines = [f"{folder.name}/{file},," for file in ("METADATA", "INSTALLER", "RECORD")]
        (folder / "RECORD").write_text("\n".join(lines) + "\n", encoding="utf-8")
