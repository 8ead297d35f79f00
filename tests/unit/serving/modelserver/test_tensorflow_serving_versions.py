"""Versions of models that come, go and fail, and what the REST API says of them meanwhile."""

from __future__ import annotations

import asyncio
import json
import shutil
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sampan.components.serving.engine.programs.modelserver.contract import (
    LoadError,
    Metadata,
    Source,
    Tensor,
    TensorSpec,
)
from sampan.components.serving.engine.programs.modelserver.errors import RequestError
from sampan.components.serving.engine.programs.modelserver.http.messages import Request, Response
from sampan.components.serving.engine.programs.modelserver.repository import Repository
from sampan.components.serving.engine.programs.modelserver.tfserving.configuration import Model, Settings
from sampan.components.serving.engine.programs.modelserver.tfserving.errors import StatusError
from sampan.components.serving.engine.programs.modelserver.tfserving.rest import Rest
from sampan.components.serving.engine.programs.modelserver.tfserving.start import TensorFlowServing
from sampan.components.serving.engine.programs.modelserver.tfserving.versions import Versions


class Adder:
    """Adds its version to what it is sent."""

    max_batch = 0

    def __init__(self, name: str, version: int) -> None:
        spec = TensorSpec("x", "FP32", (-1,))
        self.metadata = Metadata(name, "test", (spec,), (TensorSpec("y", "FP32", (-1,)),))
        self.version = version
        self.is_closed = False

    def from_instances(self, instances: Any) -> Sequence[Tensor]:
        raise AssertionError("TensorFlow Serving's API reads by signatures")

    def run(self, inputs: Sequence[Tensor], parameters: Mapping[str, Any]) -> Sequence[Tensor]:
        return [Tensor("y", inputs[0].data + np.float32(self.version), "FP32")]

    def to_predictions(self, outputs: Sequence[Tensor]) -> Any:
        raise AssertionError("TensorFlow Serving's API writes by itself")

    def close(self) -> None:
        self.is_closed = True


class Folder:
    """A base path, and what is loaded from it."""

    def __init__(self, path: Path, settings: Settings, **policy: Any) -> None:
        self.path = path
        self.model = Model("m", str(path), **policy)
        self.loaded: dict[int, Adder] = {}
        self.wait: threading.Event | None = None
        self.began = threading.Event()
        self.repository = Repository(None)
        self.versions = Versions(self._load, {}, settings, self.repository)
        self.rest = Rest(self.versions)

    def _load(self, source: Source) -> Adder:
        if self.wait is not None:
            self.began.set()
            assert self.wait.wait(10)
        if (Path(source.folder) / "broken").exists():
            raise LoadError("it is broken")
        made = Adder(source.name, int(Path(source.folder).name))
        self.loaded[made.version] = made
        return made

    def put(self, *versions: str) -> None:
        for each in versions:
            (self.path / each).mkdir()

    async def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        answered: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        content = b"" if body is None else json.dumps(body).encode()
        self.rest.route(Request(method, path, "", {}, content), answered.set_result)  # type: ignore[arg-type]
        answer = await asyncio.wait_for(answered, 60)
        return answer.status, json.loads(answer.body)

    async def adds(self, path: str = "/v1/models/m") -> Any:
        status, answer = await self.call("POST", f"{path}:predict", {"instances": [0.0]})
        return answer["predictions"][0] if status == 200 else answer["error"]

    async def states(self) -> dict[str, str]:
        _, answer = await self.call("GET", "/v1/models/m")
        return {each["version"]: each["state"] for each in answer["model_version_status"]}


QUICK = Settings(retries=1, retry_seconds=3600)


def folder(tmp_path: Path, *versions: str, settings: Settings = QUICK, **policy: Any) -> Folder:
    made = Folder(tmp_path, settings, **policy)
    made.put(*versions)
    return made


def first(made: Folder) -> Folder:
    made.versions.load_first([made.model])
    return made


def test_the_newest_is_served_and_a_newer_takes_its_place(tmp_path: Path) -> None:
    async def run() -> None:
        made = first(folder(tmp_path, "00000002", "10", "assets", "9"))
        assert await made.adds() == 10.0
        assert await made.states() == {"10": "AVAILABLE"}
        before = made.loaded[10]
        made.put("11")
        await made.versions.look()
        assert await made.adds() == 11.0
        assert await made.states() == {"11": "AVAILABLE", "10": "END"}
        await asyncio.sleep(0)
        assert before.is_closed
        assert made.repository.ready("m").model is made.loaded[11]
        shutil.rmtree(tmp_path / "11")
        await made.versions.look()
        assert await made.adds() == 10.0
        assert made.loaded[10] is not before
        status, answer = await made.call("GET", "/v1/models/m/versions/7")
        assert (status, answer) == (404, {"error": "Could not find version 7 of model m"})
        assert await made.adds("/v1/models/m/versions/11") == (
            "Servable not found for request: Specific(m, 11)"
        )

    asyncio.run(run())


