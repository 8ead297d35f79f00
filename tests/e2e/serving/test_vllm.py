"""The server at vLLM's place: its command line, OpenAI's own client, tools, forms, adapters, and its other routes."""

from __future__ import annotations

import json
import re
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sampan.cluster.node.environments.programs import package_folder
from sampan.testing.clients import interpreter_with
from sampan.testing.homes import home_with_frameworks
from sampan.testing.model_servers import Served, serving
from sampan.testing.server import ServerProcess

CLIENT = Path(__file__).with_name("clients") / "vllm_client.py"
MODULE = "sampan_serving.modelserver.stand_in"
SERVING = "/apis/serving.kserve.io"
HELLO = "hello there friend, how are you today?"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def server(language_models: Any, taught: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    tmp_path = tmp_path_factory.mktemp("vllm")
    words = (
        *("--served-model-name", "tiny", "publishers/a/models/tiny"),
        *("--max-model-len=400", "--enable-lora", "--enforce-eager", "--gpu-memory-utilization", "0.9"),
        *("--api-key", "sesame", "--reasoning-parser", "mistral"),
        *("--lora-modules", json.dumps({"name": "polite", "path": str(taught / "adapter")})),
        f"merged={taught / 'adapter'}",
    )
    environ = {
        "PYTHONPATH": str(package_folder(tmp_path / "programs", "serving")),
        "VLLM_ALLOW_RUNTIME_LORA_UPDATING": "True",
    }
    program = ("vllm", "serve", str(taught / "model"))
    how = {"python": language_models.python, "module": MODULE, "environ": environ, "program": program}
    with serving(tmp_path, *words, **how) as served:
        yield served


def ask(server: Served, path: str, body: Any) -> tuple[int, Any]:
    headers = {"authorization": "Bearer sesame", "content-type": "application/json"}
    status, answer = server.send("POST", path, json.dumps(body).encode(), headers)
    return status, json.loads(answer)


def test_openais_client(server: Served, language_models: Any, taught: Path, tmp_path: Path) -> None:
    python = interpreter_with("openai")
    done = subprocess.run(
        [python, str(CLIENT), f"{server.url}/v1"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["models"] == [
        ["tiny", None],
        ["publishers/a/models/tiny", None],
        ["polite", "tiny"],
        ["merged", "tiny"],
    ]
    assert found["hello"] == found["alias"] == HELLO
    assert found["adapter"] == merged(taught, language_models.python)
    assert found["adapter"] != HELLO[: len(found["adapter"])]
    paris = ["weather", {"city": "Paris"}]
    assert found["calls"] == ["one moment ", [paris], "tool_calls"]
    assert found["streamed_calls"] == ["one moment ", [[0, *paris]], "tool_calls"]
    assert found["no_tools"].startswith("one moment <tool_call>")
    text, named, finish = found["named"]
    assert (text, finish, [each[0] for each in named]) == ("", "stop", ["weather"])
    assert list(named[0][1]) == ["city"]
    one, two = found["parsed"]
    assert one == two == json.loads(found["streamed_form"])
    assert 0 <= one["count"] <= 99
    assert one["unit"] in ("C", "F")
    assert set(found["closed"]) <= {"unit"}
    assert found["chosen"] in ("red", "green")
    assert re.fullmatch("[0-9]{3}-[a-f]{2}", found["matched"])
    assert found["drawn"][0] == found["drawn"][1]
    assert len(set(found["drawn"])) > 1
    assert found["responded"] == [
        ["reasoning", "message"],
        "it is two",
        [paris],
        ["response.created", "response.completed", True],
        [HELLO, True],
        ["incomplete", "max_output_tokens"],
    ]
    assert found["thought"] == found["streamed_thought"] == ["one and one", "it is two"]
    thought, said = found["thought_form"]
    assert thought == "one and one"
    assert said in ("red", "green")
    assert found["beams"][0] == HELLO
    assert len(set(found["beams"])) == 2
    assert found["stopped"] == ["hello there ", "stop", "friend"]
    assert found["prompt"][0] is None
    assert all(1 <= len(each) <= 2 for each in found["prompt"][1:])
    assert found["counts"] == sorted(found["counts"])
    assert len(set(found["counts"])) > 3
    assert found["nonsense"][:2] == [400, "response_format"]
    assert found["unknown"][0] == 404
    assert found["stranger"][0] == 401


def merged(taught: Path, python: str) -> str:
    """What Transformers makes of the model that has the adapter's weights in it."""
    program = (
        "import sys, transformers\n"
        "words = transformers.AutoTokenizer.from_pretrained(sys.argv[1])\n"
        "model = transformers.AutoModelForCausalLM.from_pretrained(sys.argv[1])\n"
        "told = [{'role': 'user', 'content': 'hello'}]\n"
        "text = words.apply_chat_template(told, add_generation_prompt=True, tokenize=False)\n"
        "ids = words(text, return_tensors='pt', add_special_tokens=False)\n"
        "made = model.generate(input_ids=ids['input_ids'], attention_mask=ids['attention_mask'],"
        " max_new_tokens=24, do_sample=False)\n"
        "print(words.decode(made[0, ids['input_ids'].shape[1]:], skip_special_tokens=True), end='')\n"
    )
    done = subprocess.run(
        [python, "-c", program, str(taught / "merged")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_vllm_has_beside_openais_routes(server: Served) -> None:
    assert server.send("GET", "/health") == (200, b"")
    assert server.send("GET", "/ping")[0] == 200
    assert server.get("/version")[1]["version"]
    status, told = server.post("/tokenize", {"model": "tiny", "prompt": "hello", "return_token_strs": True})
    assert (status, told["count"], told["max_model_len"]) == (200, len(told["tokens"]), 400)
    assert len(told["token_strs"]) == told["count"]
    assert server.post("/detokenize", {"tokens": told["tokens"]}) == (200, {"prompt": "hello"})
    assert server.post("/detokenize", {"tokens": [1 << 40]})[0] == 400
    assert server.post("/v1/completions", {"prompt": "hello"})[0] == 401
    status, answer = ask(server, "/v1/completions", {"prompt": "hello", "max_tokens": 3})
    assert (status, answer["model"]) == (200, "tiny")
    metrics = server.send("GET", "/metrics")[1].decode()
    written = re.search(r'vllm:generation_tokens_total\{engine="0",model_name="tiny"\} (\d+)', metrics)
    assert written
    assert int(written[1]) >= 3


def test_adapters_come_and_go_while_it_runs(server: Served, language_models: Any, taught: Path) -> None:
    def change(route: str, **body: Any) -> tuple[int, str]:
        headers = {"authorization": "Bearer sesame", "content-type": "application/json"}
        status, answer = server.send("POST", f"/v1/{route}_lora_adapter", json.dumps(body).encode(), headers)
        return status, answer.decode()

    def names() -> list[str]:
        _, answer = server.send("GET", "/v1/models", headers={"authorization": "Bearer sesame"})
        return [each["id"] for each in json.loads(answer)["data"]]

    later = {"lora_name": "later", "lora_path": str(taught / "adapter")}
    assert change("load", **later) == (200, "Success: LoRA adapter 'later' added successfully.")
    assert names()[-1] == "later"
    chat = {"model": "later", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 24}
    status, answer = ask(server, "/v1/chat/completions", {**chat, "temperature": 0})
    assert status == 200
    assert answer["choices"][0]["message"]["content"] == merged(taught, language_models.python)
    status, why = change("load", **later)
    assert (status, "has already been loaded" in why) == (400, True)
    assert change("load", **later, load_inplace=True)[0] == 200
    assert change("load", lora_name="tiny", lora_path=str(taught / "adapter"))[0] == 400
    assert change("load", lora_name="lost", lora_path=str(taught / "nowhere"))[0] == 404
    assert change("load", lora_name="lost")[0] == 400
    assert change("unload", lora_name="later")[0] == 200
    assert change("unload", lora_name="later")[0] == 404
    assert ask(server, "/v1/chat/completions", chat)[0] == 404
    assert "later" not in names()


def test_adapters_of_kserves_own_program(language_models: Any, taught: Path, tmp_path: Path) -> None:
    """With the arguments of upstream's test of it; it takes vLLM's."""
    told = {"name": "teacher", "path": str(taught / "adapter"), "base_model_name": "tiny"}
    words = (
        "--runtime=huggingface",
        "--model_name=tiny",
        f"--model_dir={taught / 'model'}",
        "--backend=vllm",
    )
    words = (*words, "--enable-lora", "--lora-modules", json.dumps(told), f"other={taught / 'adapter'}")
    environ = {"PYTHONPATH": str(package_folder(tmp_path / "programs", "serving"))}
    how = {"python": language_models.python, "module": "sampan_serving.modelserver", "environ": environ}
    with serving(tmp_path, *words, **how) as served:
        messages = [{"role": "user", "content": "hello"}]
        for name in ("teacher", "other"):
            body = {"model": name, "messages": messages, "max_tokens": 24, "temperature": 0}
            status, answer = served.post("/openai/v1/chat/completions", body)
            assert (status, answer["model"]) == (200, name)
            written = answer["choices"][0]["message"]["content"]
            assert written == merged(taught, language_models.python)
        listed = served.get("/openai/v1/models")[1]["data"]
        assert [each["id"] for each in listed] == ["tiny", "teacher", "other"]


def test_classes_and_scores(language_models: Any, tmp_path: Path) -> None:
    """The classifier's shares, and how near the embeddings of two texts are, as Transformers has them."""
    cases = {each.name: each for each in language_models.cases}
    environ = {"PYTHONPATH": str(package_folder(tmp_path / "programs", "serving"))}
    how = {"python": language_models.python, "module": MODULE, "environ": environ}
    told = {
        name: json.loads((cases[name] / "case.json").read_text())["v1"][0] for name in ("shares", "embedding")
    }
    program = ("vllm", "serve", str(cases["shares"] / "model"))
    words = ("--runner", "pooling", "--convert", "classify", "--served-model-name=classes")
    with serving(tmp_path, *words, **how, program=program) as served:
        texts, shares = told["shares"]["instances"], told["shares"]["predictions"]
        status, answer = served.post("/classify", {"model": "classes", "input": texts})
        assert status == 200
        for row, wanted in zip(answer["data"], shares, strict=True):
            assert row["probs"] == pytest.approx(list(wanted.values()), abs=1e-4)
            assert row["label"] == f"LABEL_{row['probs'].index(max(row['probs']))}"
        assert served.post("/score", {"text_1": "a", "text_2": "b"})[0] == 400
    program = ("vllm", "serve", str(cases["embedding"] / "model"))
    with serving(tmp_path, "--runner=pooling", "--convert=embed", **how, program=program) as served:
        texts, rows = told["embedding"]["instances"], told["embedding"]["predictions"]
        status, answer = served.post("/score", {"text_1": texts[0], "text_2": texts})
        assert status == 200
        wanted = [sum(a * b for a, b in zip(rows[0], row, strict=True)) for row in rows]
        assert [each["score"] for each in answer["data"]] == pytest.approx(wanted, abs=1e-4)
        assert served.post("/classify", {"input": texts})[0] == 400
        long = "paris " * 100
        for path, body in (
            ("/v1/embeddings", {"input": long}),
            ("/rerank", {"query": long, "documents": texts}),
            ("/score", {"text_1": texts[0], "text_2": [texts[1], long]}),
        ):
            status, answer = served.post(path, body)
            assert status == 400
            assert "Please reduce the length of the input." in answer["error"]["message"]
            assert served.post(path, {**body, "truncate_prompt_tokens": -1})[0] == 200
            status, answer = served.post(path, {**body, "truncate_prompt_tokens": 65})
            assert (status, answer["error"]["param"]) == (400, "truncate_prompt_tokens")
        told = {"input": "paris fox " * 3, "truncate_prompt_tokens": 4}
        assert served.post("/v1/embeddings", told)[1]["usage"]["prompt_tokens"] == 4


def wait(server: ServerProcess, path: str) -> Any:
    deadline = time.monotonic() + 400
    while True:
        found = server.call("GET", path)
        told = {each["type"]: each for each in found.get("status", {}).get("conditions", [])}
        if told.get("Ready", {}).get("status") == "True":
            return found
        assert time.monotonic() < deadline, told
        time.sleep(0.2)


def said(url: str, model: str = "tiny") -> str:
    messages = [{"role": "user", "content": "hello"}]
    body = json.dumps({"model": model, "messages": messages, "temperature": 0}).encode()
    headers = {"content-type": "application/json"}
    request = urllib.request.Request(f"{url}/v1/chat/completions", body, headers)
    with urllib.request.urlopen(request, timeout=120) as answer:
        return str(json.loads(answer.read())["choices"][0]["message"]["content"])


def test_endpoints_of_kserves(taught: Path, tmp_path: Path) -> None:
    """An LLMInferenceService as upstream's samples write one, and the runtime vllmserver, in one cluster."""
    small = {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"cpu": "2", "memory": "4Gi"}}
    main = {
        "name": "main",
        "image": "public.ecr.aws/q9t5s3a7/vllm-cpu-release-repo:v0.19.0",
        "securityContext": {"runAsNonRoot": False},
        "env": [
            {"name": "VLLM_CPU_KVCACHE_SPACE", "value": "1"},
            {"name": "VLLM_ADDITIONAL_ARGS", "value": "--max-model-len 300"},
        ],
        "resources": small,
        "livenessProbe": {
            "httpGet": {"path": "/health", "port": 8000, "scheme": "HTTPS"},
            "periodSeconds": 30,
        },
    }
    adapters = [{"name": "polite", "uri": f"file://{taught / 'adapter'}"}]
    spec = {
        "model": {"uri": f"file://{taught / 'model'}", "name": "tiny", "lora": {"adapters": adapters}},
        "replicas": 1,
        "router": {"scheduler": {}, "route": {}, "gateway": {}},
        "template": {"containers": [main]},
    }
    model = {
        "modelFormat": {"name": "vLLM"},
        "storageUri": f"file://{taught / 'model'}",
        "runtime": "kserve-vllmserver",
        "resources": small,
        "startupProbe": {"initialDelaySeconds": 0, "periodSeconds": 1, "failureThreshold": 600},
    }
    with ServerProcess(home_with_frameworks(tmp_path / "home")) as server:
        server.call(
            "POST",
            f"{SERVING}/v1alpha1/namespaces/default/llminferenceservices",
            {
                "apiVersion": "serving.kserve.io/v1alpha1",
                "kind": "LLMInferenceService",
                "metadata": {"name": "words"},
                "spec": spec,
            },
        )
        server.call(
            "POST",
            f"{SERVING}/v1beta1/namespaces/default/inferenceservices",
            {
                "apiVersion": "serving.kserve.io/v1beta1",
                "kind": "InferenceService",
                "metadata": {"name": "tiny"},
                "spec": {"predictor": {"model": model}},
            },
        )
        found = wait(server, f"{SERVING}/v1alpha2/namespaces/default/llminferenceservices/words")
        port = server.url.rpartition(":")[2]
        assert found["status"]["url"] == f"http://localhost:{port}/default/words"
        for path in ("/default/words", "/publishers/default/models/tiny"):
            assert said(server.url + path) == HELLO
        assert said(f"{server.url}/default/words", "publishers/default/models/tiny") == HELLO
        assert said(f"{server.url}/default/words", "polite") != HELLO
        with urllib.request.urlopen(f"{server.url}/default/words/v1/models", timeout=60) as answer:
            names = [each["id"] for each in json.loads(answer.read())["data"]]
        assert names == [
            *("tiny", "publishers/default/models/tiny"),
            *("polite", "publishers/default/models/polite"),
        ]
        wait(server, f"{SERVING}/v1beta1/namespaces/default/inferenceservices/tiny")
        assert said(f"{server.url}/serving/default/tiny") == HELLO


def test_long_prompts_beside_streams_and_again(server: Served) -> None:
    """Read in parts, while others are written, and from what is remembered of them: the answers stay the same."""
    long = "the rain in paris falls on friends " * 12
    wanted = {}

    def write(name: str, prompt: str) -> None:
        body = {"prompt": prompt, "max_tokens": 12, "temperature": 0, "ignore_eos": True}
        status, answer = ask(server, "/v1/completions", body)
        assert status == 200, answer
        assert answer["usage"]["prompt_tokens"] + 12 == answer["usage"]["total_tokens"]
        found[name] = answer["choices"][0]["text"]

    prompts = {f"{place}": long + "x" * (place % 3) for place in range(6)} | {"short": "hello"}
    found: dict[str, str] = {}
    for name, prompt in prompts.items():
        write(name, prompt)
    wanted = dict(found)
    found.clear()
    threads = [threading.Thread(target=write, args=each) for each in prompts.items()]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert found == wanted
