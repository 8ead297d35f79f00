"""What a forked child does before its program: the life of a container up to its first instruction.

Runs between fork and exec (or the Python program of `program`), in the order in which each step still has the
rights that it needs. Nothing here returns to the launcher's loop.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import resource
import signal
import socket
import termios
from typing import Any

from . import identity, mounts, supervision
from .libc import PR_SET_PDEATHSIG, prctl

# What a shell, and a container runtime, answer for a command that is missing or cannot be executed.
EXIT_NOT_FOUND = 127
EXIT_NOT_EXECUTABLE = 126
EXIT_NOT_STARTED = 128
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class StartError(Exception):
    """The container cannot start. `exit_code` is what its status will say."""

    def __init__(self, message: str, exit_code: int = EXIT_NOT_STARTED) -> None:
        super().__init__(message)
        self.message = message
        self.exit_code = exit_code


class Plan:
    """All that the child needs, settled before the fork.

    `stdio` are its first three descriptors, -1 for none; one terminal three times where `spec` has `tty`.
    """

    def __init__(
        self,
        spec: dict[str, Any],
        env: dict[str, str],
        stdio: tuple[int, ...],
        report: int,
        nofile: tuple[int, int],
        channel: socket.socket | None = None,
    ) -> None:
        self.spec = spec
        self.env = env
        self.stdio = stdio
        self.report = report
        self.nofile = nofile
        self.channel = channel
        """To the launcher, for the descriptor at which it answers for the sockets."""


def set_up(plan: Plan) -> None:
    """Makes the child a container. Raises StartError, or OSError with a text that says what failed."""
    spec = plan.spec
    os.setsid()
    # If the launcher dies its children go with it: nobody would be left to record how they ended.
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    _stdio(plan.stdio, bool(spec.get("tty")))
    for procs in spec.get("cgroup_procs", ()):
        _write(procs, "0")
    _limits(spec, plan.nofile)
    for folder in spec.get("folders", ()):
        os.makedirs(folder, exist_ok=True)
    if "join" in spec:
        _join(spec)
    else:
        _new_view(spec)
    _working_directory(spec["cwd"])
    os.umask(spec.get("umask", 0o022))


def _new_view(spec: dict[str, Any]) -> None:
    tmp, overlay, last_words = spec.get("tmp"), spec.get("overlay"), spec.get("termination")
    if tmp or overlay or last_words or spec.get("mounts"):
        try:
            mounts.enter_namespace()
            if overlay and spec.get("program") is None:
                # First, so that every later mount above it shows it. A forked program does it when need be.
                mounts.overlay(*overlay)
            view = mounts.View(spec["scratch"], spec.get("devices", ""))
            view.build(spec.get("mounts", []), tmp, spec.get("visible", []))
            if last_words and spec.get("program") is None:
                mounts.show_termination_log(view, last_words)
        except OSError as error:
            raise StartError(f"volumes cannot be mounted: {error}") from None
    if spec.get("hostname"):
        identity.take(spec["hostname"])


def _join(spec: dict[str, Any]) -> None:
    """The view of a container that runs: `spec` is of a command in it."""
    try:
        mounts.join(spec["join"])
    except OSError as error:
        raise StartError(f"the container's files cannot be reached: {error}") from None
    if spec.get("overlay"):
        # A forked program has put this off until it starts another process; here one comes.
        mounts.overlay(*spec["overlay"])


def lead_sockets(plan: Plan) -> None:
    """The last step: what asks the launcher now must not be waited for by it. Raises StartError."""
    if plan.channel is None:
        return
    try:
        supervision.guard(plan.channel)
    except OSError as error:
        raise StartError(f"the pod's network cannot be set up: {error}") from None


def execute(plan: Plan) -> None:
    """Replaces the child by the spec's command. Never returns."""
    try:
        set_up(plan)
        # Python ignores these two; a program expects them as the kernel sets them.
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        lead_sockets(plan)
        _exec(list(plan.spec["argv"]), plan.env)
    except BaseException as error:
        report_failure(plan.report, error)


def report_failure(report: int, error: BaseException) -> None:
    """Tells the launcher why nothing runs, and ends. Never returns."""
    code = error.exit_code if isinstance(error, StartError) else EXIT_NOT_STARTED
    text = error.message if isinstance(error, StartError) else str(error)
    try:
        os.write(report, json.dumps({"exit_code": code, "message": text}).encode()[:4000])
    finally:
        os._exit(code)


def reset_signals() -> None:
    """As they are in a fresh interpreter, whatever the launcher had set."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _stdio(stdio: tuple[int, ...], tty: bool) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    for number, descriptor in enumerate(stdio):
        os.dup2(null if descriptor < 0 else descriptor, number)
    if null > 2:
        os.close(null)
    if tty:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def _limits(spec: dict[str, Any], nofile: tuple[int, int]) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, nofile)
    for name, values in spec.get("rlimits", {}).items():
        resource.setrlimit(getattr(resource, name), (values[0], values[1]))
    if "oom_score_adj" in spec:
        # Only a wish: where it is refused, the machine chooses its victim without it.
        with contextlib.suppress(OSError):
            _write("/proc/self/oom_score_adj", str(spec["oom_score_adj"]))


def _working_directory(path: str) -> None:
    try:
        os.makedirs(path, exist_ok=True)
        os.chdir(path)
    except OSError as error:
        raise StartError(f"working directory {path}: {os.strerror(error.errno or 0)}") from None


def _exec(argv: list[str], env: dict[str, str]) -> None:
    command = argv[0]
    if "/" in command:
        candidates = [command]
    else:
        folders = env.get("PATH", DEFAULT_PATH).split(":")
        candidates = [os.path.join(folder or ".", command) for folder in folders]
    failure = errno.ENOENT
    for path in candidates:
        try:
            os.execve(path, argv, env)  # noqa: S606
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ENOTDIR):
                failure = error.errno or failure
                if error.errno != errno.EACCES:
                    break
    raise StartError(_exec_message(command, failure), _exec_code(failure))


def _exec_code(failure: int) -> int:
    return EXIT_NOT_FOUND if failure == errno.ENOENT else EXIT_NOT_EXECUTABLE


def _exec_message(command: str, failure: int) -> str:
    quoted = json.dumps(command)
    if failure == errno.ENOENT:
        if "/" in command:
            return f"exec: {quoted}: stat {command}: no such file or directory"
        return f"exec: {quoted}: executable file not found in $PATH"
    return f"exec: {quoted}: {os.strerror(failure).lower()}"


def _write(path: str, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)
