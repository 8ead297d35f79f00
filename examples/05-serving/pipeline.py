"""Trains a decision tree on handwritten digits, and serves it: the endpoint `digits`."""

from kfp import dsl

from sampan.sdk import serving

SKLEARN = "kserve/sklearnserver:v0.20.0"
"""The image in which the model is served: what it is trained with is what reads it."""


@dsl.component(base_image=SKLEARN)
def prepare(data: dsl.Output[dsl.Dataset]):
    from sklearn.datasets import load_digits

    load_digits(as_frame=True).frame.to_csv(data.path, index=False)


@dsl.component(base_image=SKLEARN)
def train(
    data: dsl.Input[dsl.Dataset], depth: int, model: dsl.Output[dsl.Model], metrics: dsl.Output[dsl.Metrics]
):
    import os

    import joblib
    import pandas
    from sklearn.model_selection import train_test_split
    from sklearn.tree import DecisionTreeClassifier

    table = pandas.read_csv(data.path)
    learn, judge = train_test_split(table, test_size=0.25, random_state=0)
    tree = DecisionTreeClassifier(max_depth=depth, random_state=0)
    tree.fit(learn.drop(columns="target").to_numpy(), learn["target"])
    accuracy = tree.score(judge.drop(columns="target").to_numpy(), judge["target"])
    metrics.log_metric("accuracy", accuracy)
    os.makedirs(model.path)
    joblib.dump(tree, f"{model.path}/model.joblib")
    model.metadata["framework"] = "sklearn"


@dsl.component(base_image="python:3.11")
def announce(url: str) -> str:
    return f"digits are read at {url}"


@dsl.pipeline(name="serve-digits")
def serve_digits(depth: int = 10, canary: str = ""):
    trained = train(data=prepare().outputs["data"], depth=depth)
    served = serving.deploy(model=trained.outputs["model"], name="digits", format="sklearn", canary=canary)
    announce(url=served.outputs["url"])
