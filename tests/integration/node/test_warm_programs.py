"""A program forked from a warm interpreter cannot be told from `python3 -m`: same output, exit, surroundings."""

from __future__ import annotations

import asyncio
import re
import shutil
import sys
import textwrap
from pathlib import Path

import pytest

from sampan.cluster.node.runtimes.process import ProcessRuntime
from sampan.cluster.node.runtimes.protocol import ContainerSpec, Exit, WarmProgram
from sampan.cluster.node.settings import NodeSettings
from sampan.lib.clock import SystemClock

PROGRAMS = {
    "output": """
        import sys
        print("out"); print("err", file=sys.stderr); sys.stdout.write("unfinished")
    """,
    "surroundings": """
        import os, sys, signal, threading
        print(sorted(os.environ.items()))
        print(sys.argv[1:], os.path.basename(sys.argv[0]), sys.orig_argv[1:])
        print(os.getcwd(), sys.path, __name__, __file__, __spec__.name, __package__ == "")
        print(sys.executable, sys.prefix, sys.flags, sys.stdin.read(), sys.stdout.encoding, sys.stderr.errors)
        numbers = signal.SIGINT, signal.SIGTERM, signal.SIGCHLD, signal.SIGPIPE
        print([(number.name, str(signal.getsignal(number))) for number in numbers])
        print(threading.current_thread().name, threading.active_count(), os.getsid(0) == os.getpid())
        print(sorted(vars(sys.modules["__main__"])), sorted(m for m in sys.modules if "sampan" in m or "launcher" in m))
        print(sorted(os.listdir("/proc/self/fd"))[:3], oct(os.umask(0)), sys.excepthook is sys.__excepthook__)
        print(sys.gettrace(), sys.warnoptions, sys.dont_write_bytecode)
    """,
    "argv0": "import sys; print(sys.argv)",
    "traceback": """
        def inner():
            return 1 / 0
        try:
            inner()
        except ZeroDivisionError as error:
            raise RuntimeError("broken") from error
    """,
    "own_hook": """
        import sys
        sys.excepthook = lambda kind, error, trace: print("hook", kind.__name__, error, trace.tb_frame.f_code.co_name)
        raise KeyError("x")
    """,
    "exit_code": "import sys; sys.exit(7)",
    "exit_text": "import sys; sys.exit('went wrong')",
    "exit_none": "import sys; print('x', end=''); sys.exit()",
    "os_exit": "import os, sys; sys.stdout.write('lost'); os._exit(9)",
    "killed": "import os, signal; print('x', flush=True); os.kill(os.getpid(), signal.SIGKILL)",
    "segfault": "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)",
    "terminated": "import os, signal; os.kill(os.getpid(), signal.SIGTERM)",
    "interrupted": "import os, signal, time; os.kill(os.getpid(), signal.SIGINT); time.sleep(5)",
    "interrupted_twice": "raise KeyboardInterrupt",
    "abort": "import os; os.abort()",
    "at_exit": """
        import atexit, threading, time
        atexit.register(print, "first registered")
        atexit.register(print, "last registered")
        threading.Thread(target=lambda: (time.sleep(0.1), print("thread done"))).start()
        threading.Thread(target=time.sleep, args=(100,), daemon=True).start()
        class Late:
            def __del__(self): print("finalised")
        late = Late()
        print("end of program")
    """,
    "finalisers": """
        import weakref, gc
        class Loud:
            def __init__(self, name): self.name = name
            def __del__(self): print("del", self.name, helper)
        helper = "helper"
        _private = Loud("private")
        public = Loud("public")
        public.itself = public
        class Holder: pass
        holder = Holder(); holder.loud = Loud("held"); holder.back = holder
        weakref.finalize(holder, print, "finalize ran")
        def generator():
            try: yield 1
            finally: print("generator closed")
        running = generator(); next(running)
        cache = {}
        gc.disable()
        cycle = [Loud("cycle")]; cycle.append(cycle); del cycle
    """,
    "late_failure": """
        class Bad:
            def __del__(self): raise ValueError("in del")
        bad = Bad()
        import atexit
        @atexit.register
        def broken(): raise OSError("in atexit")
    """,
    "temporary_folder": """
        import tempfile, os
        folder = tempfile.TemporaryDirectory(prefix="x")
        print(os.path.isdir(folder.name))
    """,
    "logging_to_a_file": """
        import logging
        logging.basicConfig(filename="log.txt", level="INFO")
        logging.info("hello")
        buffered = open("buffered.txt", "w"); buffered.write("z" * 10)
        keep = [buffered]
        print(open("log.txt").read())
    """,
    "daemon_thread_at_the_end": """
        import threading, time
        def work():
            while True: time.sleep(0.001); len(table)
        table = {}
        threading.Thread(target=work, daemon=True).start()
        time.sleep(0.01); print("end")
    """,
    "native_library": """
        import ctypes, ctypes.util, atexit, sqlite3
        connection = sqlite3.connect("db.sqlite"); connection.execute("create table t (a)"); connection.commit()
        print(ctypes.sizeof(ctypes.c_int))
    """,
    "exit_in_at_exit": "import atexit, sys; atexit.register(lambda: sys.exit(5)); print('x')",
    "exit_code_large": "import sys; sys.exit(256 + 3)",
    "exit_code_negative": "import sys; sys.exit(-1)",
    "exit_code_true": "import sys; sys.exit(True)",
    "exit_object": "import sys; sys.exit(['a', 1])",
    "forked_grandchild": """
        import os, sys
        class Late:
            def __del__(self): os.write(1, b"late\\n")
        late = Late()
        pid = os.fork()
        if pid == 0: sys.exit(4)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) if hasattr(os, "waitstatus_to_exitcode") else "old")
    """,
    "unflushed_file": """
        file = open("left-open.txt", "w")
        file.write("kept")
        import atexit, subprocess, sys
        print("written")
    """,
    "broken_stdout": "import os; os.close(1); print('nobody hears')",
    "syntax_error": "def (:",
    "import_error": "import no_such_module_at_all",
    "recursion": "def f(): return f()\nf()",
    "warning": "import warnings; warnings.warn('careful', UserWarning)",
    "main_is_importable": """
        import pickle, sys
        class Thing: pass
        print(type(pickle.loads(pickle.dumps(Thing()))).__module__, sys.modules["__main__"].Thing is Thing)
    """,
    "child_process": """
        import subprocess, sys
        print(subprocess.run([sys.executable, "-c", "print(6 * 7)"], capture_output=True))
    """,
    "multiprocessing": """
        import multiprocessing
        def double(x): return 2 * x
        if __name__ == "__main__":
            with multiprocessing.get_context("fork").Pool(2) as pool:
                print(pool.map(double, [1, 2, 3]))
    """,
    "unpredictable": """
        import random, tempfile, uuid
        state = random.random()
        print(0 <= state < 1, len(str(uuid.uuid4())), tempfile.gettempdir())
    """,
    "many_lines": "for i in range(3000): print(i, 'x' * (i % 200))",
    "long_line": "print('y' * 100_000)",
    "asyncio": "import asyncio\nasync def main(): await asyncio.sleep(0.01); print('slept')\nasyncio.run(main())",
}


