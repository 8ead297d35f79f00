"""`pip install` command lines as data, pure.

Called by the recogniser, and by the builder, which answers them with uv. A line that is not understood to
the last word, or that names something which the same words may not mean twice (a local path, a git branch,
a URL), is None: it then runs as it stands, with real pip.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class PipInstall:
    """One `pip install`. Empty fields mean: as the machine's own configuration has it."""

    requirements: tuple[str, ...]
    """PEP 508, in the order given."""
    no_deps: bool = False
    index_url: str = ""
    extra_index_urls: tuple[str, ...] = ()
    trusted_hosts: tuple[str, ...] = ()
    upgrade: bool = False
    pre: bool = False

    def __str__(self) -> str:
        options = [name for name, on in (("--no-deps", self.no_deps), ("--upgrade", self.upgrade)) if on]
        return " ".join([*self.requirements, *options])


_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_EXTRAS = rf"\[ *{_NAME}(?: *, *{_NAME})* *\]"
_CLAUSE = r"(?:===|==|~=|!=|<=|>=|<|>) *[A-Za-z0-9.*+!_-]+"
_MARKER = r";[ -\[\]-~]+"
_REQUIREMENT = re.compile(
    rf" *{_NAME} *(?:{_EXTRAS})? *(?:\(?{_CLAUSE}(?: *, *{_CLAUSE})* *,?\)?)? *(?:{_MARKER})?\Z"
)
_URL = re.compile(r"(?:https?|file)://[^\s'\"]+\Z")
_ARCHIVE = re.compile(r"\.(?:whl|zip|tar\.gz|tgz|tar\.bz2|tar\.xz)\Z", re.IGNORECASE)

# Words that change what is printed or cached, not what is installed.
_SILENT = frozenset(
    {
        "--quiet", "-q", "-qq", "-qqq", "--no-warn-script-location", "--disable-pip-version-check",
        "--no-cache-dir", "--no-input", "--no-color", "--root-user-action=ignore", "--progress-bar=off",
        "--no-warn-conflicts",
    }
)  # fmt: skip

_FLAGS: dict[str, Callable[[PipInstall], PipInstall]] = {
    "--no-deps": lambda pip: replace(pip, no_deps=True),
    "--no-dependencies": lambda pip: replace(pip, no_deps=True),
    "--upgrade": lambda pip: replace(pip, upgrade=True),
    "-U": lambda pip: replace(pip, upgrade=True),
    "--pre": lambda pip: replace(pip, pre=True),
}

_VALUES: dict[str, Callable[[PipInstall, str], PipInstall]] = {
    "--index-url": lambda pip, url: replace(pip, index_url=url),
    "-i": lambda pip, url: replace(pip, index_url=url),
    "--extra-index-url": lambda pip, url: replace(pip, extra_index_urls=(*pip.extra_index_urls, url)),
    "--trusted-host": lambda pip, host: replace(pip, trusted_hosts=(*pip.trusted_hosts, host)),
}


def parse_pip_install(words: Sequence[str]) -> PipInstall | None:
    """The words after `pip install`."""
    install = PipInstall(())
    rest = iter(words)
    for word in rest:
        if word in _SILENT:
            continue
        option, equals, value = word.partition("=")
        if word in _FLAGS:
            install = _FLAGS[word](install)
        elif word in _VALUES or (equals and option.startswith("--") and option in _VALUES):
            value = value if word not in _VALUES else next(rest, "")
            if not _is_value(option, value):
                return None
            install = _VALUES[option](install, value)
        elif is_requirement(word):
            install = replace(install, requirements=(*install.requirements, word.strip()))
        else:
            return None
    return install if install.requirements else None


def is_requirement(word: str) -> bool:
    """Whether `word` is a name with versions and markers: no option, path, URL or `name @ URL`."""
    return bool(_REQUIREMENT.match(word)) and not _ARCHIVE.search(word.partition(";")[0].strip())


def _is_value(option: str, value: str) -> bool:
    if option == "--trusted-host":
        return bool(value) and not value.startswith("-")
    return bool(_URL.match(value))
