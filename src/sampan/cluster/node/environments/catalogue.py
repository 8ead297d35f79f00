"""The catalogue: which environment stands for an image.

Called by `environments.facade`. `catalogue.toml` beside this file is built in; the user's `images.toml` is
read the same way and comes first. No process is started and nothing is installed here: a plan is what an
image would become.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from sampan.cluster.node.environments.errors import EnvironmentsError, UnknownImageError
from sampan.cluster.node.environments.image import DOCKER_HUB, ImageReference, parse_image
from sampan.cluster.node.environments.install import is_requirement
from sampan.cluster.node.environments.programs import PROGRAMS

BUILT_IN = "built-in"
_KEYS = {"match": (str, list), "tag": (str,), "name": (str,), "python": (str,), "requirements": (list,),
         "system": (bool,), "shell": (str,), "note": (str,), "needs": (list,), "programs": (list,),
         "entrypoint": (list,), "cmd": (list,), "files": (dict,), "env": (dict,), "workdir": (str,),
         "preload": (list,), "commands": (dict,)}  # fmt: skip
# Where pull-through caches keep Docker Hub's official images.
_MIRROR_FOLDERS = ("library/", "docker.io/", "docker.io/library/", "docker/library/")
_EXAMPLES = Path(__file__).with_name("examples")
_PYTHON = re.compile(r"3\.\d+(?:\.\d+)?\Z")


class CatalogueError(EnvironmentsError):
    """The user's images.toml is not right; the message names the file and the entry."""

    reason = "CreateContainerConfigError"


@dataclass(frozen=True, slots=True)
class Extras:
    """What an image is beside its packages."""

    needs: tuple[str, ...] = ()
    """Programs that the machine must have, for a system image."""
    programs: tuple[str, ...] = ()
    """Of `programs.PROGRAMS`: those that stand for the image's own."""
    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    """Paths in the image, and the files or folders of this machine that are shown there."""
    env: Mapping[str, str] = field(default_factory=dict)
    """Variables that the image sets."""
    workdir: str = ""
    preload: tuple[str, ...] = ()
    """Modules that a warm interpreter imports before it forks programs of the image's packages."""
    commands: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """How programs of the image are called, and the words that are run in place of that."""


@dataclass(frozen=True, slots=True)
class ImagePlan:
    """What an image becomes here."""

    image: str
    entry: str
    """The pattern that matched."""
    source: str
    """`built-in`, or the path of the file that holds the entry."""
    system: bool = False
    """No environment: the machine's own tools."""
    shell: str = ""
    """Of a system image: the program that stands for its `sh`; empty for the machine's."""
    python: str = ""
    """The Python version wanted, such as 3.11; empty for any."""
    requirements: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    extras: Extras = field(default_factory=Extras)


@dataclass(frozen=True, slots=True)
class Entry:
    """One `[[image]]` table."""

    patterns: tuple[str, ...]
    source: str
    tag: re.Pattern[str] | None = None
    name: re.Pattern[str] | None = None
    python: str = ""
    requirements: tuple[str, ...] = ()
    system: bool = False
    shell: str = ""
    note: str = ""
    extras: Extras = field(default_factory=Extras)

    def plan(self, reference: ImageReference, image: str) -> ImagePlan | None:
        names = _names(reference)
        pattern = next((p for p in self.patterns if any(fnmatchcase(name, p) for name in names)), None)
        if pattern is None:
            return None
        groups: dict[str, str] = {}
        for regex, text in ((self.name, reference.repository.rpartition("/")[2]), (self.tag, reference.tag)):
            if regex is None:
                continue
            match = regex.match(text or "latest")
            if match is None:
                return None
            groups.update({key: value for key, value in match.groupdict().items() if value})
        return ImagePlan(
            image=image,
            entry=pattern,
            source=self.source,
            system=self.system,
            shell=self.shell,
            python=_fill(self.python, groups),
            requirements=tuple(_fill(requirement, groups) for requirement in self.requirements),
            notes=(self.note,) if self.note else (),
            extras=self.extras,
        )


class Catalogue:
    """Entries in order of precedence. Pure once made; safe to share."""

    def __init__(self, entries: Sequence[Entry], user_file: Path) -> None:
        self._entries = tuple(entries)
        self._user_file = user_file

    def plan(self, image: str) -> ImagePlan:
        """Raises InvalidImageNameError, or UnknownImageError, whose message is the remedy."""
        reference = parse_image(image)
        for entry in self._entries:
            if (plan := entry.plan(reference, image)) is not None:
                return plan
        raise self._unknown(reference)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries)

    def _unknown(self, reference: ImageReference) -> UnknownImageError:
        return UnknownImageError(
            f'The image "{reference}" is not in the catalogue of environments, so its files are not here. '
            f"If Python packages are all that it needs, add these lines to {self._user_file}:\n\n"
            f'[[image]]\nmatch = "{reference.name}"\npython = "3.11"\nrequirements = ["numpy", "pandas"]\n\n'
            "(or `system = true` in place of the last two for the machine's own tools). "
            "An image that needs files of its own needs the container runtime: docs/images.md says how."
        )


def load_catalogue(user_file: Path) -> Catalogue:
    """Reads both files. Raises CatalogueError for a user's file that is not right."""
    built_in = Path(__file__).with_name("catalogue.toml")
    entries = parse_catalogue(built_in.read_text(encoding="utf-8"), BUILT_IN)
    try:
        text = user_file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return Catalogue(entries, user_file)
    except (OSError, UnicodeDecodeError) as error:
        raise CatalogueError(f"{user_file} cannot be read: {error}.") from error
    return Catalogue([*parse_catalogue(text, str(user_file)), *entries], user_file)


