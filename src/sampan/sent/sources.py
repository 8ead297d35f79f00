"""A script's own code: what it imports, which of that lies beside it, and all of it as one archive.

Only what the script imports from its own folder comes along, however deep, and what is asked for; data never comes by
itself. Read with `ast`, never run.
"""

from __future__ import annotations

import ast
import gzip
import io
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

MOST_ARCHIVE_BYTES = 10 * 1024 * 1024
"""Of what is sent, compressed."""
_MOST_FILES = 2000
_LEFT_OUT = frozenset(
    {
        "__pycache__",
        ".git",
        ".hg",
        ".svn",
        ".venv",
        "venv",
        "node_modules",
        ".mypy_cache",
        ".pytest_cache",
        ".ipynb_checkpoints",
    }
)


class SourcesError(Exception):
    """What was to be sent cannot be. The message names it and says what to do."""


@dataclass(slots=True)
class Sources:
    """Files by the names that they have where the script runs; the script is `script`."""

    script: str
    files: dict[str, Path] = field(default_factory=dict)
    imported: set[str] = field(default_factory=set)
    """All modules that the script and what comes along imports."""

    def archive(self) -> bytes:
        """A .tar.gz that is the same for the same files. Raises SourcesError."""
        return archive_of({name: path.read_bytes() for name, path in self.files.items()})


def archive_of(files: dict[str, bytes]) -> bytes:
    """Raises SourcesError for more than may be sent."""
    packed = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as compressed,
        tarfile.open(fileobj=compressed, mode="w") as tar,
    ):
        for name in sorted(files):
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(files[name]), 0o755
            tar.addfile(member, io.BytesIO(files[name]))
            if packed.tell() > MOST_ARCHIVE_BYTES:
                break
    data = packed.getvalue()
    if len(data) > MOST_ARCHIVE_BYTES:
        largest = max(files, key=lambda name: len(files[name]))
        raise SourcesError(
            f"the code is larger than {MOST_ARCHIVE_BYTES >> 20} MiB compressed (the largest file is {largest}): "
            "leave data out, and give it by a volume or an object store"
        )
    return data


def collect(script: Path, include: Sequence[Path] = ()) -> Sources:
    """The script and what it imports from beside it; `include` are files and folders that come along too.

    Raises SourcesError.
    """
    if not script.is_file():
        raise SourcesError(f"{script} is no file")
    root = script.resolve().parent
    found = Sources(script.name, {script.name: script})
    waiting = [script]
    while waiting:
        for name in _imports(waiting.pop(), root):
            found.imported.add(name)
            for path in _local(root, name):
                relative = path.relative_to(root).as_posix()
                if relative not in found.files:
                    found.files[relative] = path
                    if path.suffix == ".py":
                        waiting.append(path)
            _check_count(found)
    for extra in include:
        for path in _below(extra):
            found.files[_relative(path, root, extra)] = path
            _check_count(found)
    return found


def imports_of(text: str, file: str = "<code>") -> set[str]:
    """Names of modules that Python code imports, also within functions. Raises SourcesError."""
    try:
        tree = ast.parse(text, file)
    except (SyntaxError, ValueError, RecursionError) as error:
        line = f", line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        raise SourcesError(f"{file}{line}: {getattr(error, 'msg', error)}") from error
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


def _imports(file: Path, root: Path) -> set[str]:
    """With relative ones made absolute."""
    text = file.read_text(encoding="utf-8", errors="replace")
    found = imports_of(text, str(file))
    package = file.resolve().relative_to(root).parent.parts
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1]
            stem = ".".join([*base, *([node.module] if node.module else [])])
            found.update(f"{stem}.{alias.name}" for alias in node.names)
            found.add(stem)
    return {name for name in found if name}


def _local(root: Path, name: str) -> Iterator[Path]:
    """The module's file beside the script, or its whole package; nothing for what is installed."""
    top = root / name.partition(".")[0]
    if top.with_suffix(".py").is_file():
        yield top.with_suffix(".py")
    elif (top / "__init__.py").is_file():
        yield from _below(top)
    elif top.is_dir():
        # A folder without __init__.py is a package of those modules that are named.
        path = root.joinpath(*name.split("."))
        if path.with_suffix(".py").is_file():
            yield path.with_suffix(".py")
        elif path != top and path.is_dir() and any(path.glob("*.py")):
            yield from _below(path)


def _below(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
        return
    if not path.is_dir():
        raise SourcesError(f"{path} is neither a file nor a folder")
    for each in sorted(path.iterdir()):
        if each.name in _LEFT_OUT or each.suffix == ".pyc":
            continue
        if each.is_dir() and not each.is_symlink():
            yield from _below(each)
        elif each.is_file():
            yield each


def _relative(path: Path, root: Path, extra: Path) -> str:
    """Where it has its place beside the script; what lies elsewhere is put there."""
    try:
        return path.resolve().relative_to(root).as_posix()
    except ValueError:
        return (Path(extra.name) / path.relative_to(extra)).as_posix() if path != extra else path.name


def _check_count(found: Sources) -> None:
    if len(found.files) > _MOST_FILES:
        raise SourcesError(
            f"more than {_MOST_FILES} files would be sent, as {next(reversed(found.files))}: leave data out"
        )
