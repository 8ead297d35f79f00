# ruff: noqa: UP006, UP035  (what the SDK reads: typing's types)
"""The pipelines of the seeded server, written with the real SDK. Called by `seed` with an interpreter that has it.

    python seeded.py FOLDER

writes FOLDER/NAME.yaml for each. Their steps are short, and show everything that a page can show of a run.
"""

import sys
from pathlib import Path
from typing import List

from kfp import compiler, dsl, kubernetes
from kfp.dsl import HTML, Artifact, ClassificationMetrics, Dataset, Input, Markdown, Metrics, Model, Output

IMAGE = "python:3.11"


@dsl.component(base_image=IMAGE)
def prepare(rows: int, seed: int, data: Output[Dataset]):
    """Makes up a table."""
    import random

    random.seed(seed)
    with open(data.path, "w") as file:
        file.write("height,width,label\n")
        for _ in range(rows):
            file.write(f"{random.random():.3f},{random.random():.3f},{random.choice('abc')}\n")
    data.metadata["rows"] = rows
    print(f"{rows} rows")


@dsl.component(base_image=IMAGE)
def train(
    learning_rate: float, data: Input[Dataset], model: Output[Model], metrics: Output[Metrics]
) -> float:
    """Pretends to learn, and says how well."""
    with open(data.path) as file:
        rows = len(file.readlines()) - 1
    accuracy = round(0.98 - abs(learning_rate - 0.1) - 1 / (rows + 1), 4)
    with open(model.path, "w") as file:
        file.write("weights")
    model.metadata.update(framework="none", learning_rate=learning_rate)
    metrics.log_metric("accuracy", accuracy)
    metrics.log_metric("loss", round(1 - accuracy, 4))
    for epoch in range(5):
        print(f"epoch {epoch + 1}/5 \033[32maccuracy\033[0m {accuracy * (epoch + 5) / 9:.3f}")
    return accuracy


@dsl.component(base_image=IMAGE)
def evaluate(
    data: Input[Dataset], accuracy: float, curve: Output[ClassificationMetrics], metrics: Output[Metrics]
):
    points = 20
    fpr = [i / points for i in range(points + 1)]
    curve.log_roc_curve(fpr, [rate ** (1 - accuracy) for rate in fpr], [1 - rate for rate in fpr])
    right, wrong = int(accuracy * 100), 100 - int(accuracy * 100)
    curve.log_confusion_matrix(
        ["a", "b", "c"], [[right, wrong, 0], [wrong // 2, right, wrong // 2], [0, wrong, right]]
    )
    metrics.log_metric("accuracy", accuracy)
    metrics.log_metric("recall", round(accuracy * 0.97, 4))


@dsl.component(base_image=IMAGE)
def report(accuracy: float, page: Output[HTML], notes: Output[Markdown], picture: Output[Artifact]):
    """One of each kind that is looked at."""
    import struct
    import zlib

    with open(page.path, "w") as file:
        file.write(
            f"<h1>Report</h1><p>Accuracy: <b>{accuracy}</b></p><script>document.title = 'ran'</script>"
        )
    with open(notes.path, "w") as file:
        file.write(
            f"# Notes\n\n| measure | value |\n|---|---|\n| accuracy | {accuracy} |\n\n- one\n- *two*\n"
        )
    side = 64
    pixels = b"".join(b"\0" + bytes(v for x in range(side) for v in (4 * x, 4 * y, 128)) for y in range(side))

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    picture.uri += ".png"
    with open(picture.path, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)))
        file.write(chunk(b"IDAT", zlib.compress(pixels)) + chunk(b"IEND", b""))


@dsl.component(base_image=IMAGE)
def say(text: str) -> str:
    print(text)
    return text


@dsl.component(base_image=IMAGE)
def flip(sides: int) -> str:
    return "heads" if sides % 2 else "tails"


@dsl.component(base_image=IMAGE)
def numbers(count: int) -> List[int]:
    return list(range(count))


@dsl.component(base_image=IMAGE)
def square(number: int) -> int:
    return number * number


@dsl.component(base_image=IMAGE)
def break_down(reason: str):
    """Fails as code does: with a traceback."""
    print("reading the table …")
    print("\033[33mwarning: 3 rows have no label\033[0m")
    raise ValueError(reason)


@dsl.component(base_image=IMAGE)
def count(seconds: int):
    """A line each second."""
    import time

    for second in range(seconds):
        print(f"second {second}", flush=True)
        time.sleep(1)


@dsl.component(base_image=IMAGE)
def tidy(status: dsl.PipelineTaskFinalStatus):
    print("it ended as", status.state)


@dsl.pipeline(description="Makes a table, trains on it, and judges what came of it")
def train_model(rows: int = 200, seed: int = 7, learning_rate: float = 0.1):
    table = prepare(rows=rows, seed=seed)
    trained = train(learning_rate=learning_rate, data=table.outputs["data"])
    evaluate(data=table.outputs["data"], accuracy=trained.outputs["Output"])
    report(accuracy=trained.outputs["Output"])


@dsl.pipeline(description="As the first, and says so when it is done")
def train_model_v2(rows: int = 200, seed: int = 7, learning_rate: float = 0.1, notify: bool = True):
    table = prepare(rows=rows, seed=seed)
    trained = train(learning_rate=learning_rate, data=table.outputs["data"]).set_retry(num_retries=2)
    judged = evaluate(data=table.outputs["data"], accuracy=trained.outputs["Output"])
    report(accuracy=trained.outputs["Output"])
    with dsl.If(notify == True):  # noqa: E712  (the SDK's own comparison)
        say(text="done").after(judged)


@dsl.pipeline
def inner(text: str) -> str:
    first = say(text=text)
    return say(text=first.output).output


@dsl.pipeline(description="Branches, loops within loops, a pipeline within the pipeline")
def every_shape(sides: int = 3, name: str = "world"):
    last = tidy()
    with dsl.ExitHandler(last, name="always-tidy"):
        coin = flip(sides=sides)
        with dsl.If(coin.output == "heads", name="heads"):
            say(text="heads it is").set_display_name("say heads")
        with dsl.Else(name="tails"):
            say(text="tails it is").set_display_name("say tails")
        inner(text=name)
        with dsl.ParallelFor(items=["a", "b"], name="letters", parallelism=2) as letter:
            said = say(text=letter)
            with dsl.ParallelFor(items=[1, 2, 3], name="numbers") as number:
                square(number=number).after(said)


@dsl.pipeline(description="A loop over what a step found")
def wide_loop(count: int = 12):
    with dsl.ParallelFor(numbers(count=count).output, name="each") as number:
        square(number=number)


@dsl.pipeline(description="Its second step fails")
def breaks(reason: str = "the column 'label' is missing"):
    first = say(text="about to break")
    broken = break_down(reason=reason).after(first)
    say(text="never said").after(broken)


@dsl.pipeline(description="Goes on for as long as it is told")
def long_one(seconds: int = 1800):
    first = say(text="off we go")
    count(seconds=seconds).after(first)


@dsl.pipeline(description="Wants more than this machine has")
def too_large():
    say(text="waits").set_cpu_request("640").set_cpu_limit("640")


@dsl.pipeline(description="Uses the cluster's own things")
def on_kubernetes():
    task = say(text="with a secret")
    kubernetes.set_timeout(task, 300)


PIPELINES = (train_model, train_model_v2, every_shape, wide_loop, breaks, long_one, too_large, on_kubernetes)

if __name__ == "__main__":
    for pipeline in PIPELINES:
        compiler.Compiler().compile(pipeline, str(Path(sys.argv[1]) / f"{pipeline.name}.yaml"))
