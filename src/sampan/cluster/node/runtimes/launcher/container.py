"""A running container as its launcher knows it: the process, its pipes and log, how it ended."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from typing import Any

from .attachments import Attachment
from .crilog import CriLog, timestamp

READ_BYTES = 64 * 1024


class Container:
    """`streams` maps the read ends of the pipes that are still open to the names of the streams."""

    def __init__(
        self, spec: dict[str, Any], env: dict[str, str], pid: int, streams: dict[int, str], log: CriLog
    ) -> None:
        self.id: str = spec["id"]
        self.pid = pid
        self.streams = streams
        self.env = env
        self.stdin = -1
        """Where what is typed goes: the writing end of a pipe, or the terminal's master. -1 for none."""
        self.attachments: list[Attachment] = []
        self.view = 0
        """The mount namespace that it has to itself; 0 for none."""
        self.started_at = timestamp(time.time_ns())
        self.oom = False
        self.status: int | None = None
        self.failure: dict[str, Any] | None = None
        self.drain_until = 0.0
        self._ended_at = ""
        self._asked_to_end = 0
        self._lingers = False
        self.spec = self._spec = spec
        self._log = log

    @property
    def mark(self) -> bytes:
        """What every process of the pod has in its environment: so a daemon that left the session is known."""
        return str(self._spec.get("mark", "")).encode()

    def read(self, stream: int) -> bool:
        """Takes what the container wrote. False when the stream is at its end."""
        try:
            data = os.read(stream, READ_BYTES)
        except BlockingIOError:
            return True
        except OSError:
            # So a terminal says that its other side is closed.
            data = b""
        if not data:
            return False
        self._log.feed(self.streams[stream], data)
        for attachment in self.attachments:
            attachment.feed(self.streams[stream], data, time.monotonic())
        return True

    def end_stream(self, stream: int) -> None:
        self._log.end(self.streams.pop(stream))
        if stream == self.stdin:
            self.stdin = -1
        os.close(stream)

    def is_held(self) -> bool:
        """Whether one who listens has not taken yet what was read: then nothing more is read."""
        return any(attachment.held_since for attachment in self.attachments)

    def end_stdin(self) -> None:
        """The program reads its end. A terminal has none."""
        if self.stdin >= 0 and self.stdin not in self.streams:
            os.close(self.stdin)
            self.stdin = -1

    def signal(self, number: int) -> None:
        """To the whole process group; to the process alone in the instant before the group exists."""
        if self.status is not None:
            if self.lingers():
                os.killpg(self.pid, number)
            return
        self._asked_to_end = number
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:
            os.kill(self.pid, number)
        except PermissionError:
            # A set-user-id member of the group; the others have got it.
            pass

    def ended(self, status: int) -> None:
        """Its process was reaped with `status`. What it left in its group goes with it.

        Unless it died of the request to end alone, as a shell does: that has been sent to the program below it too,
        which is left its time. In a container of its own the first process would not have died of it.
        """
        self.status = status
        self._ended_at = timestamp(time.time_ns())
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) == self._asked_to_end != signal.SIGKILL:
            self._lingers = True
            return
        # As a rule nothing is left.
        with contextlib.suppress(OSError):
            os.killpg(self.pid, signal.SIGKILL)

    def lingers(self) -> bool:
        """Whether others of its group still take their leave."""
        if self._lingers:
            try:
                os.killpg(self.pid, 0)
            except ProcessLookupError:
                self._lingers = False
                self._ended_at = timestamp(time.time_ns())
        return self._lingers

    def close(self) -> dict[str, Any]:
        """Ends the log, then writes the exit file: who sees the exit may read the whole log."""
        self.end_stdin()
        for attachment in self.attachments:
            attachment.close()
        self._log.feed("stderr", self._last_words())
        self._log.end("stderr")
        self._log.close()
        self.oom = self.oom or self._killed_for_memory()
        return self._exit()

    def write_exit(self, exit_record: dict[str, Any]) -> bool:
        """False when the disk does not take it: to be tried again."""
        path = self._spec["exit"]
        try:
            with open(path + ".tmp", "w") as file:
                json.dump(exit_record, file)
            os.replace(path + ".tmp", path)
        except FileNotFoundError:
            return True  # The pod's folder is gone, and with it who would read this.
        except OSError:
            return False
        return True

    def write_started(self) -> None:
        """Says on disk that the container has run, so that nobody runs it again."""
        try:
            with open(self._spec["started"], "w") as file:
                json.dump({"pid": self.pid, "started_at": self.started_at}, file)
        except OSError:
            # A full disk: then the launcher's own memory, and later the exit file, must do.
            pass

    def remove_cgroups(self) -> None:
        for folder in self._spec.get("cgroups", ()):
            # Refused while a process of it is not gone yet; the server sweeps what is left.
            with contextlib.suppress(OSError):
                os.rmdir(folder)

    def _last_words(self) -> bytes:
        """What the shell that a forked program stands for would say of its death, if it outlived it.

        Source: dash, src/jobs.c, sprint_status.
        """
        status = self.status or 0
        has_shell = (self._spec.get("program") or {}).get("shell")
        if not has_shell or not os.WIFSIGNALED(status) or self._asked_to_end or self.failure is not None:
            return b""
        number = os.WTERMSIG(status)
        if number in (signal.SIGINT, signal.SIGPIPE):
            return b""
        dumped = " (core dumped)" if os.WCOREDUMP(status) else ""
        return f"{signal.strsignal(number)}{dumped}\n".encode()

    def _exit(self) -> dict[str, Any]:
        status = self.status or 0
        number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        code = 128 + number if number else os.WEXITSTATUS(status)
        reason, message = "", ""
        if self.failure is not None:
            code, number = int(self.failure["exit_code"]), 0
            reason, message = "StartError", str(self.failure["message"])
        return {
            "id": self.id,
            "exit_code": code,
            "signal": number,
            "oom": self.oom,
            "reason": reason,
            "message": message,
            "started_at": self.started_at,
            "finished_at": self._ended_at,
        }

    def _killed_for_memory(self) -> bool:
        path = self._spec.get("oom_events")
        if not path:
            return False
        try:
            with open(path) as file:
                fields = dict(line.split(None, 1) for line in file if " " in line)
        except (OSError, ValueError):
            return False
        return int(fields.get("oom_kill", "0")) > 0
