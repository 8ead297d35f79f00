"""A language model of Transformers as OpenAI's own client sees it; what `generate` writes is what is answered."""

from __future__ import annotations

import http.client
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from sampan.cluster.node.environments.programs import package_folder
from sampan.testing.clients import interpreter_with
from sampan.testing.homes import home_with_frameworks
from sampan.testing.model_servers import Served, serving
from sampan.testing.server import ServerProcess

CLIENT = Path(__file__).with_name("clients") / "openai_client.py"
KIND = "/apis/serving.kserve.io/v1beta1/namespaces/default/inferenceservices"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def llama(language_models: Any) -> tuple[Path, str]:
    return next(each for each in language_models.cases if each.name == "llama"), language_models.python


@pytest.fixture(scope="module")
def server(llama: tuple[Path, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with tiny(llama, tmp_path_factory.mktemp("llama")) as served:
        yield served


def tiny(llama: tuple[Path, str], tmp_path: Path) -> AbstractContextManager[Served]:
    folder, python = llama
    package = package_folder(tmp_path / "programs", "serving")
    words = (
        "--runtime=huggingface",
        "--model_name=tiny",
        f"--model_dir={folder / 'model'}",
        "--max_num_seqs=4",
    )
    environ = {"PYTHONPATH": str(package)}
    return serving(tmp_path, *words, python=python, module="sampan_serving.modelserver", environ=environ)


def test_answers_are_transformers_own(language_models: Any, tmp_path: Path) -> None:
    """Several models in one server: a folder of folders; those with arguments of their own get one each."""
    found = language_models
    package = package_folder(tmp_path / "programs", "serving")
    together = tmp_path / "models"
    environ = {"PYTHONPATH": str(package)}
    served: dict[str, tuple[Path, dict[str, str], list[Path]]] = {"": (together, {}, [])}
    for case in found.cases:
        options = json.loads((case / "case.json").read_text())["options"]
        if options:
            served[case.name] = (case / "alone", options, [case])
        else:
            served[""][2].append(case)
    for folder, options, cases in served.values():
        for case in cases:
            shutil.copytree(case / "model", folder / case.name)
        words = ("--runtime=huggingface", f"--model_dir={folder}")
        how = {"python": found.python, "module": "sampan_serving.modelserver", "environ": environ | options}
        with serving(tmp_path, *words, **how) as server:
            for case in cases:
                answered(server, case)


def answered(server: Served, case: Path) -> None:
    recorded = json.loads((case / "case.json").read_text())
    for each in recorded["v1"]:
        status, answer = server.post(f"/v1/models/{case.name}:predict", {"instances": each["instances"]})
        assert status == 200, (case.name, answer)
        assert same(answer["predictions"], each["predictions"]), (case.name, answer, each)
    for each in recorded["v2"]:
        status, answer = server.post(f"/v2/models/{case.name}/infer", {"inputs": each["inputs"]})
        assert status == 200, (case.name, answer)
        for told, wanted in zip(answer["outputs"], each["outputs"], strict=True):
            assert (told["name"], told["datatype"]) == (wanted["name"], wanted["datatype"])
            assert told["shape"] == wanted["shape"]
            assert same(told["data"], wanted["data"]), (case.name, told, wanted)


def same(found: Any, wanted: Any) -> bool:
    """Numbers as near as they are when rows are padded to the same length."""
    if isinstance(wanted, dict):
        return found.keys() == wanted.keys() and all(same(found[key], wanted[key]) for key in wanted)
    if isinstance(wanted, list):
        return len(found) == len(wanted) and all(same(*pair) for pair in zip(found, wanted, strict=True))
    return bool(found == pytest.approx(wanted, abs=2e-4) if isinstance(wanted, float) else found == wanted)


def asked(base: str) -> dict[str, Any]:
    python = interpreter_with("openai")
    done = subprocess.run([python, CLIENT, base, "tiny"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def check(found: dict[str, Any], *, model: str | None = "tiny") -> None:
    assert (found["models"], found["model"]) == (["tiny"], model)
    assert (found["unknown"], found["too_long"]) == (404, 400)
    whole, streamed = found["text"], found["streamed"]
    assert streamed["text"] == whole
    assert streamed["role"] == "assistant"
    assert streamed["chunks"] > 3
    assert streamed["finish"] == [*([None] * (streamed["chunks"] - 1)), found["finish"]]
    assert streamed["usage"] == found["usage"]
    assert len(found["logprobs"]) == found["usage"]["completion_tokens"]
    assert all(chosen == pytest.approx(max(top)) for chosen, top in found["logprobs"])
    first, again, other = found["drawn"]
    assert first == again != other
    assert len(set(first)) > 1
    assert found["echoed"][0].startswith("the quick")
    assert found["echoed"][1].startswith("paris")
    assert found["prompt_logprobs"][0] is None
    assert all(each < 0 for each in found["prompt_logprobs"][1:])
    assert found["stopped"] == [whole[: whole.index(whole[4:6])], "stop"]
    assert [each[:2] for each in found["refused"]] == [
        [422, "temperature"],
        [422, "tool_choice"],
        [422, "stop"],
    ]


def test_openais_client(server: Served) -> None:
    check(asked(f"{server.url}/openai/v1"))
    # There V1 says of a model whether it is ready.
    check(asked(f"{server.url}/v1"), model=None)


def test_more_texts_than_are_written_at_a_time_though_clients_go(
    server: Served, llama: tuple[Path, str]
) -> None:
    """More than are written at a time, of different lengths; some of whose clients go."""
    recorded = json.loads((llama[0] / "case.json").read_text())["v1"][0]
    gone = [begun(server, stream=each % 2 == 0) for each in range(6)]
    for connection in gone:
        connection.close()
    kept = [begun(server, prompt=text, max_tokens=16) for text in recorded["instances"] for _ in range(4)]
    found = [json.loads(each.getresponse().read())["choices"][0]["text"] for each in kept]
    for each in kept:
        each.close()
    assert found == [text for text in recorded["predictions"] for _ in range(4)]


def test_a_model_that_is_unloaded_writes_to_their_ends_the_texts_that_it_has_begun(
    llama: tuple[Path, str], tmp_path: Path
) -> None:
    """Whoever read them waited for ever."""
    with tiny(llama, tmp_path) as server:
        # More than are written at a time.
        asked = [begun(server, stream=True) for _ in range(6)]
        answers = [each.getresponse() for each in asked]
        assert answers[0].read(6) == b"data: "
        assert server.post("/v2/repository/models/tiny/unload", {})[0] == 200
        for answer in answers:
            said = answer.read().decode()
            assert '"finish_reason":"length"' in said
            assert said.rstrip().endswith("[DONE]")
        for each in asked:
            each.close()
        assert server.post("/openai/v1/completions", {"model": "tiny", "prompt": "the"})[0] == 404


def begun(server: Served, *, stream: bool = False, **more: Any) -> http.client.HTTPConnection:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    body = {
        "model": "tiny",
        "prompt": "the",
        "max_tokens": 100,
        "ignore_eos": not more,
        "stream": stream,
        **more,
    }
    connection.request("POST", "/openai/v1/completions", json.dumps(body))
    return connection


def test_an_inference_service_of_the_format_huggingface(llama: tuple[Path, str], tmp_path: Path) -> None:
    with ServerProcess(home_with_frameworks(tmp_path / "home")) as server:
        model = {
            "modelFormat": {"name": "huggingface"},
            "storageUri": f"file://{llama[0] / 'model'}",
            "args": ["--model_name", "tiny", "--backend", "huggingface", "--max_model_len", "100"],
            "resources": {
                "requests": {"cpu": "100m", "memory": "256Mi"},
                "limits": {"cpu": "2", "memory": "4Gi"},
            },
        }
        body = {
            "apiVersion": "serving.kserve.io/v1beta1",
            "kind": "InferenceService",
            "metadata": {"name": "words"},
            "spec": {"predictor": {"model": model}},
        }
        server.call("POST", KIND, body)
        deadline = time.monotonic() + 300
        conditions: dict[str, Any] = {}
        while conditions.get("Ready") != "True":
            assert time.monotonic() < deadline, conditions
            time.sleep(0.2)
            status = server.call("GET", f"{KIND}/words").get("status", {})
            conditions = {each["type"]: each["status"] for each in status.get("conditions", [])}
        check(asked(f"{server.url}/serving/default/words/openai/v1"))
