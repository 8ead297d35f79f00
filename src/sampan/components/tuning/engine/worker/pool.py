"""The server's side of the tuning worker: starts the template, a session for each experiment, and ends what is idle.

Called by `engine/builtin.py`. Nothing is started before the first question.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

import sampan
from sampan.components.tuning.api.suggesting import SuggestingError, TrialRecord
from sampan.components.tuning.engine.worker import messages
from sampan.components.tuning.engine.worker.messages import Kill, Reply, Request, Start
from sampan.components.tuning.engine.worker.session import Session
from sampan.lib.log import get_logger

log = get_logger(__name__)

_WORKER = "sampan.components.tuning.engine.worker"
IDLE_SECONDS = 60.0
ANSWER_SECONDS = 300.0
"""After which a process that has not answered is taken for hung. A Gaussian process over a thousand trials takes tens
of seconds on a busy machine."""
_ENDING_SECONDS = 10.0
"""For the template to say how a process ended, whose socket has closed already."""
MOST_PROCESSES = 24
"""At a time: above it, those longest idle end early. Each costs a few MiB of its own."""


class Pool:
    """For one event loop. `close` ends every process."""

    def __init__(
        self,
        *,
        answer_seconds: float = ANSWER_SECONDS,
        idle_seconds: float = IDLE_SECONDS,
        most: int = MOST_PROCESSES,
    ) -> None:
        self._answer_seconds = answer_seconds
        self._idle_seconds = idle_seconds
        self._most = most
        self._template: asyncio.subprocess.Process | None = None
        self._control: socket.socket | None = None
        self._starting = asyncio.Lock()
        self._sessions: dict[str, Session] = {}
        self._endings: dict[int, asyncio.Future[int]] = {}
        self._keys = 0
        self._tidying: asyncio.TimerHandle | None = None

    @property
    def processes(self) -> int:
        """Of experiments, now."""
        return len(self._sessions)

    @property
    def pid(self) -> int | None:
        """Of the template; None while there is none."""
        return self._template.pid if self._template is not None else None

    async def ask(self, experiment: str, request: Request, trials: Sequence[TrialRecord]) -> Reply:
        """`experiment` is its uid. Raises SuggestingError."""
        session = await self._session(experiment, request.made_by)
        session.waiting += 1
        try:
            async with session.lock:
                if self._sessions.get(experiment) is not session:
                    raise SuggestingError(
                        "the tuning worker was ended by an earlier question; it is asked again"
                    )
                return await self._asked(experiment, session, request, trials)
        finally:
            session.waiting -= 1
            session.last_used = asyncio.get_running_loop().time()
            self._tidy_later()

    async def close(self) -> None:
        if self._tidying is not None:
            self._tidying.cancel()
            self._tidying = None
        for name in list(self._sessions):
            self._drop(name)
        await self._end_template()

    async def _asked(
        self, name: str, session: Session, request: Request, trials: Sequence[TrialRecord]
    ) -> Reply:
        answered = False
        try:
            async with asyncio.timeout(self._answer_seconds):
                reply = await session.ask(request, trials)
            answered = True
            return reply
        except TimeoutError:
            raise SuggestingError(
                f"{request.problem.algorithm} has not answered within {self._answer_seconds:g} s and was ended; "
                "it is started anew with the next question"
            ) from None
        except (EOFError, OSError):
            how = await self._ending(session)
            raise SuggestingError(
                f"the process of {request.problem.algorithm} {how} while it was asked; "
                "it is started anew with the next question"
            ) from None
        finally:
            if not answered and self._sessions.get(name) is session:
                self._drop(name)

    async def _session(self, name: str, made_by: str) -> Session:
        async with self._starting:
            found = self._sessions.get(name)
            if found is not None:
                return found
            self._make_room()
            self._keys += 1
            order = messages.encode(Start(self._keys, made_by))
            ours, theirs = socket.socketpair()
            ours.setblocking(False)
            with theirs:
                try:
                    control = await self._start_template()
                    try:
                        socket.send_fds(control, [order], [theirs.fileno()])
                    except OSError:
                        # It has just ended, and nobody has noticed.
                        self._close_control()
                        socket.send_fds(await self._start_template(), [order], [theirs.fileno()])
                except OSError as error:
                    ours.close()
                    raise SuggestingError(f"the tuning worker cannot be started: {error}") from None
            self._endings[self._keys] = asyncio.get_running_loop().create_future()
            self._sessions[name] = Session(self._keys, ours)
            return self._sessions[name]

    async def _start_template(self) -> socket.socket:
        """Raises OSError."""
        if self._control is not None:
            return self._control
        await self._end_template()
        # Datagrams in order, and an end that is noticed.
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        try:
            self._template = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                _WORKER,
                str(theirs.fileno()),
                pass_fds=[theirs.fileno()],
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                env=_environment(),
                # Out of the terminal's group: signals typed there are for the server.
                start_new_session=True,
            )
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        self._control = ours
        asyncio.get_running_loop().add_reader(ours.fileno(), self._hear, ours)
        log.info("tuning worker started", pid=self._template.pid)
        return ours

    def _hear(self, control: socket.socket) -> None:
        try:
            message = control.recv(4096)
        except BlockingIOError:
            return
        except OSError:
            message = b""
        if message:
            ended = messages.decode_ended(message)
            # Kept until the session is dropped: its socket may be found closed only after this.
            future = self._endings.get(ended.key)
            if future is not None and not future.done():
                future.set_result(ended.status)
            return
        if control is self._control:
            self._close_control()

    async def _ending(self, session: Session) -> str:
        future = self._endings.get(session.key)
        if future is None:
            return "ended"
        try:
            async with asyncio.timeout(_ENDING_SECONDS):
                status = await asyncio.shield(future)
        except TimeoutError:
            return "ended"
        except asyncio.CancelledError:
            if not future.cancelled():
                raise  # it is the question that is taken back
            return "ended"
        if status >= 0:
            return f"ended with exit code {status}"
        with contextlib.suppress(ValueError):
            return f"was ended by signal {-status} ({signal.Signals(-status).name})"
        return f"was ended by signal {-status}"

    def _drop(self, name: str) -> None:
        session = self._sessions.pop(name)
        self._endings.pop(session.key, None)
        session.close()
        if self._control is not None:
            # Closing is not enough for what hangs.
            with contextlib.suppress(OSError):
                self._control.send(messages.encode(Kill(session.key)))

    def _make_room(self) -> None:
        idle = sorted(
            (session.last_used, name) for name, session in self._sessions.items() if not session.waiting
        )
        for _, name in idle[: max(len(self._sessions) - self._most + 1, 0)]:
            self._drop(name)

    def _tidy_later(self) -> None:
        if self._tidying is None:
            loop = asyncio.get_running_loop()
            self._tidying = loop.call_later(self._idle_seconds / 2, self._tidy)

    def _tidy(self) -> None:
        self._tidying = None
        now = asyncio.get_running_loop().time()
        for name, session in list(self._sessions.items()):
            if not session.waiting and now - session.last_used >= self._idle_seconds:
                self._drop(name)
        if self._sessions or self._starting.locked():
            self._tidy_later()
        elif self._control is not None:
            # It ends by itself when it finds its socket closed.
            self._close_control()

    def _close_control(self) -> None:
        if self._control is not None:
            asyncio.get_running_loop().remove_reader(self._control.fileno())
            self._control.close()
            self._control = None
        for future in self._endings.values():
            future.cancel()
        self._endings.clear()

    async def _end_template(self) -> None:
        self._close_control()
        template, self._template = self._template, None
        if template is None or template.returncode is not None:
            return
        try:
            async with asyncio.timeout(5):
                await template.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                template.kill()
            await template.wait()


def _environment() -> dict[str, str]:
    """The server's, with this very package in front: its tests and its developers run from a folder."""
    source = str(Path(sampan.__file__).resolve().parent.parent)
    path = os.environ.get("PYTHONPATH", "")
    return {
        **os.environ,
        "PYTHONPATH": f"{source}{os.pathsep}{path}" if path else source,
        # One core is enough for what is computed there, and threads do not survive forks.
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
    }
