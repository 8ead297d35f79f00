"""What a worker's pod runs: calls of light components, one after the other, each as the SDK's executor makes it.

Sent as the source of a lightweight component (`marking.worker_pod`), so it stands alone: standard library, the kfp SDK
of the pod's image, any Python since 3.8. It connects to the socket of `crews` and gets a JSON object a line:

    {"id": 1, "source": "…", "argv": ["--executor_input", …], "log": PATH}
    -> {"id": 1, "exit_code": 0, "started": SECONDS, "finished": SECONDS}

The end of the connection is the end of the process, whatever runs: a call is never continued without its engine.
"""

import contextlib
import hashlib
import json
import logging
import mmap
import os
import queue
import re
import runpy
import selectors
import socket
import struct
import sys
import tempfile
import threading
import time
import uuid
from typing import Any

# Without the character itself: this text is a word of a command too.
_REFERENCE = re.compile(r"\x24(?:\x24|\(([^)]*)\))")
MAX_RECORD = 16 * 1024
_STATE = struct.Struct("<Q")
_TAKEN = 64 * 1024
HELD_BYTES = _STATE.size + MAX_RECORD + _TAKEN
"""Of the file beside each pipe: see `_Held`."""


def serve(address: str) -> None:
    """The component's function: `address` is the socket."""
    _Worker(address).run()


