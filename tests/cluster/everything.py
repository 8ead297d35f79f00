"""Pipelines of every sort of step, as a user writes them. Compiled by the SDK's own interpreter:

    python everything.py FOLDER

It imports nothing of ours.
"""

import sys
from pathlib import Path

from kfp import compiler, dsl
from kfp.dsl import Artifact, Collected, Dataset, Input, Metrics, Model, Output

IMAGE = "python:3.11"


@dsl.component(base_image=IMAGE)
def make(seed: int, data: Output[Dataset], metrics: Output[Metrics]) -> str:
    """A folder with all that a folder may hold, larger than one piece of a transfer."""
    import hashlib
    import os
    import random

    root = data.path
    os.makedirs(f"{root}/deep/er")
    os.makedirs(f"{root}/empty")
    content = random.Random(seed).randbytes(20 * 1024 * 1024 + 7)
    with open(f"{root}/deep/er/large.bin", "wb") as file:
        file.write(content)
    with open(f"{root}/deep/nothing", "w"):
        pass
    with open(f"{root}/run.sh", "w") as file:
        file.write("#!/bin/sh\necho ran\n")
    os.chmod(f"{root}/run.sh", 0o755)
    os.symlink("er/large.bin", f"{root}/deep/link.bin")
    data.metadata["seed"] = seed
    metrics.log_metric("size", len(content))
    print(f"made {len(content)} bytes")
    return hashlib.sha256(content).hexdigest()


@dsl.component(base_image=IMAGE)
def check(data: Input[Dataset], digest: str, model: Output[Model]) -> int:
    """Finds what `make` left, on another node perhaps."""
    import hashlib
    import os
    import subprocess

    for name in ("er/large.bin", "link.bin"):
        with open(f"{data.path}/deep/{name}", "rb") as file:
            assert hashlib.sha256(file.read()).hexdigest() == digest, name
    assert os.path.getsize(f"{data.path}/deep/nothing") == 0
    assert os.listdir(f"{data.path}/empty") == []
    assert subprocess.check_output([f"{data.path}/run.sh"]) == b"ran\n"
    with open(model.path, "w") as file:
        file.write("a model")
    print("all of it is here")
    return data.metadata["seed"]


@dsl.component(base_image=IMAGE)
def square(n: int, out: Output[Artifact]) -> int:
    with open(out.path, "w") as file:
        file.write(str(n * n))
    return n * n


@dsl.component(base_image=IMAGE)
def add(numbers: list, files: Input[list[Artifact]]) -> int:
    total = 0
    for each in files:
        with open(each.path) as file:
            total += int(file.read())
    assert total == sum(numbers), (total, numbers)
    return total


@dsl.component(base_image=IMAGE)
def say(text: str):
    print(text)


@dsl.container_component
def third_time(said: dsl.OutputPath(str)):
    """Fails in its first two attempts: their number is in the path."""
    script = 'case "$0" in */1/*|*/2/*) echo not yet; exit 3;; esac; echo -n at last > "$0"; echo done'
    return dsl.ContainerSpec(image=IMAGE, command=["sh", "-c", script], args=[said])


@dsl.container_component
def fail():
    return dsl.ContainerSpec(image=IMAGE, command=["sh", "-c", "echo before the end; exit 3"])


@dsl.container_component
def linger(seconds: int):
    # The first process of a container does not end on SIGTERM unless it says so.
    script = 'trap "exit 143" TERM; sleep "$0" & wait $!'
    return dsl.ContainerSpec(image=IMAGE, command=["sh", "-c", script], args=[seconds])


@dsl.component(base_image=IMAGE)
def report(status: dsl.PipelineTaskFinalStatus):
    print(f"it {status.state}: {status.error_message}")


@dsl.pipeline(name="everything")
def everything(seed: int = 7):
    made = make(seed=seed)
    checked = check(data=made.outputs["data"], digest=made.outputs["Output"])
    with dsl.ParallelFor([1, 2, 3]) as item:
        squared = square(n=item)
    total = add(numbers=Collected(squared.outputs["Output"]), files=Collected(squared.outputs["out"]))
    with dsl.If(total.output == 14):
        say(text="fourteen")
    with dsl.Else():
        say(text="something else")
    third_time().set_retry(2, backoff_duration="0s").after(checked).set_caching_options(False)


@dsl.pipeline(name="broken")
def broken():
    with dsl.ExitHandler(report()):
        fail().set_caching_options(False)


@dsl.pipeline(name="long")
def long(seconds: int = 600):
    linger(seconds=seconds).set_caching_options(False)


for pipeline in (everything, broken, long):
    compiler.Compiler().compile(pipeline, str(Path(sys.argv[1]) / f"{pipeline.name}.yaml"))
