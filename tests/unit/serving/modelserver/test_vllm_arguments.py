"""vLLM's command line, as images, runtimes and LLMInferenceServices write it."""

from __future__ import annotations

import json

import pytest

from sampan.components.serving.engine.programs.modelserver import arguments as own
from sampan.components.serving.engine.programs.modelserver.adapters import modules_of
from sampan.components.serving.engine.programs.modelserver.stand_in import translated


def told(*words: str, **environ: str) -> dict[str, str]:
    found = (word[2:].partition("=") for word in translated(["vllm", *words], environ))
    return {name: value for name, _, value in found}


def test_of_the_runtime_vllmserver() -> None:
    found = told("--port=8080", "--served-model-name=words", "--model=/mnt/models")
    assert found == {
        "model_name": "words",
        "model_dir": "/mnt/models",
        "http_port": "8080",
        "enable_grpc": "false",
        "generation_config": "auto",
        "lora_modules": "[]",
        "runtime": "huggingface",
        "vllm": "true",
    }


def test_of_an_llm_inference_service() -> None:
    found = told(
        *(
            "serve",
            "/mnt/models",
            "--served-model-name",
            "words",
            "publishers/a/models/words",
            "--port",
            "8000",
        ),
        *("--disable-access-log-for-endpoints", "/health,/metrics", "--shutdown-timeout", "40"),
        *(
            "--enable-lora",
            "--max-lora-rank=64",
            "--lora-modules",
            '{"name": "a", "path": "/mnt/lora/a"}',
            "b=/b",
        ),
    )
    assert (found["model_name"], found["model_dir"], found["http_port"]) == ("words", "/mnt/models", "8000")
    assert json.loads(found["served_names"]) == ["publishers/a/models/words"]
    modules = [{"name": "a", "path": "/mnt/lora/a"}, {"name": "b", "path": "/b"}]
    assert json.loads(found["lora_modules"]) == modules


def test_a_model_of_the_hub_is_its_own_name() -> None:
    found = told("serve", "--trust-remote-code", "--dtype", "half", "facebook/opt-125m", VLLM_API_KEY="k")
    assert (found["model_name"], found["model_id"], found["http_port"]) == (
        *("facebook/opt-125m", "facebook/opt-125m", "8000"),
    )
    assert "model_dir" not in found
    assert (found["trust_remote_code"], found["dtype"]) == ("true", "half")
    assert json.loads(found["api_keys"]) == ["k"]


@pytest.mark.parametrize(
    ("size", "tokens"), [("4096", "4096"), ("32k", "32000"), ("1.5K", "1536"), ("auto", ""), ("-1", "")]
)
def test_lengths(size: str, tokens: str) -> None:
    assert told("serve", "/m", f"--max-model-len={size}").get("max_model_len", "") == tokens


@pytest.mark.parametrize(
    ("words", "task"),
    [
        (("--runner", "pooling"), "text_embedding"),
        (("--task=embed",), "text_embedding"),
        (("--runner", "pooling", "--convert", "classify"), "sequence_classification"),
        (("--task", "generate"), ""),
    ],
)
def test_what_a_model_is_for(words: tuple[str, ...], task: str) -> None:
    assert told("serve", "/m", *words).get("task", "") == task


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--tensor-parallel-size", "2"), "--tensor-parallel-size=2"),
        (("-tp=4",), "--tensor-parallel-size=4"),
        (("--data-parallel-size=2",), "one process on one device"),
        (("--quantization", "awq"), "--quantization=awq"),
        (("--max-model-len=many",), "a number of tokens"),
        (("--lora-modules", "nothing"), "NAME=PATH"),
        (("--task=draw",), "--task=draw"),
    ],
)
def test_what_cannot_be_as_asked_says_so(words: tuple[str, ...], said: str) -> None:
    with pytest.raises(SystemExit) as found:
        told("serve", "/m", *words)
    assert said in str(found.value)


def test_no_model_and_no_command() -> None:
    with pytest.raises(SystemExit, match="say which model"):
        told("serve")
    with pytest.raises(SystemExit, match="only `vllm serve`"):
        told("bench", "latency")


def test_it_says_a_version_that_scripts_understand(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as found:
        told("--version")
    assert found.value.code == 0
    major, minor, _ = capsys.readouterr().out.split(".")
    assert major.isdigit()
    assert minor.isdigit()


@pytest.mark.parametrize(
    "words",
    [
        ["--lora-modules", "a=/m/a", '{"name": "b", "path": "/m/b"}', "--backend=vllm"],
        ["--lora_modules=a=/m/a", '{"name": "b",\n "path": "/m/b"}', "--backend", "vllm"],
        ['--lora-modules=[{"name": "a", "path": "/m/a"}, {"name": "b", "path": "/m/b"}]', "--backend=vllm"],
    ],
)
def test_kserves_own_program_takes_several_adapters_as_vllm_does(words: list[str]) -> None:
    options = own.parse(["--model_name=tiny", *words]).options
    assert options.keys() == {"lora_modules", "backend"}
    assert modules_of(options["lora_modules"].split(own.SEPARATOR)) == [
        {"name": "a", "path": "/m/a"},
        {"name": "b", "path": "/m/b"},
    ]