def test_the_old_one_answers_while_the_new_one_loads(tmp_path: Path) -> None:
    async def run() -> None:
        made = first(folder(tmp_path, "1"))
        made.wait = threading.Event()
        made.put("2")
        looking = asyncio.create_task(made.versions.look())
        await asyncio.to_thread(made.began.wait, 10)
        assert await made.states() == {"2": "LOADING", "1": "AVAILABLE"}
        assert await made.adds() == 1.0
        made.wait.set()
        await looking
        assert await made.adds() == 2.0

    asyncio.run(run())


def test_what_was_asked_before_is_answered_by_the_version_that_was_asked(tmp_path: Path) -> None:
    async def run() -> None:
        made = first(folder(tmp_path, "1"))
        asked = asyncio.create_task(made.adds())
        await asyncio.sleep(0)
        made.put("2")
        old = made.loaded[1]
        await made.versions.look()
        assert await asked == 1.0
        assert old.is_closed

    asyncio.run(run())


def test_a_version_that_fails_leaves_the_old_one_and_is_tried_again_when_it_changes(tmp_path: Path) -> None:
    async def run() -> None:
        made = first(folder(tmp_path, "1"))
        made.put("2")
        (tmp_path / "2" / "broken").touch()
        for _ in range(3):
            await made.versions.look()
        assert await made.adds() == 1.0
        _, answer = await made.call("GET", "/v1/models/m/versions/2")
        assert answer["model_version_status"] == [
            {
                "version": "2",
                "state": "END",
                "status": {"error_code": "UNKNOWN", "error_message": "it is broken"},
            }
        ]
        (tmp_path / "2" / "broken").unlink()
        await made.versions.look()
        assert await made.adds() == 2.0
        assert await made.states() == {"2": "AVAILABLE", "1": "END"}

    asyncio.run(run())


def test_policies(tmp_path: Path) -> None:
    async def run() -> None:
        several = {"all": {"latest": 0}, "two": {"latest": 2}, "pinned": {"specific": (1, 3)}}
        served = {"all": ["3", "2", "1"], "two": ["3", "2"], "pinned": ["3", "1"]}
        for name, policy in several.items():
            (tmp_path / name).mkdir()
            made = first(folder(tmp_path / name, "1", "2", "3", **policy))
            assert await made.states() == dict.fromkeys(served[name], "AVAILABLE")
            assert await made.adds() == 3.0
            assert await made.adds(f"/v1/models/m/versions/{served[name][-1]}") == float(served[name][-1])

    asyncio.run(run())


def test_labels(tmp_path: Path) -> None:
    async def run() -> None:
        made = first(folder(tmp_path, "1", "2", latest=0, labels={"stable": 1}))
        assert await made.adds("/v1/models/m/labels/stable") == 1.0
        await made.versions.apply([Model("m", str(tmp_path), latest=0, labels={"stable": 2, "canary": 2})])
        assert await made.adds("/v1/models/m/labels/stable") == 2.0
        with pytest.raises(
            StatusError, match="Request to assign label to version 3 of model m, which is not"
        ):
            await made.versions.apply([Model("m", str(tmp_path), latest=0, labels={"new": 3})])
        assert await made.adds("/v1/models/m/labels/canary") == 2.0
        assert await made.adds("/v1/models/m/labels/none") == "Unrecognized servable version label: none"

    asyncio.run(run())


def test_labels_for_what_is_not_there_are_allowed_by_a_setting_but_do_not_move(tmp_path: Path) -> None:
    async def run() -> None:
        made = first(
            folder(tmp_path, "1", settings=Settings(allow_labels_for_unavailable=True), labels={"stable": 1})
        )
        await made.versions.apply([Model("m", str(tmp_path), labels={"stable": 1, "canary": 2})])
        with pytest.raises(StatusError, match="version 2 of model m"):
            await made.versions.apply([Model("m", str(tmp_path), labels={"stable": 2})])

    asyncio.run(run())


def test_another_configuration_is_all_that_counts(tmp_path: Path) -> None:
    async def run() -> None:
        (tmp_path / "a").mkdir()
        (tmp_path / "b" / "5").mkdir(parents=True)
        made = first(folder(tmp_path / "a", "1"))
        await made.versions.apply([Model("b", str(tmp_path / "b"))])
        assert await made.adds() == "Servable not found for request: Latest(m)"
        assert await made.adds("/v1/models/b") == 5.0
        assert await made.states() == {"1": "END"}
        assert made.repository.names() == ["b"]
        with pytest.raises(StatusError, match="Could not find base path"):
            await made.versions.apply([Model("c", str(tmp_path / "c"))])

    asyncio.run(run())


