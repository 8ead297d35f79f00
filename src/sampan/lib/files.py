"""Writing small files: cheaply, or whole or not at all. Blocking.

What takes a file's place is written under a name of its own, never one that another thread or process may choose too.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def write_new(path: str, content: bytes, mode: int = 0o644) -> None:
    """By three system calls, since a pod waits for it: `pathlib` and `open` cost several times that."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    try:
        os.write(descriptor, content)
    finally:
        os.close(descriptor)


def replace_text(path: Path, text: str, mode: int = 0o644, *, durable: bool = False) -> None:
    """As `replace_bytes`, in UTF-8."""
    replace_bytes(path, text.encode(), mode, durable=durable)


def replace_bytes(path: Path, content: bytes, mode: int = 0o644, *, durable: bool = False) -> None:
    """Whole or not at all, whoever else writes it at the same time. Other hard links to `path` keep their content.

    `mode` is narrowed by the umask. `durable`: what a power cut leaves is the former content or this one.
    """
    with staged(path) as fresh:
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        with os.fdopen(descriptor, "wb") as out:
            out.write(content)
            if durable:
                out.flush()
                os.fsync(descriptor)


def replace_link(path: Path, target: str) -> None:
    """A symbolic link, at no moment absent for whoever follows it."""
    with staged(path) as fresh:
        fresh.symlink_to(target)


@contextmanager
def staged(path: Path, begins: str = ".") -> Iterator[Path]:
    """A free name beside `path` for what is to take its place, which it does when all went well.

    Not made of the name of `path`, which may be as long as a name can be; `begins`: by what others know it.
    """
    fresh = path.with_name(f"{begins}{secrets.token_hex(8)}")
    try:
        yield fresh
        fresh.replace(path)
    except BaseException:
        with suppress(OSError):
            fresh.unlink()
        raise
