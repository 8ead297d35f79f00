"""The benchmarks, each beside its floor: `run.py [NAME…]`. benchmarks/README.md lists them."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import peers
import scale
from harness import memory_mib, run, server, table
from uv import find_uv_bin

from sampan.testing import pipelines
from sampan.testing.server import ServerProcess

# Small wheels that need no compiler, and that nothing else here uses.
NEW_REQUIREMENTS = ("tabulate==0.9.0", "pyjokes==0.6.0", "humanize==4.9.0")


def startup() -> None:
    bare = _best(lambda: subprocess.run([sys.executable, "-c", "pass"], check=True), 5)
    ready, memory = [], []
    for _ in range(3):
        with server() as it:
            ready.append(it.ready_seconds)
            time.sleep(3)
            memory.append(memory_mib(it))
    table(
        "startup",
        [
            ("`sampan up` to ready", f"{min(ready):.2f} s", "goal 1.5 s, at most 3 s"),
            ("a bare Python process", f"{bare:.3f} s", "floor"),
            ("idle memory, process tree", f"{min(memory):.0f} MiB", "goal 150, at most 250"),
        ],
    )


def chain() -> None:
    with server() as it:
        _warm(it)
        warm = min(run(it, pipelines.chain(20)) for _ in range(3)) / 20
        floor = _executor_floor(it)
    with server(SAMPAN_NODE_WARM="false") as it:
        _warm(it)
        cold = run(it, pipelines.chain(20)) / 20
    table(
        "chain of 20 lightweight components, seconds a step",
        [
            ("sampan, warm", f"{warm:.4f} s", "goal 0.025 s, at most 0.05 s"),
            ("sampan, a fresh process each, real pip", f"{cold:.3f} s", f"{cold / warm:.0f} times as long"),
            (
                "a bare `python -m kfp.dsl.executor_main`",
                f"{floor:.3f} s",
                f"{floor / warm:.1f} times as long",
            ),
        ],
    )


def fanout() -> None:
    with server() as it:
        _warm(it)
        seconds = min(run(it, pipelines.fan_out(50, sleep=True, parallelism=50)) for _ in range(2))
    table("fan-out of 50 sleeps of 1 s", [("sampan", f"{seconds:.2f} s", "at most 5 s; floor 1 s")])


def environment() -> None:
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        uv = find_uv_bin()
        subprocess.run([uv, "venv", "-q", f"{folder}/v"], check=True)
        packages = [f"kfp=={pipelines.KFP_VERSION}"]
        subprocess.run(
            [uv, "pip", "install", "-q", "--python", f"{folder}/v", "--no-deps", *packages], check=True
        )
        subprocess.run([uv, "pip", "install", "-q", "--python", f"{folder}/v", *NEW_REQUIREMENTS], check=True)
        alone = time.perf_counter() - started
    with server() as it:
        _warm(it)
        known = run(it, pipelines.chain(1))
        new = run(it, pipelines.chain(1, NEW_REQUIREMENTS)) - known
    table(
        "first use of new requirements",
        [
            ("sampan, beyond a known set", f"{new:.2f} s", f"{new - alone:+.2f} s beside uv; at most +0.5 s"),
            ("uv alone", f"{alone:.2f} s", "floor"),
        ],
    )


def large() -> None:
    with server() as it:
        _warm(it)
        small_chain = run(it, pipelines.chain(20)) / 20
        large_chain = run(it, pipelines.chain(1000), patient=True) / 1000
        small_fan = run(it, pipelines.fan_out(100, sleep=False, parallelism=20)) / 100
        large_fan = run(it, pipelines.fan_out(2000, sleep=False, parallelism=20), patient=True) / 2000
        memory = memory_mib(it)
    table(
        "large runs of ordinary steps, seconds a step",
        [
            ("chain of 20", f"{small_chain:.4f} s", ""),
            ("chain of 1,000", f"{large_chain:.4f} s", f"{large_chain / small_chain:.2f} times; at most 1.2"),
            ("fan-out of 100", f"{small_fan:.4f} s", ""),
            ("fan-out of 2,000", f"{large_fan:.4f} s", f"{large_fan / small_fan:.2f} times; at most 1.2"),
            ("memory afterwards", f"{memory:.0f} MiB", ""),
        ],
    )


def _warm(it: ServerProcess) -> None:
    """Builds the environment and starts its interpreter, which the figures of a warm step leave out."""
    run(it, pipelines.chain(2), name="warm-up")


def _executor_floor(it: ServerProcess) -> float:
    """The executor as a bare process in the same environment, without any engine."""
    python = next((it.home / "envs").glob("*/bin/python"))
    for candidate in (it.home / "envs").glob("*/bin/python"):
        if list(candidate.parent.parent.glob("lib/python*/site-packages/kfp/__init__.py")):
            python = candidate
    with tempfile.TemporaryDirectory() as folder:
        module = Path(folder) / "component.py"
        module.write_text("def step(n: int) -> int:\n    return n + 1\n")
        executor_input = (
            '{"inputs":{"parameterValues":{"n":1}},"outputs":{"parameters":{"Output":{"outputFile":"'
            f'{folder}/o"}}}},"outputFile":"{folder}/out.json"}}}}'
        )
        command = [str(python), "-m", "kfp.dsl.executor_main", "--component_module_path", str(module)]
        environ = {**os.environ, "_KFP_RUNTIME": "true"}
        command += ["--executor_input", executor_input, "--function_to_execute", "step"]
        return _best(lambda: subprocess.run(command, check=True, capture_output=True, env=environ), 5)


def _best(call: Callable[[], object], times: int) -> float:
    seconds = []
    for _ in range(times):
        started = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


BENCHMARKS = {
    f.__name__: f
    for f in (
        startup,
        chain,
        fanout,
        environment,
        large,
        scale.step_overhead,
        scale.light,
        scale.empty_runs,
        scale.dag10k,
        scale.list_runs,
        peers.main,
    )
}
BENCHMARKS["peers"] = BENCHMARKS.pop("main")

if __name__ == "__main__":
    unknown = [name for name in sys.argv[1:] if name not in BENCHMARKS]
    if unknown:
        sys.exit(f"no such benchmark: {', '.join(unknown)}; there are: {', '.join(BENCHMARKS)}")
    for name in sys.argv[1:] or [name for name in BENCHMARKS if name != "peers"]:
        BENCHMARKS[name]()
