"""Runs uv, and turns its failures into one or two lines for people.

Called by the builder and by the search for interpreters. Knows nothing of images and environments.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path

import uv as uv_package


class UvError(Exception):
    """`reason` is uv's own, shortened to what helps; it ends without a full stop."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Uv:
    """The uv binary that came with Sampan. Safe for concurrent use in one event loop."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = dict(environ)
        self._binary = Path(uv_package.find_uv_bin())

    async def run(
        self, arguments: Sequence[str], environ: Mapping[str, str] | None = None, *, timeout_seconds: float
    ) -> str:
        """What uv prints. Raises UvError; leaves no process behind, also when cancelled."""
        process = await asyncio.create_subprocess_exec(
            self._binary, *arguments,
            env=dict(self._environ if environ is None else environ),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            # Its own group, so that the compilers of a source build end with it.
            start_new_session=True,
        )  # fmt: skip
        try:
            async with asyncio.timeout(timeout_seconds):
                output, errors = await process.communicate()
        except TimeoutError as error:
            raise UvError(f"it took longer than {timeout_seconds:g} seconds") from error
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
        if process.returncode != 0:
            raise UvError(explain(errors.decode(errors="replace"), process.returncode or 1))
        return output.decode(errors="replace")


_FRAME = re.compile(r"^[\s×│├╰─▶]+|\x1b\[[0-9;]*m")
_NOISE = re.compile(
    r"(?:Using (?:C?Python|Python)|Resolved|Prepared|Audited|Checked|Installed|warning:|hint:)", re.I
)
_CREDENTIALS = re.compile(r"(://)[^/\s@]+@")
_MISSING = re.compile(
    r"Because (\S+) was not found in (?:the package registry|the provided package locations)"
)
_MISSING_VERSION = re.compile(r"[Bb]ecause there (?:is|are) no versions? of (\S+?)(?: and|,| we|$)")
_OFFLINE = re.compile(
    r"not found in the cache|need to be downloaded|network was disabled|connectivity is disabled", re.I
)
_NETWORK = re.compile(
    r"dns error|error sending request|client error \(Connect\)|connection refused|timed out", re.I
)
_MAX_REASON = 500


def explain(errors: str, status: int) -> str:
    """The reason in uv's error output. Pure."""
    lines = [
        line
        for raw in errors.splitlines()
        if (line := _FRAME.sub("", raw).strip()) and not _NOISE.match(line)
    ]
    text = _CREDENTIALS.sub(r"\1", " ".join(lines)).removeprefix("error: ").strip()
    if "No space left on device" in text or "os error 28" in text:
        return "the disk is full: free some space, then try again"
    # uv says it in a hint, which is left out of the text.
    if _OFFLINE.search(errors):
        return _shortened(f"the network is switched off and the cache lacks something: {_cause(text)}")
    if match := _MISSING.search(text):
        return (
            f'the package "{match[1]}" does not exist in the package index: check its spelling and the index'
        )
    if match := _MISSING_VERSION.search(text):
        return _shortened(f"there is no version {match[1]} for this Python and machine: {_cause(text)}")
    if _NETWORK.search(text):
        return _shortened(f"the package index cannot be reached: {_cause(text)}")
    return _shortened(_cause(text)) if text else f"uv ended with status {status}"


def _cause(text: str) -> str:
    for start in (
        "No solution found when resolving dependencies:",
        "No solution found when resolving dependencies",
    ):
        text = text.removeprefix(start).strip()
    return text.removeprefix("cause: ").rstrip(".")


def _shortened(text: str) -> str:
    return text if len(text) <= _MAX_REASON else text[: _MAX_REASON - 1] + "…"
