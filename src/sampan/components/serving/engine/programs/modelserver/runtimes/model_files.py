"""Which file in a folder is the model. Called by the runtimes; knows no framework.

As upstream's servers: just one file with one of the framework's endings, in the folder itself. Where there are files of
several endings, an earlier ending wins over a later one: the safe formats stand first.
Source: kserve v0.20.0 python/{sklearnserver,xgbserver,lgbserver}/*/model.py, `load`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from sampan.components.serving.engine.programs.modelserver.contract import LoadError, ModelMissingError


def model_file(folder: str, endings: Sequence[Sequence[str]], what: str) -> Path:
    """The one file with an ending of the first group that has any. Raises ModelMissingError, LoadError."""
    files = files_of(folder)
    for group in endings:
        found = [each for each in files if each.name.lower().endswith(tuple(group))]
        if len(found) == 1:
            return found[0]
        if found:
            names = ", ".join(each.name for each in found)
            raise LoadError(
                f"More than one model file is detected: {names}. Leave the one that is to be served, "
                "or name it in storageUri."
            )
    wanted = ", ".join(ending for group in endings for ending in group)
    held = ", ".join(each.name for each in files) or "no files"
    raise ModelMissingError(
        f"There is no {what} model: a file that ends in {wanted} is wanted, found: {held}."
    )


def files_of(folder: str) -> list[Path]:
    """Its files, sorted; a model's folder may also be the model's file itself. Raises ModelMissingError."""
    if os.path.isfile(folder):
        return [Path(folder)]
    try:
        entries = sorted(Path(folder).iterdir())
    except OSError as error:
        raise ModelMissingError(
            f"The model's folder {folder} cannot be read: {error.strerror or error}."
        ) from error
    return [each for each in entries if each.is_file() and not each.name.startswith(".")]


def newest_version(folder: Path) -> Path | None:
    """Its sub-folder with the greatest number for a name, as model repositories have them."""
    try:
        versions = [each for each in folder.iterdir() if each.name.isdigit() and each.is_dir()]
    except OSError:
        return None
    return max(versions, key=lambda each: int(each.name), default=None)
