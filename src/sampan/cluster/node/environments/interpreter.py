"""The Python interpreters of this machine, and the choice among them.

Called by the facade. The server's own interpreter is known without asking anybody, so the common case
starts no process; others are found by uv, and below pyenv's folder, where uv does not look.
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
import sys
import sysconfig
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sampan.cluster.node.environments.errors import EnvironmentBuildError
from sampan.cluster.node.environments.uv import Uv, UvError
from sampan.lib.files import replace_text

OLDEST = (3, 8)
"""The launcher that runs in the environments needs this."""

_SEARCH_SECONDS = 30.0
_SEARCH_AGAIN_SECONDS = 600.0
_DOWNLOAD_SECONDS = 300.0

_QUERY = """
import json, os, platform, sys, sysconfig
print(json.dumps({
    "executable": os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable),
    "version": platform.python_version(),
    "implementation": sys.implementation.name,
    "abi": sysconfig.get_config_var("SOABI") or sys.implementation.cache_tag,
    "platform": sysconfig.get_platform(),
    "stdlib": sysconfig.get_path("stdlib"),
    "platlibdir": getattr(sys, "platlibdir", "lib"),
}))
"""


@dataclass(frozen=True, slots=True)
class Interpreter:
    """An installed Python, never one of a virtual environment."""

    executable: str
    """Without symbolic links."""
    version: str
    implementation: str
    abi: str
    platform: str
    stdlib: str
    platlibdir: str = "lib"

    @property
    def minor(self) -> tuple[int, int]:
        major, minor = self.version.split(".")[:2]
        return int(major), int(minor)

    def is_there(self) -> bool:
        return os.path.exists(self.executable)

    @property
    def identity(self) -> tuple[str, ...]:
        """What two environments must share to be the same."""
        return self.implementation, self.version, self.abi, self.platform, self.executable


@dataclass(frozen=True, slots=True)
class Choice:
    interpreter: Interpreter
    note: str = ""
    """Set when it is not what was asked for."""


def own_interpreter() -> Interpreter:
    """The one that runs the server."""
    executable = os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable)
    return Interpreter(
        executable=executable,
        version=platform.python_version(),
        implementation=sys.implementation.name,
        abi=str(sysconfig.get_config_var("SOABI") or sys.implementation.cache_tag),
        platform=sysconfig.get_platform(),
        stdlib=sysconfig.get_path("stdlib"),
        platlibdir=sys.platlibdir,
    )


class Interpreters:
    """Finds interpreters once and remembers them in `cache_file`, since a search takes a second or more."""

    def __init__(self, uv: Uv, environ: Mapping[str, str], cache_file: Path, *, download: bool) -> None:
        self._uv = uv
        self._environ = dict(environ)
        self._cache_file = cache_file
        self._download = download
        self._found: dict[tuple[int, int], Interpreter] = {}
        self._searched_at = float("-inf")
        self._refused: set[tuple[int, int]] = set()
        self._lock = asyncio.Lock()

    async def choose(self, version: str) -> Choice:
        """The installed interpreter for `version`, such as 3.11; any for an empty one.

        When there is none: downloaded by uv where that is allowed, else the nearest one, and a note says so.
        Raises EnvironmentBuildError when this machine has no Python that will do.
        """
        own = own_interpreter()
        wanted = tuple(int(part) for part in version.split(".")[:2]) if version else own.minor
        if len(wanted) != 2 or wanted == own.minor:
            return Choice(own)
        async with self._lock:
            if (found := await self._installed(wanted)) is not None:
                return Choice(found)
            if self._download and wanted not in self._refused and wanted >= OLDEST:
                if (found := await self._downloaded(wanted)) is not None:
                    return Choice(found)
                self._refused.add(wanted)
        nearest = nearest_version(wanted, {own.minor, *self._found})
        if nearest is None:
            raise EnvironmentBuildError(
                f"This machine has no Python near {version}: install Python {version}, or set "
                "`download_python = true` in the [environments] table of settings.toml."
            )
        chosen = own if nearest == own.minor else self._found[nearest]
        return Choice(
            chosen, f"Python {version} is not installed here; Python {chosen.version} is used instead"
        )

    async def installed(self) -> list[Interpreter]:
        """All of them, one for each minor version, oldest first."""
        own = own_interpreter()
        async with self._lock:
            await self._installed((0, 0))
        return [interpreter for _, interpreter in sorted({**self._found, own.minor: own}.items())]

    async def _installed(self, wanted: tuple[int, ...]) -> Interpreter | None:
        if not self._found:
            self._found = await asyncio.to_thread(_read_cache, self._cache_file)
        for minor, interpreter in self._found.items():
            if minor == wanted and interpreter.is_there():
                return interpreter
        # Python may have been installed since; but not every pod of an unmet version may pay for looking.
        if time.monotonic() - self._searched_at >= _SEARCH_AGAIN_SECONDS:
            self._found = await self._search()
            self._searched_at = time.monotonic()
            await asyncio.to_thread(_write_cache, self._cache_file, self._found)
        return next((found for minor, found in self._found.items() if minor == wanted), None)

    async def _search(self) -> dict[tuple[int, int], Interpreter]:
        pyenv = await asyncio.to_thread(_pyenv_interpreters, self._environ)
        paths = list(map(str, pyenv))
        arguments = ["python", "list", "--only-installed", "--offline", "--output-format", "json"]
        try:
            listed = json.loads(await self._uv.run(arguments, timeout_seconds=_SEARCH_SECONDS))
            paths += [str(item["path"]) for item in listed if item.get("variant", "default") == "default"]
        except (UvError, ValueError, KeyError, TypeError, AttributeError):
            # A machine where uv's search fails still has its own Python, and pyenv's.
            pass
        unique = await asyncio.to_thread(_unique, paths)
        found: dict[tuple[int, int], Interpreter] = {}
        for interpreter in await asyncio.gather(*map(_query, unique)):
            if interpreter is not None and interpreter.minor >= OLDEST:
                held = found.get(interpreter.minor)
                if held is None or _rank(interpreter) > _rank(held):
                    found[interpreter.minor] = interpreter
        return found

    async def _downloaded(self, wanted: tuple[int, ...]) -> Interpreter | None:
        version = ".".join(map(str, wanted))
        environ = {**self._environ, "UV_PYTHON_DOWNLOADS": "automatic"}
        try:
            await self._uv.run(["python", "install", version], environ, timeout_seconds=_DOWNLOAD_SECONDS)
            path = await self._uv.run(
                ["python", "find", "--no-project", "--managed-python", version],
                timeout_seconds=_SEARCH_SECONDS,
            )
        except UvError:
            return None
        found = await _query(path.strip())
        if found is not None:
            self._found[found.minor] = found
            await asyncio.to_thread(_write_cache, self._cache_file, self._found)
        return found


def nearest_version(wanted: tuple[int, ...], available: set[tuple[int, int]]) -> tuple[int, int] | None:
    """The next newer one, since programs for an old Python mostly run on a newer; else the newest older one."""
    same = sorted(version for version in available if version[0] == wanted[0])
    newer = [version for version in same if version >= wanted]
    return newer[0] if newer else same[-1] if same else None


def _rank(interpreter: Interpreter) -> tuple[bool, int]:
    patch = interpreter.version.split(".")[2]
    digits = "".join(character for character in patch if character.isdigit())
    return interpreter.implementation == "cpython", int(digits or 0)


async def _query(path: str) -> Interpreter | None:
    """Asks the interpreter itself; None when it does not run."""
    process: asyncio.subprocess.Process | None = None
    try:
        process = await asyncio.create_subprocess_exec(
            path, "-I", "-c", _QUERY,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        async with asyncio.timeout(_SEARCH_SECONDS):
            output, _ = await process.communicate()
        return Interpreter(**json.loads(output))
    except (OSError, ValueError, TypeError, TimeoutError):
        return None
    finally:
        if process is not None and process.returncode is None:
            process.kill()
            await process.wait()


def _pyenv_interpreters(environ: Mapping[str, str]) -> list[Path]:
    root = Path(environ.get("PYENV_ROOT") or Path(environ.get("HOME") or Path.home()) / ".pyenv")
    return sorted(root.glob("versions/3.*/bin/python3"))


def _unique(paths: list[str]) -> list[str]:
    """The first path of each interpreter; several names often lead to one."""
    return list({os.path.realpath(path): path for path in reversed(paths) if os.path.exists(path)}.values())


def _read_cache(file: Path) -> dict[tuple[int, int], Interpreter]:
    try:
        items: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))
        interpreters = [Interpreter(**item) for item in items]
        return {each.minor: each for each in interpreters if each.is_there()}
    except (OSError, ValueError, TypeError):
        return {}


def _write_cache(file: Path, found: Mapping[tuple[int, int], Interpreter]) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps([asdict(interpreter) for interpreter in found.values()], indent=1)
        replace_text(file, text)
    except OSError:
        # Only a cache: the next server searches again.
        return