def test_a_folder_that_cannot_be_read_changes_nothing_and_an_empty_one_ends_it(tmp_path: Path) -> None:
    async def run() -> None:
        made = first(folder(tmp_path / "m", "1") if (tmp_path / "m").mkdir() is None else folder(tmp_path))
        (tmp_path / "m").rename(tmp_path / "away")
        await made.versions.look()
        assert await made.adds() == 1.0
        (tmp_path / "m").mkdir()
        await made.versions.look()
        assert await made.states() == {"1": "END"}

    asyncio.run(run())


@pytest.mark.parametrize(
    ("versions", "policy", "words"),
    [
        ((), {}, "No versions of servable m found under base path"),
        (("1",), {"specific": (2,)}, "None of the versions that the configuration names .* there are 1"),
    ],
)
def test_the_start_says_what_is_missing(
    tmp_path: Path, versions: Sequence[str], policy: dict[str, Any], words: str
) -> None:
    with pytest.raises(LoadError, match=words):
        first(folder(tmp_path, *versions, **policy))


def test_the_start_fails_with_the_models_own_words(tmp_path: Path) -> None:
    made = folder(tmp_path, "1")
    (tmp_path / "1" / "broken").touch()
    with pytest.raises(LoadError, match="version 1: it is broken"):
        first(made)


@pytest.mark.parametrize(
    ("method", "path", "status", "words"),
    [
        ("GET", "/v1/models", 400, "Missing model name in request."),
        ("GET", "/v1/models/none", 404, "Could not find any versions of model none"),
        ("GET", "/v1/models/none/metadata", 404, "Servable not found for request: Latest(none)"),
        ("POST", "/v1/models/m:explain", 400, "Malformed request: POST /v1/models/m:explain"),
        ("POST", "/v1/models/m/versions/x:predict", 400, "Malformed request: POST"),
        ("GET", "/v1/models/m:predict", 400, "Malformed request: GET /v1/models/m:predict"),
        ("DELETE", "/v1/models/m", 400, "Malformed request: DELETE /v1/models/m"),
        ("GET", f"/v1/models/m/versions/{2**63}", 400, "Failed to convert version: 9223372036854775808 to"),
        ("POST", "/v1/models/m:predict", 400, "JSON Parse error: The document is empty"),
    ],
)
def test_what_is_no_request(tmp_path: Path, method: str, path: str, status: int, words: str) -> None:
    async def run() -> None:
        found, answer = await first(folder(tmp_path, "1")).call(method, path)
        assert found == status
        assert answer["error"].startswith(words)

    asyncio.run(run())


def test_the_repository_api_takes_no_version_away(tmp_path: Path) -> None:
    async def run() -> None:
        made = first(folder(tmp_path, "1"))
        made.repository.extension = TensorFlowServing(made.versions, QUICK)
        with pytest.raises(RequestError, match="come and go with their folders"):
            await made.repository.unload("m")
        assert await made.adds() == 1.0

    asyncio.run(run())


def test_metadata_of_a_model_whose_files_name_no_signature(tmp_path: Path) -> None:
    async def run() -> None:
        _, answer = await first(folder(tmp_path, "1")).call("GET", "/v1/models/m/metadata")
        assert answer["model_spec"] == {"name": "m", "signature_name": "", "version": "1"}
        signature = answer["metadata"]["signature_def"]["signature_def"]["serving_default"]
        shape = {"dim": [{"size": "-1", "name": ""}], "unknown_rank": False}
        assert signature["inputs"] == {"x": {"name": "x", "dtype": "DT_FLOAT", "tensor_shape": shape}}
        assert signature["method_name"] == "tensorflow/serving/predict"

    asyncio.run(run())


def test_a_signature_that_there_is_not(tmp_path: Path) -> None:
    async def run() -> None:
        made = first(folder(tmp_path, "1"))
        body = {"signature_name": "none", "instances": [1.0]}
        status, answer = await made.call("POST", "/v1/models/m:predict", body)
        assert (status, answer["error"]) == (
            400,
            'Serving signature name: "none" not found in signature def',
        )
        body = {"signature_name": "none", "examples": [{"x": 1.0}]}
        _, answer = await made.call("POST", "/v1/models/m:regress", body)
        assert answer["error"] == "No signature was found with the name: none"

    asyncio.run(run())
