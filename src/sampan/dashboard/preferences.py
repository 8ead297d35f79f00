"""What users have kept for themselves: saved views, the theme, the namespace. A small JSON file for each user.

Written whole and put in place of the old one, so that a crash leaves one or the other. Not in the database: nothing
else needs it, and a home that is copied takes it along.
"""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path
from typing import Any

import msgspec

from sampan.lib.files import replace_bytes
from sampan.lib.log import get_logger

log = get_logger(__name__)

_MOST_BYTES = 256 * 1024


class PreferencesFullError(Exception):
    """More is kept than fits."""


class Preferences:
    """All users'. For one event loop."""

    def __init__(self, home: Path) -> None:
        self._folder = home / "dashboard"
        self._kept: dict[str, dict[str, Any]] = {}
        self._writing = asyncio.Lock()

    def of(self, user: str) -> dict[str, Any]:
        """Read only. What cannot be read is as if nothing had been kept."""
        if user not in self._kept:
            self._kept[user] = self._read(user)
        return self._kept[user]

    async def keep(self, user: str, key: str, value: Any) -> None:
        """None removes the key. Raises PreferencesFullError, OSError."""
        async with self._writing:
            kept = {**self.of(user), key: value}
            if value is None:
                del kept[key]
            body = msgspec.json.encode(kept)
            if len(body) > _MOST_BYTES:
                raise PreferencesFullError("too many views are saved: remove some first")
            await asyncio.to_thread(self._write, user, body)
            self._kept[user] = kept

    def _file(self, user: str) -> Path:
        # A user's name may hold anything.
        return self._folder / f"{hashlib.sha256(user.encode()).hexdigest()[:32]}.json"

    def _read(self, user: str) -> dict[str, Any]:
        try:
            found = msgspec.json.decode(self._file(user).read_bytes())
        except FileNotFoundError:
            return {}
        except (OSError, msgspec.DecodeError) as error:
            log.warning("a user's preferences cannot be read", file=str(self._file(user)), error=str(error))
            return {}
        return found if isinstance(found, dict) else {}

    def _write(self, user: str, body: bytes) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        replace_bytes(self._file(user), body, durable=True)