class Bench:
    """Runs one module either way."""

    def __init__(self, folder: Path, runtime: ProcessRuntime) -> None:
        self.folder = folder
        self.runtime = runtime
        self.code = folder / "code"

    async def run(self, module: str, *, warm: bool) -> tuple[Exit, dict[str, bytes]]:
        name = f"{module}-{'warm' if warm else 'cold'}"
        argv = ("--flag", "a b", "")
        # One folder for both, so that what they print of it is the same.
        work = self.folder / "work"
        work.mkdir(exist_ok=True)
        env = {
            "PATH": "/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "PYTHONPATH": str(self.code),
            "PYTHONDONTWRITEBYTECODE": "1",
            "MARK": "1",
            "TMPDIR": str(work),
        }
        spec = ContainerSpec(
            id=name,
            folder=self.folder / name,
            log=self.folder / f"{name}.log",
            argv=(sys.executable, "-m", module, *argv),
            env=env,
            cwd=str(work),
            scratch=self.folder / "scratch",
            program=WarmProgram("test", Path(sys.executable), ("json", "email"), module, argv)
            if warm
            else None,
        )
        await self.runtime.start(spec)
        end = await self.runtime.wait(name)
        return end, streams(spec.log)

    def files(self) -> dict[str, bytes]:
        """What the program left behind; the folder is empty again after."""
        found = {
            path.name: path.read_bytes()
            for path in sorted((self.folder / "work").iterdir())
            if path.is_file()
        }
        shutil.rmtree(self.folder / "work")
        return found


def streams(log: Path) -> dict[str, bytes]:
    """What each stream got, without the times."""
    found = {"stdout": b"", "stderr": b""}
    for record in log.read_bytes().splitlines():
        _, stream, tag, text = record.split(b" ", 3)
        found[stream.decode()] += text + (b"\n" if tag == b"F" else b"")
    # Addresses differ, and a program that is forked has two frames of the launcher below it.
    varying = re.compile(rb"0x[0-9a-f]+|repeated \d+ more")
    return {name: varying.sub(b"_", text) for name, text in found.items()}


