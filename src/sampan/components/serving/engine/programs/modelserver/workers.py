"""Several processes behind one port: started, watched, replaced when they die, asked together. Called by `program`.

All accept from one socket, so what waits in its queue is lost with none of them. Models are loaded in each, for they
must be made where they predict. This process loads none, and has no event loop.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import sys
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from sampan.components.serving.engine.programs.modelserver import serving
from sampan.components.serving.engine.programs.modelserver.arguments import Arguments
from sampan.components.serving.engine.programs.modelserver.contract import LoadError
from sampan.components.serving.engine.programs.modelserver.serving import Above, Prepare

EXIT_NOT_LOADED = 1
_MAX_WAIT_SECONDS = 5.0


@dataclass(slots=True)
class _Worker:
    pid: int
    channel: socket.socket
    received: bytes = b""
    is_ready: bool = False


@dataclass(slots=True)
class _Question:
    """Asked by one, answered by the others."""

    asker: int
    number: int
    waits_for: set[int]
    answers: list[Any] = field(default_factory=list)


def run(arguments: Arguments, listeners: Sequence[socket.socket], prepare: Prepare) -> int:
    """Until a signal ends it; the exit code."""
    return _Supervisor(arguments, listeners, prepare).run()


class _Supervisor:
    def __init__(self, arguments: Arguments, listeners: Sequence[socket.socket], prepare: Prepare) -> None:
        self._arguments = arguments
        self._listeners = listeners
        self._prepare = prepare
        self._workers: dict[int, _Worker] = {}
        self._questions: dict[int, _Question] = {}
        self._asked = 0
        self._loaded: dict[str, bool] = {}
        """What was loaded (True) or unloaded since the start, in the order of it."""
        self._failures = 0
        self._start_at = 0.0
        self._was_ready = False
        self._is_ending = False
        self._selector = selectors.DefaultSelector()
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def run(self) -> int:
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
            signal.signal(number, self._signalled)
        self._selector.register(self._wake_read, selectors.EVENT_READ, None)
        while not self._is_ending:
            missing = self._arguments.workers - len(self._workers)
            if missing > 0 and time.monotonic() >= self._start_at:
                self._start()
                continue
            for key, _ in self._selector.select(
                max(0.0, self._start_at - time.monotonic()) if missing else None
            ):
                if key.data is None:
                    with contextlib.suppress(BlockingIOError):
                        os.read(self._wake_read, 4096)
                else:
                    self._read(key.data)
            self._reap()
            if self._failures and not self._was_ready:
                self._is_ending = True
                self._end()
                return EXIT_NOT_LOADED
        self._end()
        return 0

    def _signalled(self, number: int, frame: Any) -> None:
        if number != signal.SIGCHLD:
            self._is_ending = True

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        pid = os.fork()
        if pid == 0:
            os._exit(self._work(ours, theirs))
        theirs.close()
        worker = _Worker(pid, ours)
        self._workers[pid] = worker
        self._selector.register(ours, selectors.EVENT_READ, worker)

    def _work(self, ours: socket.socket, theirs: socket.socket) -> int:
        """In the child; its exit code."""
        code = EXIT_NOT_LOADED
        try:
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
                signal.signal(number, signal.SIG_DFL)
            ours.close()
            for worker in self._workers.values():
                worker.channel.close()
            repository = self._prepare()
            above = Above(
                theirs.detach(),
                tuple(name for name, is_loaded in self._loaded.items() if is_loaded),
                tuple(name for name, is_loaded in self._loaded.items() if not is_loaded),
            )
            serving.run(self._arguments, self._listeners, repository, above)
            code = 0
        except LoadError as error:
            name = self._arguments.model_name
            print(f"model {name} could not be loaded: {error}", file=sys.stderr, flush=True)
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
        return code

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            worker = self._workers.pop(pid, None)
            if worker is None:
                continue
            with contextlib.suppress(KeyError):
                self._selector.unregister(worker.channel)
            worker.channel.close()
            self._forget(pid)
            if self._is_ending:
                continue
            print(f"worker {pid} ended with {_named(status)}: replaced", file=sys.stderr, flush=True)
            if not worker.is_ready:
                self._failures += 1
                wait = min(_MAX_WAIT_SECONDS, 0.1 * 2 ** min(self._failures, 10))
                self._start_at = time.monotonic() + wait

    def _end(self) -> None:
        """Each finishes what it is at; who does not in time is killed."""
        until = time.monotonic() + self._arguments.grace_seconds + 1.0
        self._signal(signal.SIGTERM)
        for worker in self._workers.values():
            # What they still say is nobody's business, and would keep this process from sleeping.
            with contextlib.suppress(KeyError):
                self._selector.unregister(worker.channel)
        while self._workers and time.monotonic() < until:
            self._selector.select(0.05)
            with contextlib.suppress(BlockingIOError):
                os.read(self._wake_read, 4096)
            self._reap()
        self._signal(signal.SIGKILL)

    def _signal(self, number: int) -> None:
        for pid in self._workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    # What they say

    def _read(self, worker: _Worker) -> None:
        try:
            data = worker.channel.recv(256 * 1024)
        except OSError:
            data = b""
        if not data:
            # It is gone, or about to be, which its exit will tell.
            self._selector.unregister(worker.channel)
            return
        *lines, worker.received = (worker.received + data).split(b"\n")
        for line in lines:
            self._heard(worker, orjson.loads(line))

    def _heard(self, worker: _Worker, message: dict[str, Any]) -> None:
        if "ready" in message:
            worker.is_ready = self._was_ready = True
            self._failures = 0
        elif "answer" in message:
            self._answered(worker.pid, message["number"], message["answer"])
        else:
            self._asked += 1
            others = {pid for pid, each in self._workers.items() if each is not worker and each.is_ready}
            self._questions[self._asked] = _Question(worker.pid, message["number"], set(others))
            if message["do"] in ("load", "unload"):
                self._loaded.pop(message["name"], None)
                self._loaded[message["name"]] = message["do"] == "load"
                # One that is being started hears of it once it is: it knows what was loaded before it.
                others |= self._workers.keys() - {worker.pid}
            for pid in others:
                self._say(pid, {**message, "number": self._asked})
            self._settle(self._asked)

    def _answered(self, pid: int, number: int, answer: Any) -> None:
        question = self._questions.get(number)
        if question is not None:
            question.waits_for.discard(pid)
            question.answers.append(answer)
            self._settle(number)

    def _forget(self, pid: int) -> None:
        for number, question in list(self._questions.items()):
            question.waits_for.discard(pid)
            self._settle(number)

    def _settle(self, number: int) -> None:
        question = self._questions[number]
        if not question.waits_for:
            del self._questions[number]
            self._say(question.asker, {"number": question.number, "answer": question.answers})

    def _say(self, pid: int, message: dict[str, Any]) -> None:
        worker = self._workers.get(pid)
        if worker is not None:
            with contextlib.suppress(OSError):
                worker.channel.sendall(orjson.dumps(message) + b"\n")


def _named(status: int) -> str:
    if os.WIFSIGNALED(status):
        return f"signal {os.WTERMSIG(status)}"
    return f"exit code {os.WEXITSTATUS(status)}"