class _Worker:
    def __init__(self, address: str) -> None:
        folder = os.open(os.path.dirname(address), os.O_PATH | os.O_DIRECTORY)
        self._socket = socket.socket(socket.AF_UNIX)
        # By way of an open folder, because a socket's path may have 107 bytes only.
        self._socket.connect(f"/proc/self/fd/{folder}/{os.path.basename(address)}")
        os.close(folder)
        self._calls: Any = queue.SimpleQueue()
        self._output = _Output(address)
        self._folder = tempfile.mkdtemp()
        self._main: Any = sys.modules["__main__"]
        spec: Any = self._main.__spec__
        self._module = str(spec.name)

    def run(self) -> None:
        threading.Thread(target=self._listen, name="light-listener", daemon=True).start()
        while True:
            call = self._calls.get()
            self._socket.sendall(json.dumps(self._perform(call)).encode() + b"\n")

    def _listen(self) -> None:
        with self._socket.makefile("rb") as lines:
            for line in lines:
                self._calls.put(json.loads(line))
        os._exit(143)

    def _perform(self, call: Any) -> Any:
        self._output.begin(call["log"])
        state = _State()
        started = time.time()
        try:
            code = self._execute(call)
            _join_threads(state.threads)
        finally:
            finished = time.time()
            _flush()
            state.restore()
            self._output.end()
        return {"id": call["id"], "exit_code": code, "started": started, "finished": finished}

    def _execute(self, call: Any) -> int:
        """As `python -m kfp.dsl.executor_main ARGV` ends, as an exit code."""
        sys.modules["__main__"] = self._main
        sys.modules.pop(self._module, None)
        source, *argv = (_expanded(text) for text in (call["source"], *call["argv"]))
        sys.argv = ["-m", "--component_module_path", self._source(source), *argv]
        try:
            # What the interpreter itself calls for -m: the same frames, the same texts.
            runpy._run_module_as_main(self._module)  # type: ignore[attr-defined]
        except SystemExit as end:
            if end.code is None or isinstance(end.code, int):
                return (end.code or 0) & 0xFF
            print(end.code, file=sys.stderr)
            return 1
        except BaseException as error:
            own = error.__traceback__ and error.__traceback__.tb_next
            sys.excepthook(type(error), error.with_traceback(own), own)
            return 1
        return 0

    def _source(self, text: str) -> str:
        """The component's file. Its module is executed anew in each call; compiling it is what is saved."""
        folder = os.path.join(
            self._folder, hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]
        )
        path = os.path.join(folder, "ephemeral_component.py")
        if not os.path.exists(path):
            os.makedirs(folder, exist_ok=True)
            with open(path, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
                file.write(text)
        return path


class _State:
    """What a program may change of its process and expects to find as it was."""

    def __init__(self) -> None:
        self._environ = dict(os.environ)
        self._path = list(sys.path)
        self._folder = os.getcwd()
        self._umask = os.umask(0o022)
        os.umask(self._umask)
        self._streams = sys.stdin, sys.stdout, sys.stderr
        self._hooks = sys.excepthook, sys.displayhook
        self.threads = set(threading.enumerate())
        _forget_logging()

    def restore(self) -> None:
        if dict(os.environ) != self._environ:
            os.environ.clear()
            os.environ.update(self._environ)
        sys.path[:] = self._path
        os.chdir(self._folder)
        os.umask(self._umask)
        sys.stdin, sys.stdout, sys.stderr = self._streams
        sys.excepthook, sys.displayhook = self._hooks
        sys.modules.pop("ephemeral_component", None)
        _forget_logging()


class _Output:
    """The output of the process, and of what it starts, on its way into the log of the call that runs.

    It goes through named pipes that the engine holds open too: what is in them when this process is killed is not lost,
    nor is what was taken out of them and is not in the log yet.
    """

    def __init__(self, address: str) -> None:
        self._own = {number: os.dup(number) for number in (1, 2)}
        self._pipes: Any = {}
        self._selector = selectors.DefaultSelector()
        for number, name in ((1, b"stdout"), (2, b"stderr")):
            path = f"{address}.{name.decode()}"
            reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            self._pipes[number] = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
            held = _Held(f"{path}.held")
            self._selector.register(reader, selectors.EVENT_READ, (name, number, held))
        self._file = -1
        self._marks: Any = {}
        threading.Thread(target=self._copy, name="light-output", daemon=True).start()

    def begin(self, path: str) -> None:
        """From here on, output belongs to the log at `path`."""
        os.makedirs(os.path.dirname(path), exist_ok=True)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        self._file = os.open(path, flags, 0o640)
        for number, pipe in self._pipes.items():
            os.dup2(pipe, number)

    def end(self) -> None:
        """Returns when everything that was put out is in the log."""
        for number, own in self._own.items():
            os.dup2(own, number)
        mark = b"\0" + uuid.uuid4().bytes + b"\0"
        waits = {number: threading.Event() for number in self._pipes}
        self._marks = {number: (mark, wait) for number, wait in waits.items()}
        for number, pipe in self._pipes.items():
            os.write(pipe, mark)
            waits[number].wait()
        os.close(self._file)

    def _copy(self) -> None:
        while True:
            for key, _ in self._selector.select():
                name, number, held = key.data
                data = held.take(key.fd)
                mark, wait = self._marks.get(number, (b"", None))
                if mark and mark in data:
                    data, _, late = data.partition(mark)
                    self._write(name, data, held, is_end=True)
                    held.keep(b"")
                    del self._marks[number]
                    if late:
                        os.write(self._own[number], late)
                    wait.set()
                elif data:
                    held.keep(self._write(name, data, held))

    def _write(self, stream: bytes, data: bytes, held: Any, *, is_end: bool = False) -> bytes:
        """Whole lines into the log; what is left of the last one."""
        *lines, rest = data.split(b"\n")
        head = _head(stream)
        records = []
        for line in lines:
            *parts, last = _pieces(line)
            records += [head + b"P " + part + b"\n" for part in parts]
            records.append(head + b"F " + last + b"\n")
        *parts, rest = _pieces(rest)
        if is_end and rest:
            parts, rest = [*parts, rest], b""
        records += [head + b"P " + part + b"\n" for part in parts]
        if records:
            self._put(b"".join(records), held)
        return rest

    def _put(self, data: bytes, held: Any) -> None:
        # A full disk loses a line, not the step.
        with contextlib.suppress(OSError):
            held.is_written(os.fstat(self._file).st_size)
            while data:
                data = data[os.write(self._file, data) :]


class _Held:
    """What was taken out of a pipe and is not in the log yet: in a file, for the engine, should this process be killed.

    Its first eight bytes are 0, or, while lines are written into the log, one more than the bytes that it had before.
    """

    def __init__(self, path: str) -> None:
        try:
            with open(path, "r+b") as file:
                self._map = memoryview(mmap.mmap(file.fileno(), HELD_BYTES))
        except OSError:
            # There was no room for the file: the step runs all the same.
            self._map = memoryview(bytearray(HELD_BYTES))
        self._size = 0

    def take(self, pipe: int) -> bytes:
        """All that is held, with what is in the pipe: this goes from there to here in one step of the kernel's."""
        begin = _STATE.size + self._size
        self._size += os.readv(pipe, [self._map[begin : begin + _TAKEN]])
        return bytes(self._map[_STATE.size : _STATE.size + self._size])

    def is_written(self, log_bytes: int) -> None:
        _STATE.pack_into(self._map, 0, log_bytes + 1)

    def keep(self, rest: bytes) -> None:
        """What is not in the log of what was held."""
        self._map[_STATE.size : _STATE.size + self._size] = rest.ljust(self._size, b"\0")
        self._size = len(rest)
        _STATE.pack_into(self._map, 0, 0)


def left(held: bytes, log_bytes: int) -> bytes:
    """For the engine: what of a dead worker's file is not in its log, which has so many bytes."""
    (state,) = _STATE.unpack_from(held)
    text = held[_STATE.size :].rstrip(b"\0")
    # Its whole lines were written, and what of it is kept was not said yet.
    return text.rpartition(b"\n")[2] if state and log_bytes >= state else text


def _pieces(line: bytes) -> Any:
    return [line[at : at + MAX_RECORD] for at in range(0, max(len(line), 1), MAX_RECORD)]


def _expanded(text: str) -> str:
    """As Kubernetes does to the words of a command: references to variables, and doubled dollars."""
    return _REFERENCE.sub(lambda found: _value(found[1], found[0]), text)


def _value(name: Any, reference: str) -> str:
    return "\x24" if name is None else os.environ.get(name, reference)


def _head(stream: bytes) -> bytes:
    seconds, rest = divmod(time.time_ns(), 1000000000)
    moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return f"{moment}.{rest:09d}Z ".encode() + stream + b" "


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        # A program may have closed it.
        with contextlib.suppress(Exception):
            stream.flush()


def _forget_logging() -> None:
    """As it is before a program sets it up."""
    root = logging.getLogger()
    for handler in list(root.handlers):
        root.removeHandler(handler)
    root.setLevel(logging.WARNING)


def _join_threads(before: Any) -> None:
    """As an interpreter does at its end: threads that are no daemons are waited for."""
    for thread in threading.enumerate():
        if thread not in before and not thread.daemon and thread is not threading.current_thread():
            thread.join()
