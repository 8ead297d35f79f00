"""The chain of 20 on other engines, each in an environment of its own that uv makes: nothing here is a dependency."""

from __future__ import annotations

import subprocess
import tempfile
import textwrap
from pathlib import Path

from harness import table
from uv import find_uv_bin

_TIMED = """
import time
started = time.perf_counter()
{body}
print("SECONDS", time.perf_counter() - started)
"""

_KFP_LOCAL = """
from kfp import dsl, local
local.init(runner=local.SubprocessRunner(use_venv=False), raise_on_error=True)

@dsl.component
def step(n: int) -> int:
    return n + 1

@dsl.pipeline
def chain():
    last = step(n=0)
    for _ in range(19):
        last = step(n=last.output)
"""

_PREFECT = """
from prefect import flow, task

@task
def step(n: int) -> int:
    return n + 1

@flow
def chain():
    n = 0
    for _ in range(20):
        n = step(n)

chain()  # the first run starts its server
"""

_DAGSTER = """
from dagster import job, op

@op
def first() -> int:
    return 0

@op
def step(n: int) -> int:
    return n + 1

@job
def the_job():
    last = first()
    for _ in range(20):
        last = step(last)

def chain():
    assert the_job.execute_in_process().success
"""

PEERS = {
    "kfp.local, without venv": (("kfp==2.17.0",), _KFP_LOCAL),
    "Prefect, tasks in its own process": (("prefect",), _PREFECT),
    "Dagster, in one process": (("dagster",), _DAGSTER),
}


def main() -> None:
    rows = []
    for name, (packages, program) in PEERS.items():
        with tempfile.TemporaryDirectory() as folder:
            uv = find_uv_bin()
            subprocess.run([uv, "venv", "-q", "--seed", "--python", "3.11", f"{folder}/v"], check=True)
            python = f"{folder}/v/bin/python"
            subprocess.run([uv, "pip", "install", "-q", "--python", python, *packages], check=True)
            file = Path(folder) / "program.py"
            file.write_text(textwrap.dedent(program) + _TIMED.format(body="chain()"))
            environ = {"HOME": folder, "PATH": f"{folder}/v/bin:/usr/bin:/bin"}
            done = subprocess.run(
                [python, str(file)], capture_output=True, text=True, env=environ, cwd=folder, check=False
            )
            figure = [line for line in done.stdout.splitlines() if line.startswith("SECONDS")]
            if figure:
                rows.append((name, f"{float(figure[0].split()[1]) / 20:.4f} s", ""))
            else:
                last = (done.stderr.strip().splitlines() or ["?"])[-1]
                rows.append((name, "failed", last[:90]))
    table("chain of 20 on peers, seconds a step (in-process ones isolate nothing)", rows)


if __name__ == "__main__":
    main()
