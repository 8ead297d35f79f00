"""Writing small files: cheaply, or atomically. Blocking; knows nothing of environments."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def write_new(path: str, content: bytes, mode: int = 0o644) -> None:
    """By three system calls, since a pod waits for it: `pathlib` and `open` cost several times that."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    try:
        os.write(descriptor, content)
    finally:
        os.close(descriptor)


def replace_text(path: Path, text: str, mode: int = 0o644) -> None:
    """As `replace_bytes`, in UTF-8."""
    replace_bytes(path, text.encode(), mode)


def replace_bytes(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Whole or not at all, whoever else writes it at the same time. Other hard links to `path` keep their content."""
    staged = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        write_new(os.fspath(staged), content, mode)
        staged.replace(path)
    except OSError:
        staged.unlink(missing_ok=True)
        raise
