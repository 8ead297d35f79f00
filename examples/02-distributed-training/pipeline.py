"""The same training as a step of a pipeline: what it wrote becomes a Model, what it printed Metrics."""

from pathlib import Path

from kfp import dsl

from sampan.sdk import training

HERE = Path(__file__).parent


@dsl.component(base_image="python:3.11")
def judge(model: dsl.Input[dsl.Model], least: float) -> str:
    import json
    from pathlib import Path

    weights = json.loads(Path(model.path, "weights.json").read_text())
    accuracy = model.metadata["accuracy"]
    print("weights", weights, "from", model.metadata["job_kind"], model.metadata["job_name"])
    return "good enough" if accuracy >= least else "to be trained again"


@dsl.pipeline(name="distributed-training")
def distributed_training(steps: int = 20, nodes_agree_at: float = 0.9):
    trained = training.script(HERE / "train.py", "--steps", steps, nodes=2)
    judge(model=trained.outputs["model"], least=nodes_agree_at)