@pytest.mark.parametrize("module", PROGRAMS)
def test_same_as_a_fresh_interpreter(module: str, tmp_path: Path) -> None:
    code = tmp_path / "code"
    code.mkdir()
    (code / f"{module}.py").write_text(textwrap.dedent(PROGRAMS[module]))

    async def main() -> None:
        runtime = ProcessRuntime(tmp_path / "run", SystemClock(), NodeSettings())
        await runtime.open()
        try:
            bench = Bench(tmp_path, runtime)
            cold, cold_streams = await bench.run(module, warm=False)
            cold_files = bench.files()
            warm, warm_streams = await bench.run(module, warm=True)
            warm_files = bench.files()
        finally:
            await runtime.close()
        assert warm_streams == cold_streams
        assert warm_files == cold_files
        assert (warm.exit_code, warm.signal, warm.reason) == (cold.exit_code, cold.signal, cold.reason)

    asyncio.run(main())


def test_source_is_written_as_the_wrapper_does(tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "loader.py").write_text(
        "import sys; exec(open(sys.argv[2]).read()); print(sys.argv[1])"
    )

    async def main() -> None:
        runtime = ProcessRuntime(tmp_path / "run", SystemClock(), NodeSettings())
        await runtime.open()
        program = WarmProgram(
            "test",
            Path(sys.executable),
            (),
            "loader",
            ("--path", "{source_path}"),
            source="print('ünï', __import__('os').path.dirname(sys.argv[2]))\n",
            source_name="step.py",
        )
        (tmp_path / "tmp").mkdir()
        spec = ContainerSpec(
            id="a",
            folder=tmp_path / "a",
            log=tmp_path / "a.log",
            argv=("false",),
            env={"PATH": "/usr/bin", "PYTHONPATH": str(tmp_path / "code"), "TMPDIR": str(tmp_path / "tmp")},
            cwd=str(tmp_path),
            scratch=tmp_path,
            program=program,
        )
        await runtime.start(spec)
        end = await runtime.wait("a")
        await runtime.close()
        assert end.exit_code == 0, streams(spec.log)
        text = streams(spec.log)["stdout"].decode()
        assert re.fullmatch(rf"ünï {tmp_path}/tmp/tmp\.\w{{10}}\n--path\n", text)

    asyncio.run(main())


@pytest.mark.parametrize("setting", ["PYTHONUNBUFFERED", "PYTHONWARNINGS", "PYTHONUTF8", "TZ"])
def test_variables_that_an_interpreter_reads_early_count(setting: str, tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "look.py").write_text(
        "import sys, time; print(sys.flags, sys.warnoptions, time.tzname, sys.stdout.write_through)"
    )
    value = {"PYTHONWARNINGS": "error", "TZ": "Asia/Tokyo"}.get(setting, "1")

    async def main() -> None:
        runtime = ProcessRuntime(tmp_path / "run", SystemClock(), NodeSettings())
        await runtime.open()
        seen = []
        for number, warm in enumerate((True, False)):
            spec = ContainerSpec(
                id=str(number),
                folder=tmp_path / str(number),
                log=tmp_path / f"{number}.log",
                argv=(sys.executable, "-m", "look"),
                env={"PATH": "/usr/bin", "PYTHONPATH": str(tmp_path / "code"), setting: value},
                cwd=str(tmp_path),
                scratch=tmp_path,
                program=WarmProgram("test", Path(sys.executable), (), "look", ()) if warm else None,
            )
            await runtime.start(spec)
            await runtime.wait(spec.id)
            seen.append(streams(spec.log))
        await runtime.close()
        assert seen[0] == seen[1]

    asyncio.run(main())


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("open('/dev/termination-log', 'w').write('opened')", "opened"),
        ("from pathlib import Path; Path('/dev/termination-log').write_text('by a path')", "by a path"),
        ("import os; os.system('echo by a child > /dev/termination-log')", "by a child\n"),
        ("print('nothing to say')", None),
    ],
)
def test_last_words_of_a_forked_program(program: str, words: str | None, tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "say.py").write_text(program)

    async def main() -> None:
        runtime = ProcessRuntime(tmp_path / "run", SystemClock(), NodeSettings())
        await runtime.open()
        if not runtime.can_mount:
            await runtime.close()
            pytest.skip("this machine allows no mount namespace")
        file = tmp_path / "a" / "termination-log"
        spec = ContainerSpec(
            id="a",
            folder=tmp_path / "a",
            log=tmp_path / "a.log",
            argv=("false",),
            env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(tmp_path / "code")},
            cwd=str(tmp_path),
            scratch=tmp_path / "scratch",
            termination=(file, "/dev/termination-log"),
            program=WarmProgram("test", Path(sys.executable), (), "say", ()),
        )
        await runtime.start(spec)
        end = await runtime.wait("a")
        await runtime.close()
        assert end.exit_code == 0, streams(spec.log)
        assert (file.read_text() if file.exists() else None) == words

    asyncio.run(main())
