"""A function's call as files, and what became of it as a value or an exception. No cluster here.

What comes back is unpickled in the process that sent the call, and never in a server. Whoever can write into the job's
pods could send anything back: they run the user's code anyway.
"""

from __future__ import annotations

import base64
import json
import pickle
import sys
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sampan.components.training.sdk.runner import MARK, MOST_OUTCOME_BYTES, RUNNER
from sampan.sent.functions import pickled, pickler_files
from sampan.sent.sources import SourcesError, archive_of

MOST_CALL_BYTES = 8 * 1024 * 1024


class RemoteError(Exception):
    """A call that failed where it ran, and not with an exception that can be raised here as it was."""

    def __init__(self, message: str, trace: str = "") -> None:
        super().__init__(message)
        self.trace = trace
        """The traceback there, as text."""


class _ThereError(Exception):
    """The cause of what is raised here: what the traceback was there."""

    def __init__(self, trace: str) -> None:
        super().__init__(f"\n{trace}")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a pod has said of its call."""

    content: Mapping[str, Any]

    def value(self) -> Any:
        """What was returned. Raises what was raised there, or RemoteError."""
        if "kind" not in self.content:
            return self.content.get("value")
        trace = str(self.content.get("trace") or "")
        raised = self._raised()
        if raised is not None:
            raise raised from _ThereError(trace)
        message = f"{self.content['kind']}: {self.content.get('message')}"
        raise RemoteError(message, trace) from (_ThereError(trace) if trace else None)

    def _raised(self) -> BaseException | None:
        pickled = self.content.get("error")
        if not pickled:
            return None
        try:
            found = pickle.loads(pickled)  # noqa: S301  (see above)
        except Exception:
            # Its class is not here, or cannot be made from its arguments.
            return None
        # One that ends this program by itself is not to be raised here.
        return found if isinstance(found, Exception) else None


def pack(function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bytes:
    """The archive of a call. Raises SourcesError for what cannot be sent."""
    data = pickled((function, args, dict(kwargs)))
    if len(data) > MOST_CALL_BYTES:
        raise SourcesError(
            f"the call is too large ({len(data) / 2**20:.1f} MiB with its arguments and what it closes over, at "
            f"most {MOST_CALL_BYTES >> 20} MiB): put data into a file or an object store, and pass where it is"
        )
    wanted = {"python": f"{sys.version_info.major}.{sys.version_info.minor}"}
    return archive_of({**_program(), "call.pkl": data, "call.json": json.dumps(wanted).encode()})


def pack_notebook(
    notebook: Path, parameters: Mapping[str, Any], kernel: str, extra: Mapping[str, Path]
) -> bytes:
    """The archive of a notebook that is to be run; `extra` lies beside it. Raises SourcesError."""
    try:
        wanted = json.dumps({"notebook": notebook.name, "parameters": dict(parameters), "kernel": kernel})
    except (TypeError, ValueError) as error:
        raise SourcesError(f"parameters of a notebook must be JSON: {error}") from error
    try:
        files = {name: path.read_bytes() for name, path in {**extra, notebook.name: notebook}.items()}
    except OSError as error:
        raise SourcesError(f"{error.filename} cannot be read: {error.strerror}") from error
    return archive_of({**files, **_program(), "call.json": wanted.encode()})


def outcome_of_message(message: str) -> Outcome | None:
    """Of a container's termination message; None where that holds none."""
    mark, colon, text = message.partition(":")
    return _read(text) if colon and mark == MARK else None


def outcome_of_log(lines: Iterable[str]) -> Outcome | None:
    """Of the log, where the last outcome counts; None where it has none, or not all of one."""
    parts: dict[int, str] = {}
    count, size = 0, 0
    for line in lines:
        if not line.startswith(f"{MARK} "):
            continue
        _, place, text = (*line.split(" ", 2), "", "")[:3]
        number, _, of = place.partition("/")
        if not (number.isdigit() and of.isdigit()):
            continue
        if number == "1":
            parts, count, size = {}, int(of), 0
        size += len(text)
        if size > 2 * MOST_OUTCOME_BYTES:
            return None
        parts[int(number)] = text
    if not count or len(parts) != count:
        return None
    return _read("".join(parts[number] for number in sorted(parts)))


def is_outcome(line: str) -> bool:
    """Whether a line of the log is no word of the user's program."""
    return line.startswith(f"{MARK} ")


def _read(text: str) -> Outcome | None:
    try:
        data = zlib.decompressobj().decompress(base64.b64decode(text), 512 * 1024 * 1024)
        found = pickle.loads(data)  # noqa: S301  (see above)
    except Exception as error:
        return Outcome(
            {
                "kind": type(error).__name__,
                "message": f"what came back cannot be read here: {error}",
                "trace": "",
            }
        )
    return Outcome(found) if isinstance(found, dict) else None


def _program() -> dict[str, bytes]:
    """What calls the function there, with the cloudpickle that it was packed with."""
    return {"run.py": RUNNER.encode(), **pickler_files()}