def parse_catalogue(text: str, source: str) -> list[Entry]:
    """Raises CatalogueError."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise CatalogueError(f"{source} is not valid TOML: {error}.") from error
    unknown = sorted(set(document) - {"image"})
    tables = document.get("image", [])
    if unknown or not isinstance(tables, list):
        raise CatalogueError(
            f'{source}: "{(unknown or ["image"])[0]}" is not known here; write [[image]] tables.'
        )
    return [
        _entry(table, f"{source}: [[image]] number {index}", source) for index, table in enumerate(tables, 1)
    ]


def _entry(table: Mapping[str, Any], where: str, source: str) -> Entry:
    for key, value in table.items():
        if key not in _KEYS:
            raise CatalogueError(f'{where}: "{key}" is not a key; known are {", ".join(_KEYS)}.')
        if not isinstance(value, _KEYS[key]):
            raise CatalogueError(f'{where}: "{key}" must be {" or ".join(t.__name__ for t in _KEYS[key])}.')
    match = table.get("match", [])
    patterns = tuple(str(p) for p in (match if isinstance(match, list) else [match]))
    if not patterns:
        raise CatalogueError(
            f'{where}: "match" is missing; it names the image, such as "registry.example/team/*".'
        )
    requirements = tuple(str(requirement) for requirement in table.get("requirements", ()))
    python = str(table.get("python", ""))
    if table.get("system") and (requirements or python):
        raise CatalogueError(
            f'{where}: "system" is for the machine\'s own tools, without python and requirements.'
        )
    shell = str(table.get("shell", ""))
    if shell and (not table.get("system") or "/" in shell):
        raise CatalogueError(
            f'{where}: "shell" is the name of a program, such as "bash", for an entry with system = true.'
        )
    if python and "{" not in python and not _PYTHON.match(python):
        raise CatalogueError(f'{where}: python = "{python}" is not a version such as "3.11".')
    for requirement in requirements:
        if "{" not in requirement and not is_requirement(requirement):
            raise CatalogueError(f'{where}: "{requirement}" is not a requirement such as "pandas>=2".')
    return Entry(
        patterns=patterns,
        source=source,
        tag=_regex(table, "tag", where),
        name=_regex(table, "name", where),
        python=python,
        requirements=requirements,
        system=bool(table.get("system", False)),
        shell=shell,
        note=str(table.get("note", "")),
        extras=_extras(table, where, source),
    )


def _extras(table: Mapping[str, Any], where: str, source: str) -> Extras:
    lists = {
        key: tuple(str(each) for each in table.get(key, ()))
        for key in ("needs", "programs", "entrypoint", "cmd", "preload")
    }
    if lists["needs"] and not table.get("system"):
        raise CatalogueError(f'{where}: "needs" is for an entry with system = true.')
    for name in lists["programs"]:
        if name not in PROGRAMS:
            raise CatalogueError(
                f'{where}: "programs" knows no "{name}"; there are {", ".join(sorted(PROGRAMS))}.'
            )
    env = {str(name): str(value) for name, value in table.get("env", {}).items()}
    commands = {
        str(name): tuple(map(str, words if isinstance(words, list) else [words]))
        for name, words in table.get("commands", {}).items()
    }
    workdir = str(table.get("workdir", ""))
    if workdir and not workdir.startswith("/"):
        raise CatalogueError(f'{where}: workdir = "{workdir}" is not a path such as "/workspace".')
    return Extras(**lists, files=_files(table, where, source), env=env, workdir=workdir, commands=commands)


def _files(table: Mapping[str, Any], where: str, source: str) -> dict[str, str]:
    """The built-in catalogue names files of ours, a user's file those of the machine, `~` and relative ones too."""
    base = _EXAMPLES if source == BUILT_IN else Path(source).parent
    found = {}
    for target, told in table.get("files", {}).items():
        if not target.startswith("/") or os.path.normpath(target) != target or target == "/":
            raise CatalogueError(
                f'{where}: files: "{target}" is not a path in the image such as "/app/train.py".'
            )
        found[target] = str(base / Path(str(told)).expanduser())
    return found


def _regex(table: Mapping[str, Any], key: str, where: str) -> re.Pattern[str] | None:
    if key not in table:
        return None
    try:
        return re.compile(table[key])
    except re.error as error:
        raise CatalogueError(f'{where}: "{key}" is not a regular expression: {error}.') from error


def _names(reference: ImageReference) -> tuple[str, ...]:
    """The names under which a pattern may know the image.

    A pattern without a registry also fits a copy in another registry, be it at the same path or in the
    folder of a pull-through cache; on Docker Hub itself only the exact path fits, since `someone/python` is
    not `python`.
    """
    repository = reference.repository
    full = f"{reference.registry}/{repository}"
    if reference.registry == DOCKER_HUB:
        return full, repository.removeprefix("library/")
    names = [full, repository]
    for folder in _MIRROR_FOLDERS:
        _, found, tail = f"/{repository}".rpartition(f"/{folder}")
        if found:
            names.append(tail)
    # One project in front, as Harbor's and Artifactory's proxies have it: only for names that keep a folder.
    tail = repository.partition("/")[2]
    if "/" in tail:
        names.append(tail)
    return tuple(names)


def _fill(template: str, groups: Mapping[str, str]) -> str:
    for key, value in groups.items():
        template = template.replace(f"{{{key}}}", value)
    return template
