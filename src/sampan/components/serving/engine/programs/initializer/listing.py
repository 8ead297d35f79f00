"""From what lies in a bucket to files: which objects a URI means, and how they are called below the target. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

_MARKERS = ("_$folder$",)


@dataclass(frozen=True, slots=True)
class Found:
    """An object."""

    key: str
    size: int
    tag: str = ""
    """Another one for another content; empty where the store says none."""
    md5: str = ""
    """Base64."""


def chosen(found: Iterable[Found], prefix: str) -> dict[str, Found]:
    """By their names below the target: the object that is meant itself, or those below it as a folder, or else those
    whose names begin so.

    Objects that only mark a folder are none: those that end with a slash, and empty ones that others lie below.
    """
    objects = [each for each in found if not each.key.endswith(("/", *_MARKERS))]
    folders = {each.key.rpartition("/")[0] for each in objects if "/" in each.key}
    folders |= {above for folder in list(folders) for above in _above(folder)}
    files = [each for each in objects if each.size or each.key not in folders]
    base = prefix.rstrip("/")
    if base:
        for each in files:
            if each.key == prefix:
                return {base.rpartition("/")[2]: each}
    below = {
        each.key[len(base) :].lstrip("/"): each
        for each in files
        if not base or each.key.startswith(f"{base}/")
    }
    if below:
        return below
    return {each.key.removeprefix(prefix).lstrip("/"): each for each in files if each.key.startswith(prefix)}


def _above(folder: str) -> Iterable[str]:
    while "/" in folder:
        folder = folder.rpartition("/")[0]
        yield folder
