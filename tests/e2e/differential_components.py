# ruff: noqa: F821, SIM115, DTZ006  (KFP's names are imported where a component runs)
"""The components of `test_differential`: each prints what it sees of its world, or ends in a way of its own.

Every function is compiled as a lightweight component from its source alone, so it imports what it needs itself. What it
prints must not depend on chance: the log of one server is compared with that of another, line by line.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple


def arguments() -> None:
    import os
    import sys

    print(sys.argv)
    print(sys.orig_argv[:3])
    print(sys.path)
    print(sys.executable, sys.prefix == sys.base_prefix, sys.exec_prefix == sys.prefix, sys.base_exec_prefix)
    print(sys.flags, sys._xoptions, sys.warnoptions, sys.dont_write_bytecode, sys.pycache_prefix)
    print(sys.version, sys.implementation.cache_tag, sys.platlibdir)
    print(os.path.realpath("/proc/self/exe"), open("/proc/self/comm").read())


def interpreter() -> None:
    import faulthandler
    import gc
    import sys
    import threading
    import warnings

    print(
        [getattr(finder, "__name__", type(finder).__name__) for finder in sys.meta_path], len(sys.path_hooks)
    )
    print(
        sys.getrecursionlimit(),
        sys.getswitchinterval(),
        sys.getdefaultencoding(),
        sys.getfilesystemencoding(),
    )
    print(
        sys.gettrace(), sys.getprofile(), sys.get_asyncgen_hooks(), sys.get_coroutine_origin_tracking_depth()
    )
    print(sys.excepthook is sys.__excepthook__, sys.displayhook is sys.__displayhook__)
    print(sys.unraisablehook is sys.__unraisablehook__, sys.breakpointhook is sys.__breakpointhook__)
    print(threading.excepthook.__module__, threading.gettrace() if hasattr(threading, "gettrace") else None)
    print(gc.isenabled(), gc.get_threshold(), gc.get_debug(), gc.garbage, gc.callbacks)
    print(warnings.filters, warnings.showwarning.__module__, warnings.formatwarning.__module__)
    print(
        faulthandler.is_enabled(),
        hasattr(sys, "ps1"),
        hasattr(sys, "last_value"),
        hasattr(sys, "tracebacklimit"),
    )
    print(sys.int_info, sys.float_info.max, sys.hash_info.algorithm, sys.getdlopenflags(), sys.maxsize)


def main_module() -> None:
    import sys

    import __main__

    print(__name__, "__main__" in sys.modules, sys.modules["__main__"] is __main__, __name__ in sys.modules)
    print(
        sorted(vars(__main__)), __main__.__name__, __main__.__file__, __main__.__package__, __main__.__spec__
    )
    print(sorted(name for name in globals() if name.startswith("__")), __file__, __spec__, __package__)
    print(
        type(__builtins__), __main__.__builtins__, __main__.__doc__, __main__.__cached__, __main__.__loader__
    )
    executor = sys.modules.get("kfp.dsl.executor_main")
    print(executor is None, hasattr(sys.modules["kfp.dsl"], "executor_main"))


def loaded_modules() -> None:
    import sys

    print("MODULES", " ".join(sorted(sys.modules)))


def environment() -> None:
    import ctypes
    import os
    import subprocess

    print(sorted(os.environ.items()))
    libc = ctypes.CDLL(None)
    libc.getenv.restype = ctypes.c_char_p
    print({name: libc.getenv(name.encode()) for name in ("HOME", "PATH", "_KFP_RUNTIME", "NO_SUCH")})
    print(sorted(subprocess.run(["env"], capture_output=True, check=True).stdout.decode().splitlines()))


def process() -> None:
    import os
    import resource

    print(os.getcwd(), oct(os.umask(0o022)), os.getuid(), os.geteuid(), os.getgid(), os.getgroups())
    print(os.getpgrp() == os.getsid(0), os.nice(0), sorted(os.sched_getaffinity(0)), os.cpu_count())
    print(
        {name: resource.getrlimit(getattr(resource, name)) for name in dir(resource) if name[:7] == "RLIMIT_"}
    )
    print(open("/proc/self/oom_score_adj").read(), open("/proc/self/cgroup").read())
    fields = (
        "Sig",
        "Shd",
        "Cap",
        "NoNewPrivs",
        "Seccomp",
        "Threads",
        "Uid",
        "Gid",
        "Groups",
        "TracerPid",
        "NStgid",
    )
    status = open("/proc/self/status").read().splitlines()
    print([line for line in status if line.startswith(fields) and not line.startswith(("SigQ", "NStgid"))])
    print(os.path.exists("/dev/tty") and os.access("/dev/tty", os.R_OK), os.ctermid())
    print(os.uname().nodename, os.sched_getscheduler(0), os.getpriority(os.PRIO_PROCESS, 0))
    print(
        os.path.basename(os.readlink("/proc/self/exe")),
        sorted(os.listdir("/proc/self/task")) == [str(os.getpid())],
    )


def streams() -> None:
    import os
    import stat
    import sys

    for stream in (sys.stdin, sys.stdout, sys.stderr):
        print(
            stream.name, stream.mode, stream.encoding, stream.errors, stream.line_buffering, stream.isatty()
        )
        print(stream.newlines, type(stream).__name__, stream.fileno(), stream.closed, stream.write_through)
        print(stat.S_IFMT(os.fstat(stream.fileno()).st_mode), os.get_blocking(stream.fileno()))
    print(repr(sys.stdin.read()), sys.stdout is sys.__stdout__, sys.stderr is sys.__stderr__)
    listing = os.open("/proc/self/fd", os.O_RDONLY)
    names = sorted(os.listdir(listing), key=int)
    os.close(listing)
    for name in names:
        path = "/proc/self/fd/" + name
        if os.path.lexists(path):
            print(name, os.readlink(path).partition(":[")[0], os.get_inheritable(int(name)))


def signals() -> None:
    import signal

    print([(number.name, str(signal.getsignal(number)).partition(" at ")[0]) for number in signal.valid_signals()
           if isinstance(number, signal.Signals)])  # fmt: skip
    print(
        signal.pthread_sigmask(signal.SIG_BLOCK, []),
        signal.getitimer(signal.ITIMER_REAL),
        signal.set_wakeup_fd(-1),
    )


def locale_and_time() -> None:
    import locale
    import os
    import sys
    import time

    print(locale.getlocale(), locale.setlocale(locale.LC_ALL), locale.getpreferredencoding(False))
    print(
        time.tzname, time.timezone, time.daylight, time.strftime("%c", time.gmtime(0)), time.localtime(0)[:6]
    )
    print(os.fsencode("ü"), sys.getfilesystemencodeerrors(), time.process_time() < 20, "grüße 船")


def logging_configuration() -> None:
    import logging

    root = logging.getLogger()
    print(
        root.level, root.handlers, logging.raiseExceptions, logging.root.manager.disable, logging.lastResort
    )
    print(sorted(logging.root.manager.loggerDict))
    logging.info("not shown")
    logging.warning("shown on %s", "stderr")
    logging.getLogger("own").error("an error of a named logger")
    print(logging.getLevelName(root.level), [handler.stream.name for handler in root.handlers])


def warnings_shown() -> None:
    import warnings

    def old() -> None:
        warnings.warn("old", DeprecationWarning, stacklevel=2)

    for _ in range(3):
        warnings.warn("careful", UserWarning, stacklevel=1)
    old()
    open("/dev/null")


def random_numbers() -> None:
    import os
    import random
    import secrets
    import tempfile
    import uuid

    handle, name = tempfile.mkstemp()
    os.close(handle)
    print(
        "RANDOM",
        random.random(),
        secrets.token_hex(),
        uuid.uuid4(),
        os.urandom(8).hex(),
        os.path.basename(name)[3:],
    )


def threads() -> None:
    import _thread
    import os
    import threading

    print(
        threading.enumerate() == [threading.main_thread()],
        threading.current_thread() is threading.main_thread(),
    )
    print(threading.current_thread().name, threading.main_thread().native_id == os.getpid(), _thread._count())
    print(threading.get_ident() == threading.main_thread().ident, threading.stack_size())
    result: list[int] = []
    thread = threading.Thread(target=lambda: result.append(1))
    thread.start()
    thread.join()
    print(result, thread.name, threading.active_count())


def thread_at_exit() -> None:
    import threading
    import time

    def late() -> None:
        time.sleep(0.3)
        print("the thread has ended")

    threading.Thread(target=late).start()
    threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
    print("the function has ended")


def exception_in_thread() -> None:
    import threading

    def broken() -> None:
        raise ValueError("in a thread")

    thread = threading.Thread(target=broken, name="worker")
    thread.start()
    thread.join()


def at_exit() -> None:
    import atexit
    import sys
    import weakref

    class Loud:
        def __init__(self, name: str) -> None:
            self.name = name

        def __del__(self) -> None:
            print("deleted", self.name)

    atexit.register(print, "registered first")
    atexit.register(print, "registered last")
    globals()["_kept"] = Loud("global")
    sys.loud = Loud("of sys")  # type: ignore[attr-defined]
    cycle: list[Any] = [Loud("cycle")]
    cycle.append(cycle)
    weakref.finalize(globals()["_kept"], print, "finalised")
    Loud("at once")
    print("the function has ended")


def failing_at_exit() -> None:
    import atexit

    def broken() -> None:
        raise OSError("at exit")

    atexit.register(broken)


def unflushed() -> None:
    import sys

    sys.stdout.write("no line end on stdout")
    sys.stderr.write("no line end on stderr")
    file = open("left-open.txt", "w")
    file.write("kept")
    globals()["_file"] = file


def interleaved() -> None:
    import sys
    import time

    for number in range(5):
        print("out", number, flush=True)
        time.sleep(0.05)
        print("err", number, file=sys.stderr)
        time.sleep(0.05)
    print("not flushed")
    print("before", file=sys.stderr)


def large_output() -> None:
    import sys

    for number in range(50_000):
        print(number, "x" * 90)
    sys.stdout.write("y" * 300_000)
    sys.stdout.buffer.write(b"\n\xff\xfe not UTF-8 \x00\r\n")


def exit_three() -> None:
    import sys

    print("leaving")
    sys.exit(3)


def exit_text() -> None:
    import sys

    sys.exit("went wrong: ü")


def exit_nothing() -> None:
    raise SystemExit


def exit_large() -> None:
    raise SystemExit(256 + 7)


def exit_in_thread() -> None:
    import sys
    import threading

    thread = threading.Thread(target=sys.exit, args=(5,))
    thread.start()
    thread.join()


def raises() -> None:
    class OwnError(Exception):
        def __str__(self) -> str:
            return "two\nlines"

    def inner(depth: int) -> None:
        if depth == 0:
            raise OwnError
        inner(depth - 1)

    try:
        inner(6)
    except OwnError as error:
        raise ValueError("the cause is above") from error


def raises_group() -> None:
    raise ExceptionGroup("several", [ValueError("one"), ExceptionGroup("inner", [KeyError("two")])])


def interrupted() -> None:
    import os
    import signal
    import time

    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(5)


def os_exit() -> None:
    import os

    print("lost in the buffer")
    os.write(1, b"written\n")
    os._exit(9)


def killed() -> None:
    import os
    import signal

    print("before", flush=True)
    os.kill(os.getpid(), signal.SIGKILL)


def alarm() -> None:
    import signal
    import sys
    import time

    sys.stderr.write("unfinished")
    signal.alarm(1)
    time.sleep(10)


def debugged() -> None:
    breakpoint()
    print("not reached")


def asked_for_input() -> None:
    print(input("a question: "))


def out_of_memory() -> None:
    print("before", flush=True)
    print(len(b"x" * 1024 * 1024 * 1024))


def segmentation_fault() -> None:
    import ctypes
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    print("before", flush=True)
    ctypes.string_at(0)


def aborted() -> None:
    import os
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.abort()


def broken_pipe() -> None:
    import os
    import sys

    reader, writer = os.pipe()
    os.close(reader)
    try:
        os.write(writer, b"x")
    except BrokenPipeError as error:
        print(error)
    os.dup2(writer, 1)
    print("nobody hears")
    sys.stdout.flush()


def fault_handler() -> None:
    import faulthandler
    import os
    import resource
    import signal

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    faulthandler.enable()
    os.kill(os.getpid(), signal.SIGABRT)


def closed_stdout() -> None:
    import os

    print("this is lost")
    os.close(1)


def subprocesses() -> None:
    import os
    import subprocess
    import sys

    def output(*command: str) -> str:
        return subprocess.run(command, capture_output=True, check=False, text=True).stdout

    print(
        output(
            sys.executable,
            "-c",
            "import sys; print(sys.path, sys.prefix, sys.argv, sys.flags, sys.executable)",
        )
    )
    print(output("python3", "-c", "import sys, kfp; print(sys.executable, kfp.__file__)"))
    print(
        output(
            "sh", "-c", "ulimit -a; trap; umask; command -v python3 python pip; ls -l /proc/self/fd | wc -l"
        )
    )
    print(output("python", "-m", "pip", "list"), flush=True)
    print(os.system("echo from a shell; exit 3"))
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as cat:
        print(cat.communicate(b"through a pipe"))
    subprocess.run(["sh", "-c", "echo to stdout; echo to stderr >&2"], check=True)
    print(
        subprocess.run([sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"], check=False).returncode
    )


def multiprocessing_fork() -> None:
    import multiprocessing
    import os

    def double(number: int) -> int:
        return 2 * number

    globals()["double"] = double
    double.__qualname__ = "double"
    context = multiprocessing.get_context("fork")
    with context.Pool(2) as pool:
        print(pool.map(double, range(5)))
    queue = context.SimpleQueue()
    child = context.Process(target=lambda: queue.put(os.getppid() == parent), name="child")
    parent = os.getpid()
    child.start()
    print(queue.get(), child.name, multiprocessing.current_process().name)
    child.join()
    print(child.exitcode, multiprocessing.get_start_method(), multiprocessing.active_children())


def multiprocessing_spawn() -> None:
    import math
    import multiprocessing

    for method in ("spawn", "forkserver"):
        context = multiprocessing.get_context(method)
        with context.Pool(1) as pool:
            print(method, pool.map(math.sqrt, [1, 4, 9]))
        child = context.Process(target=print, args=("from the child",))
        child.start()
        child.join()
        print(child.exitcode)


def concurrent_futures() -> None:
    import math
    from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

    with ThreadPoolExecutor(4) as pool:
        print(list(pool.map(math.sqrt, [1, 4, 9])))
    with ProcessPoolExecutor(2) as pool:
        print(list(pool.map(math.sqrt, [1, 4, 9])))


def forked_child() -> None:
    import os
    import sys

    print("before", flush=True)
    pid = os.fork()
    if pid == 0:
        print("the child")
        sys.exit(4)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))


def left_behind() -> None:
    import subprocess

    subprocess.Popen(["sh", "-c", "echo started; sleep 60; echo never"])
    subprocess.Popen(
        ["sleep", "60"], start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    import time

    time.sleep(0.3)


def asynchronous() -> None:
    import asyncio

    async def step(number: int) -> int:
        await asyncio.sleep(0.01 * number)
        return number

    async def main() -> None:
        print(await asyncio.gather(*(step(number) for number in range(4))))
        process = await asyncio.create_subprocess_exec("echo", "a subprocess", stdout=asyncio.subprocess.PIPE)
        print(await process.communicate(), process.returncode)
        print(type(asyncio.get_running_loop()).__name__, await asyncio.to_thread(lambda: 5))

    asyncio.run(main())


def recursion() -> None:
    import sys

    def deep(number: int) -> int:
        return 0 if number == 0 else 1 + deep(number - 1)

    print(deep(900))
    sys.setrecursionlimit(50_000)
    print(deep(20_000))
    sys.setrecursionlimit(1_000)
    deep(5_000)


def own_source() -> None:
    import dis
    import inspect
    import sys
    import traceback

    print(inspect.getsource(own_source))
    print(inspect.getsourcefile(own_source), own_source.__module__, own_source.__qualname__)
    print(inspect.getmodule(own_source), inspect.currentframe().f_code.co_name)  # type: ignore[union-attr]
    print(traceback.format_stack()[-2:], sys._getframe(1).f_code.co_name)
    print(
        len(list(dis.get_instructions(own_source))),
        own_source.__annotations__,
        own_source.__code__.co_firstlineno,
    )


def pickled() -> None:
    import copy
    import pickle
    from dataclasses import dataclass

    @dataclass
    class Point:
        x: int

    globals()["Point"] = Point
    Point.__qualname__ = "Point"
    for value in (Point(1), Point, pickled, NamedTuple):
        try:
            print(pickle.loads(pickle.dumps(value)))
        except Exception as error:
            print(type(error).__name__, error)
    print(copy.deepcopy(Point(2)), Point.__module__)


def temporary_files() -> None:
    import os
    import tempfile

    print(tempfile.gettempdir(), sorted(name.partition(".")[0] for name in os.listdir("/tmp")))
    with tempfile.TemporaryDirectory() as folder, tempfile.NamedTemporaryFile() as file:
        print(os.path.dirname(folder), os.path.dirname(file.name), oct(os.stat(file.name).st_mode))
    globals()["_folder"] = tempfile.TemporaryDirectory()
    with open("/tmp/left", "w") as left:
        left.write("left")
    print(oct(os.stat("/tmp").st_mode), oct(os.stat("/tmp/left").st_mode), os.stat("/tmp/left").st_uid)


def home_folder() -> None:
    import os
    import pathlib
    import site

    home = pathlib.Path.home()
    print(home, sorted(os.listdir(home)), os.path.expanduser("~/x"), oct(home.stat().st_mode))
    (home / ".config").mkdir()
    (home / ".config" / "own").write_text("own")
    print(sorted(os.listdir()), oct(os.stat(".").st_mode), site.ENABLE_USER_SITE, site.getuserbase())


def files_written(made: Output[Dataset]) -> None:
    import os

    with open(made.path, "w") as file:
        file.write("content")
    os.mkdir("folder")
    for path in (made.path, "folder", os.path.dirname(made.path)):
        print(oct(os.stat(path).st_mode))
    made.metadata["rows"] = 3
    made.metadata["nested"] = {"ü": [1, 2.5, None, True]}


def artifacts(
    number: int, text: str, model: Output[Model], metrics: Output[Metrics], table: Output[Dataset]
) -> NamedTuple(
    "Outputs",
    [("total", int), ("share", float), ("words", list), ("facts", dict), ("ok", bool), ("name", str)],
):  # type: ignore[valid-type]
    import os
    from collections import namedtuple

    os.makedirs(model.path)
    with open(os.path.join(model.path, "weights.bin"), "wb") as file:
        file.write(bytes(range(256)))
    model.framework = "own"
    metrics.log_metric("accuracy", 0.75)
    metrics.log_metric("loss", 1e-9)
    with open(table.path, "w") as file:
        file.write("a,b\n1,2\n")
    table.name = "renamed"
    print(model.uri, model.path, model.name, table.uri, metrics.metadata)
    outputs = namedtuple("Outputs", "total share words facts ok name")
    return outputs(number + 1, number / 3, [text, "ü"], {"a": {"b": [1]}}, False, text * 2)


def wrong_output(number: int) -> int:
    return "not a number"  # type: ignore[return-value]


def numpy_import() -> None:
    import os
    import threading

    import numpy

    print(numpy.__version__, numpy.arange(6).reshape(2, 3).sum(axis=0), numpy.__file__)
    print(numpy.linalg.norm(numpy.ones((200, 200)) @ numpy.ones((200, 200))), threading.active_count())
    print(numpy.random.default_rng(3).random(2), len(os.sched_getaffinity(0)))


def installed_package() -> None:
    import importlib.metadata
    import shutil
    import subprocess

    import tabulate

    print(tabulate.__version__, tabulate.__file__, shutil.which("tabulate"))
    print(sorted((d.metadata["Name"].lower(), d.version) for d in importlib.metadata.distributions()))
    print(subprocess.run(["tabulate"], input=b"a b\nc d\n", capture_output=True, check=False).stdout.decode())


def pip_in_the_step() -> None:
    import importlib
    import importlib.metadata
    import subprocess
    import sys

    install = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-warn-script-location",
        "pyjokes==0.6.0",
    ]
    print(subprocess.run(install, check=False).returncode)
    importlib.invalidate_caches()
    import pyjokes

    print(pyjokes.__file__, importlib.metadata.version("pyjokes"))
    print(subprocess.run(["pip", "uninstall", "--yes", "--quiet", "pyjokes"], check=False).returncode)


def not_installed_by_another() -> None:
    import importlib.util
    import os

    print(importlib.util.find_spec("pyjokes"), os.path.exists("/tmp/left"))


def terminated() -> None:
    import signal
    import sys
    import time
    from types import FrameType

    def end(number: int, frame: FrameType | None) -> None:
        print("asked to end", number, flush=True)
        time.sleep(0.5)
        print("ended in good order", flush=True)
        sys.exit(0)

    signal.signal(signal.SIGTERM, end)
    print("waiting", flush=True)
    time.sleep(60)


def terminated_unprepared() -> None:
    import time

    print("waiting", flush=True)
    time.sleep(60)


def hash_seed() -> None:
    import os
    import sys

    print(
        hash("abc"), sys.flags, os.environ["PYTHONHASHSEED"], sys.warnoptions, list({"a", "b", "c", "d", "e"})
    )


def time_zone() -> None:
    import datetime
    import sys
    import time

    print(time.tzname, datetime.datetime.fromtimestamp(0), sys.stdout.write_through)


@dataclass(frozen=True)
class Case:
    """One component, and what it needs."""

    function: Callable[..., Any]
    inputs: Mapping[str, Any] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)
    artifacts: Mapping[str, str] = field(default_factory=dict)
    packages: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    resources: Mapping[str, str] = field(default_factory=dict)
    again: bool = False
    """Whether it is the second step with this function."""

    @property
    def name(self) -> str:
        return self.function.__name__ + ("_again" if self.again else "")


CORE = [
    Case(arguments),
    Case(main_module),
    Case(environment),
    Case(process),
    Case(streams),
    Case(signals),
    Case(loaded_modules),
    Case(at_exit),
    Case(exit_text),
    Case(raises),
    Case(killed),
    Case(large_output),
    Case(
        artifacts,
        {"number": 4, "text": "word"},
        {"total": "NUMBER_INTEGER", "share": "NUMBER_DOUBLE", "words": "LIST", "facts": "STRUCT", "ok": "BOOLEAN",
         "name": "STRING"},
        {"model": "system.Model", "metrics": "system.Metrics", "table": "system.Dataset"},
    ),
]  # fmt: skip

STOPPED = [Case(terminated), Case(terminated_unprepared)]

MISSING = [
    Case(exit_three, packages=("no-such-package-of-sampan==1.0",)),
    Case(threads, packages=("tabulate==99.0",)),
    # What a step installs is seen by no other, neither later nor on the other path.
    Case(not_installed_by_another),
]

REST = [
    *map(
        Case, (interpreter, locale_and_time, logging_configuration, warnings_shown, random_numbers, threads)
    ),
    *map(Case, (thread_at_exit, exception_in_thread, failing_at_exit, unflushed, interleaved, exit_three)),
    *map(Case, (exit_nothing, exit_large, exit_in_thread, raises_group, interrupted, os_exit)),
    *map(Case, (alarm, debugged, asked_for_input)),
    *map(Case, (segmentation_fault, aborted, broken_pipe, fault_handler, closed_stdout, subprocesses)),
    *map(Case, (multiprocessing_fork, multiprocessing_spawn, concurrent_futures, forked_child, left_behind)),
    *map(Case, (asynchronous, recursion, own_source, pickled, temporary_files, home_folder, pip_in_the_step)),
    Case(random_numbers, again=True),
    Case(files_written, artifacts={"made": "system.Dataset"}),
    Case(wrong_output, {"number": 1}, {"Output": "NUMBER_INTEGER"}),
    Case(numpy_import, packages=("numpy",)),
    Case(installed_package, packages=("tabulate==0.9.0",)),
    Case(out_of_memory, resources={"resourceMemoryLimit": "300Mi"}),
    Case(
        hash_seed,
        env={"PYTHONHASHSEED": "7", "PYTHONWARNINGS": "default::UserWarning", "PYTHONOPTIMIZE": "1"},
    ),
    Case(time_zone, env={"TZ": "Asia/Tokyo", "PYTHONUNBUFFERED": "1"}),
]
