"""What is asked for as an InferenceService, and what an InferenceService is at."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.components.serving.api import origins
from sampan.components.serving.api.origins import Origin
from sampan.components.serving.api.summary import State, model_name, summarise
from sampan.components.serving.sdk import plan, sent
from sampan.components.serving.sdk.errors import ServingError
from sampan.components.serving.sdk.plan import Options, read_options
from sampan.kube.meta import Object


def isvc(status: dict[str, Any] | None = None, **metadata: Any) -> Object:
    options = Options(format="sklearn", canary=10)
    made = plan.of_model("iris", "team", options, "s3://m/iris")
    return {**made, "metadata": {**made["metadata"], "generation": 2, **metadata}, "status": status or {}}


def status(ready: str, transition: str, **more: Any) -> dict[str, Any]:
    model = {"transitionStatus": transition, "copies": {"totalCopies": 1}, **more}
    conditions = [{"type": "Ready", "status": ready, "message": "later"}]
    return {"observedGeneration": 2, "conditions": conditions, "modelStatus": model}


def test_a_model_becomes_an_inference_service() -> None:
    options = Options(
        format="onnx", protocol="v2", minimum=0, maximum=3, cpu="2", gpu=1, env={"A": "b"}, canary=5
    )
    origin = Origin("id-1", "run-1", "sha256:x", "run:r/train/model")
    made = plan.of_model("iris", "team", options, "file:///m", origin)
    predictor = made["spec"]["predictor"]
    assert predictor["model"]["modelFormat"] == {"name": "onnx"}
    assert predictor["model"]["resources"]["limits"] == {"cpu": "2", "nvidia.com/gpu": "1"}
    assert predictor["model"]["env"] == [{"name": "A", "value": "b"}]
    assert (predictor["minReplicas"], predictor["maxReplicas"], predictor["canaryTrafficPercent"]) == (
        0,
        3,
        5,
    )
    assert origins.claimed(made) == origin
    assert origins.model_uris(made) == ("file:///m",)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"protocol": "v3"}, "v1, v2"),
        ({"canary": 101}, "percentage"),
        ({"minimum": 3, "maximum": 2}, "more than"),
        ({"format": ""}, "format"),
    ],
)
def test_what_cannot_be_is_refused(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ServingError, match=says):
        plan.of_model("iris", "team", Options(**{"format": "sklearn", **options}), "s3://m/iris")


def test_options_have_short_names_and_no_others() -> None:
    assert read_options({"min": 0, "max": 2}) == Options(minimum=0, maximum=2)
    with pytest.raises(ServingError, match="replicas: there is no such option"):
        read_options({"replicas": 1})


@pytest.mark.parametrize(
    ("found", "state", "settled", "why"),
    [
        (status("True", "UpToDate"), State.READY, True, ""),
        (status("True", "UpToDate", copies={"totalCopies": 0}), State.ASLEEP, True, ""),
        (status("True", "InProgress"), State.READY, False, ""),
        ({**status("True", "UpToDate"), "observedGeneration": 1}, State.READY, False, ""),
        (status("False", "InProgress"), State.STARTING, False, "later"),
        (
            status(
                "False", "BlockedByFailedLoad", lastFailureInfo={"reason": "ModelLoadFailed", "message": "no"}
            ),
            State.FAILED,
            False,
            "ModelLoadFailed: no",
        ),
    ],
)
def test_states(found: dict[str, Any], state: State, settled: bool, why: str) -> None:
    summary = summarise(isvc(found))
    assert (summary.state, summary.is_settled, summary.why) == (state, settled, why)


def test_a_newest_revision_that_fails_is_told_while_the_one_before_answers() -> None:
    found = status(
        "True", "BlockedByFailedLoad", lastFailureInfo={"reason": "ModelLoadFailed", "message": "no"}
    )
    found["components"] = {"predictor": {"latestCreatedRevision": "iris-predictor-00002"}}
    summary = summarise(isvc(found))
    assert (summary.state, summary.is_settled, summary.is_broken, summary.ended) == (
        State.READY,
        False,
        True,
        True,
    )
    assert summary.why == "The newest revision iris-predictor-00002 does not start: ModelLoadFailed: no"


def test_what_is_stopped_or_going_says_so() -> None:
    stopped = isvc(status("False", "UpToDate"), annotations={"serving.kserve.io/stop": "true"})
    assert summarise(stopped).state is State.STOPPED
    assert summarise(isvc(deletionTimestamp="now")).state is State.DELETING
    nonsense = isvc({"conditions": "x", "modelStatus": 3, "components": [], "observedGeneration": "2"})
    assert summarise(nonsense).state is State.STARTING


@pytest.mark.parametrize(
    ("artifact", "model", "is_of"),
    [
        ("/home/a/model", "file:///home/a/model", True),
        ("/home/a/model", "file:///home/a/model/1/m.joblib", True),
        ("/home/a/model", "file:///home/a/model2", False),
        ("/home/a/m x", "file:///home/a/m%20x", True),
        ("s3://b/m", "s3://b/m/", True),
        ("", "s3://b/m", False),
    ],
)
def test_models_are_of_the_artifact_that_they_lie_in(artifact: str, model: str, is_of: bool) -> None:
    assert origins.is_of(artifact, model) is is_of


def test_the_innermost_artifact_counts() -> None:
    artifacts = [{"uri": "/a"}, {"uri": "/a/b"}, {"uri": "/a/c"}]
    assert origins.named(list(artifacts), "file:///a/b/model") == {"uri": "/a/b"}
    assert origins.named(list(artifacts), "file:///x") is None


def test_the_name_by_which_a_server_knows_its_model() -> None:
    assert model_name(isvc()) == "iris"
    named = isvc()
    named["spec"]["predictor"]["model"]["args"] = ["--model_name", "other"]
    assert model_name(named) == "other"
    named["spec"]["predictor"]["model"]["args"] = ["--model_name={{.Name}}"]
    assert model_name(named) == "iris"


def test_code_that_changes_is_another_revision() -> None:
    first = sent.container_of(("f", "team"), sent.pack(lambda rows: rows))
    second = sent.container_of(("f", "team"), sent.pack(lambda rows: [each + 1 for each in rows]))
    assert first.volumes != second.volumes
    assert {each["metadata"]["name"] for each in first.maps}.isdisjoint(
        {each["metadata"]["name"] for each in second.maps}
    )


class _NeedsArguments:
    def __init__(self, path: str) -> None:
        self.path = path

    def predict(self, rows: list[Any]) -> list[Any]:
        return rows


@pytest.mark.parametrize("target", [3, lambda: 1, lambda a, b: 1, _NeedsArguments, object()])
def test_what_cannot_be_served_is_refused(target: Any) -> None:
    with pytest.raises(ServingError):
        sent.pack(target)
