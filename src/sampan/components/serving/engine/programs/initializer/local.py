"""Files of this machine: linked, as upstream does, so that they cost nothing.

Pods have a /tmp of their own: what lies in the machine's is copied from where the pod was given it. So is what is to be
kept when its source goes.
Source: kserve/kserve v0.20.0 python/storage/kserve_storage/kserve_storage.py (_download_local).
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote

from sampan.components.serving.engine.programs.initializer import places
from sampan.components.serving.engine.programs.initializer.errors import StorageError, empty
from sampan.components.serving.engine.programs.initializer.items import Patterns

ROOTS_VARIABLE = "SAMPAN_FILE_ROOTS"
"""A JSON list of folders below which files must lie; without it any may be served."""
TMP_VARIABLE = "SAMPAN_MACHINE_TMP"
"""Where the machine's /tmp is shown."""
KEPT_VARIABLE = "SAMPAN_MODEL_KEPT"
"""Whether what is brought is to be there when its source is not any more."""
_PREFIX = "file://"
_TMP = "/tmp"  # noqa: S108
_MOST_LINKS = 40


def bring(uri: str, target: Path, environ: Mapping[str, str], patterns: Patterns) -> list[Path]:
    """An entry for each of a folder, or for the file. Raises StorageError, OSError."""
    machine = _Machine(environ.get(TMP_VARIABLE, ""))
    named = _named(uri, machine)
    source = machine.find(named)
    _check(named, machine.name(Path(os.path.realpath(source or named))), environ)
    if source is None:
        raise StorageError(f"Local path {uri} does not exist.{machine.hint(named)}")
    if not os.access(source, os.R_OK):
        raise StorageError(f"Local path {uri} may not be read by the pod.")
    found = sorted(source.iterdir()) if source.is_dir() else [source]
    made = []
    for each in found:
        # As in a shell's *.
        if (each.name.startswith(".") and source.is_dir()) or not patterns.take(each.name):
            continue
        place = target / each.name
        if machine.is_shown(source) or environ.get(KEPT_VARIABLE) == "true":
            machine.copy(each, place)
        elif place.resolve() != each.resolve():
            with places.arriving(place) as part:
                part.symlink_to(each)
        made.append(place)
    if not made:
        raise empty(uri)
    return made


class _Machine:
    """Its files as the pod sees them."""

    def __init__(self, tmp: str) -> None:
        self._tmp = tmp

    def is_shown(self, path: Path) -> bool:
        """Whether it is seen at another place than it has."""
        return bool(self._tmp) and path.is_relative_to(self._tmp)

    def hint(self, path: Path) -> str:
        """For what is not there, where the machine may well have it."""
        if self._tmp or not path.is_relative_to(_TMP):
            return ""
        return (
            f" Pods have a {_TMP} of their own: show this one the machine's by a hostPath volume and name the place "
            "where that is mounted, or put the files elsewhere."
        )

    def find(self, path: Path) -> Path | None:
        """Links are followed as the machine would follow them. None for what is not there."""
        for _ in range(_MOST_LINKS):
            seen = self._seen(path)
            if not seen.is_symlink() or not self.is_shown(seen):
                return seen if seen.exists() else None
            path = Path(os.path.normpath(path.parent / os.readlink(seen)))
        return None

    def name(self, path: Path) -> Path:
        """What the machine calls it."""
        return Path(_TMP) / path.relative_to(self._tmp) if self.is_shown(path) else path

    def copy(self, source: Path, target: Path, above: tuple[Path, ...] = ()) -> None:
        """What links lead to, too. Raises OSError, StorageError."""
        real = self.find(self.name(source))
        if real is None or real in above:
            raise StorageError(f"{self.name(source)} is a link that leads to nothing, or round in a circle")
        if not real.is_dir():
            places.put(real, target, share=False)
            return
        target.mkdir(parents=True, exist_ok=True)
        for each in real.iterdir():
            if each.is_dir() or each.is_file() or each.is_symlink():
                self.copy(each, target / each.name, (*above, real))

    def _seen(self, path: Path) -> Path:
        if self._tmp and path.is_relative_to(_TMP):
            return Path(self._tmp) / path.relative_to(_TMP)
        return path


def _named(uri: str, machine: _Machine) -> Path:
    text = uri.removeprefix(_PREFIX)
    if not uri.startswith(_PREFIX):
        return Path(os.path.abspath(text))
    host, _, rest = text.partition("/")
    if host not in ("", ".", "localhost"):
        raise StorageError(f"{uri} names a file of the machine {host!r}: write file:///PATH")
    path = Path(os.path.abspath(f"/{rest}" if host != "." else f"./{rest}"))
    # A name may hold a percent sign as it is.
    return path if machine.find(path) is not None else Path(unquote(str(path)))


def _check(named: Path, real: Path, environ: Mapping[str, str]) -> None:
    if ROOTS_VARIABLE not in environ:
        return
    try:
        roots = [Path(os.path.realpath(str(each))) for each in json.loads(environ[ROOTS_VARIABLE])]
    except (ValueError, TypeError):
        roots = []
    if not any(real == root or real.is_relative_to(root) for root in roots):
        raise StorageError(
            f"The file {named} may not be served from here: with many users, only what lies below "
            "serving.file_roots and the namespace's own artifacts may"
        )
