"""Models' folders below one: each is whole or not there, and a file `SUCCESS.DIGEST` in it says which model it is.

Source: kserve/kserve v0.20.0 pkg/agent/downloader.go, pkg/agent/syncer.go. Unlike there a model is downloaded beside
its place, so that the server never sees half of one. Blocks: for threads.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path

from sampan.components.serving.engine.programs.initializer import places
from sampan.components.serving.engine.programs.initializer.main import Initializer
from sampan.components.serving.engine.programs.puller.listed import Model, model

_MARK = "SUCCESS."


def present(folder: Path) -> dict[str, Model]:
    """What earlier runs have left, by name."""
    found = {}
    for mark in folder.glob(f"*/{_MARK}*"):
        try:
            told = json.loads(mark.read_text())
        except (OSError, ValueError):
            continue
        if isinstance(told, dict) and not mark.parent.name.startswith("."):
            found[mark.parent.name] = model(told)
    return found


def fetch(name: str, wanted: Model, folder: Path, environ: Mapping[str, str]) -> None:
    """Brings a model to its folder, in place of another one. Raises StorageError, OSError."""
    new, old = (folder / f"{places.PART}{what}-{name}" for what in ("new", "old"))
    for each in (new, old):
        shutil.rmtree(each, ignore_errors=True)
    try:
        Initializer(environ).download(wanted.uri, new)
        text = wanted.to_json()
        (new / f"{_MARK}{hashlib.sha256(text.encode()).hexdigest()}").write_text(text)
        if (folder / name).exists():
            (folder / name).rename(old)
        new.rename(folder / name)
    finally:
        for each in (new, old):
            shutil.rmtree(each, ignore_errors=True)


def remove(name: str, folder: Path) -> None:
    shutil.rmtree(folder / name, ignore_errors=True)
