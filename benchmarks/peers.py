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

_METAFLOW = """
import subprocess, sys
steps = "\\n".join(
    f"    @step\\n    def s{n}(self):\\n        self.n += 1\\n        self.next(self.s{n + 1})\\n" for n in range(1, 19)
)
text = (
    "from metaflow import FlowSpec, step\\n\\nclass Chain(FlowSpec):\\n    @step\\n    def start(self):\\n"
    "        self.n = 0\\n        self.next(self.s1)\\n" + steps
    + "    @step\\n    def s19(self):\\n        self.next(self.end)\\n"
    "    @step\\n    def end(self):\\n        pass\\n\\nif __name__ == '__main__':\\n    Chain()\\n"
)
open("flow.py", "w").write(text)

def chain():
    subprocess.run([sys.executable, "flow.py", "--quiet", "run"], check=True, stdout=subprocess.DEVNULL)
"""

_LUIGI = """
import luigi

class Step(luigi.Task):
    number = luigi.IntParameter()

    def requires(self):
        return [Step(self.number - 1)] if self.number else []

    def output(self):
        return luigi.LocalTarget(f"out/{self.number}")

    def run(self):
        before = 0
        if self.number:
            with self.input()[0].open() as file:
                before = int(file.read())
        with self.output().open("w") as file:
            file.write(str(before + 1))

def chain():
    assert luigi.build([Step(19)], local_scheduler=True, log_level="WARNING")
"""

# Pinned to what was seen to start; Prefect's own server wants more than its twenty seconds on a small machine.
PEERS = {
    "kfp.local, without venv": (("kfp==2.17.0",), _KFP_LOCAL),
    "Prefect, tasks in its own process, its server beside it": (("prefect==3.9.1",), _PREFECT),
    "Dagster, in one process": (("dagster==1.13.29",), _DAGSTER),
    "Metaflow, a process for each step": (("metaflow==2.19.39", "setuptools<81"), _METAFLOW),
    "Luigi, in one process, a file for each step": (("luigi==3.8.1", "setuptools<81"), _LUIGI),
}
_VARIABLES = {
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",
    "PREFECT_LOGGING_LEVEL": "ERROR",
    "DO_NOT_TRACK": "1",
    "DAGSTER_DISABLE_TELEMETRY": "1",
    "METAFLOW_USER": "bench",
    "USER": "bench",
}


def main() -> None:
    rows = []
    for name, (packages, program) in PEERS.items():
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            uv = find_uv_bin()
            subprocess.run([uv, "venv", "-q", "--seed", "--python", "3.11", f"{folder}/v"], check=True)
            python = f"{folder}/v/bin/python"
            subprocess.run([uv, "pip", "install", "-q", "--python", python, *packages], check=True)
            file = Path(folder) / "program.py"
            file.write_text(textwrap.dedent(program) + _TIMED.format(body="chain()"))
            environ = {"HOME": folder, "PATH": f"{folder}/v/bin:/usr/bin:/bin", **_VARIABLES}
            done = subprocess.run(
                [python, str(file)],
                capture_output=True,
                text=True,
                env=environ,
                cwd=folder,
                check=False,
                timeout=600,
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
