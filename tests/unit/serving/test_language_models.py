"""What of language models needs no library: requests, conversations, tokens as text, and where texts stop."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from sampan.components.serving.engine.programs.modelserver.contract import (
    FormError,
    LoadError,
    ModelError,
    ParameterError,
    Source,
)
from sampan.components.serving.engine.programs.modelserver.errors import RequestError
from sampan.components.serving.engine.programs.modelserver.openai import failed, route_of
from sampan.components.serving.engine.programs.modelserver.runtimes.language import (
    answers,
    conversations,
    settings,
    tasks,
    wishes,
)
from sampan.components.serving.engine.programs.modelserver.runtimes.language.rows import Chance, Piece
from sampan.components.serving.engine.programs.modelserver.runtimes.language.texts import Stopping, Unrolling


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/openai/v1/chat/completions", "chat/completions"),
        ("/openai/completions", "completions"),
        ("/v1/completions", "completions"),
        ("/v1/rerank/", "rerank"),
        ("/v1/models", None),
        ("/v1/models/m", None),
        ("/v2/models/m/infer", None),
    ],
)
def test_routes(path: str, route: str | None) -> None:
    assert route_of(path) == route


def test_failures_have_openais_shape() -> None:
    told = json.loads(failed(ParameterError("stop", "no")).body)["error"]
    assert told == {"message": "no", "type": "invalid_request_error", "param": "stop", "code": "400"}
    answer = failed(RequestError(503, "later"))
    assert (answer.status, json.loads(answer.body)["error"]["type"]) == (503, "InternalServerError")


def letters(tokens: Sequence[int]) -> str:
    """Each token is a byte: a letter may be several."""
    return bytes(tokens).decode("utf-8", "replace")


def test_a_letter_of_several_tokens_is_told_when_it_is_whole() -> None:
    unrolling = Unrolling(letters)
    told = [unrolling.add(each) for each in "né☕!".encode()]
    assert told == ["n", "", "é", "", "", "☕", "!"]
    assert unrolling.rest() == ""


def test_half_a_letter_is_told_at_the_end() -> None:
    unrolling = Unrolling(letters)
    assert [unrolling.add(each) for each in "a☕".encode()[:3]] == ["a", "", ""]
    assert unrolling.rest() == "�"


@pytest.mark.parametrize("keeps", [False, True])
def test_a_text_stops_where_it_is_to_however_it_comes(keeps: bool) -> None:
    text = "one two END three"
    for size in range(1, 9):
        stopping = Stopping(["END", "never"], keeps=keeps)
        told = ""
        for place in range(0, len(text), size):
            told += stopping.add(text[place : place + size])
            if stopping.met:
                break
        assert stopping.met == "END"
        assert told == ("one two END" if keeps else "one two ")


def test_what_only_began_like_a_stop_is_told() -> None:
    stopping = Stopping(["END"])
    assert [stopping.add("an E"), stopping.add("Nd, "), stopping.add("EN")] == ["an ", "ENd, ", ""]
    assert stopping.rest() == "EN"
    assert not stopping.met


def test_completions_say_what_they_want() -> None:
    body = {"prompt": [1, 2], "n": 2, "stop": "x", "temperature": 0, "logprobs": 0, "echo": True, "top_k": -1}
    asked, prompts, echoes = wishes.completion(body)
    assert (prompts, echoes, asked.n, asked.is_stream) == ([[1, 2]], True, 2, False)
    assert (asked.wish.max_tokens, asked.wish.stop, asked.wish.temperature) == (16, ("x",), 0.0)
    assert (asked.wish.top_logprobs, asked.wish.top_k) == (0, 0)
    assert wishes.completion({"prompt": "a", "max_tokens": None})[0].wish.max_tokens is None


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "prompt"),
        ({"prompt": []}, "prompt"),
        ({"prompt": ["a", 1]}, "prompt"),
        ({"prompt": [True]}, "prompt"),
        ({"prompt": "a", "n": 0}, "n"),
        ({"prompt": "a", "n": True}, "n"),
        ({"prompt": "a", "max_tokens": -1}, "max_tokens"),
        ({"prompt": "a", "max_tokens": 1.5}, "max_tokens"),
        ({"prompt": "a", "temperature": "hot"}, "temperature"),
        ({"prompt": "a", "top_p": 1.1}, "top_p"),
        ({"prompt": "a", "stop": [1]}, "stop"),
        ({"prompt": "a", "stream": "yes"}, "stream"),
        ({"prompt": "a", "logit_bias": {"x": 1}}, "logit_bias"),
        ({"prompt": "a", "logit_bias": {"1": 101}}, "logit_bias"),
        ({"prompt": "a", "best_of": 3}, "best_of"),
        ({"prompt": "a", "suffix": "b"}, "suffix"),
        ({"prompt": "a", "logprobs": 99}, "logprobs"),
    ],
)
def test_a_completion_that_is_wrong_is_told_where(body: dict[str, Any], param: str) -> None:
    with pytest.raises(ParameterError) as found:
        wishes.completion(body)
    assert found.value.param == param


def test_chats_have_their_own_names() -> None:
    asked = wishes.chat(
        {
            "max_completion_tokens": 5,
            "logprobs": True,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
    )
    assert (asked.wish.max_tokens, asked.wish.top_logprobs, asked.with_usage) == (5, 0, True)
    assert wishes.chat({"max_tokens": 7}).wish.max_tokens == 7
    for body in (
        {"top_logprobs": 2},
        {"response_format": {"type": "table"}},
        {"tool_choice": "required"},
    ):
        with pytest.raises(ModelError):
            wishes.chat(body)


def test_messages_are_texts() -> None:
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
    told = [
        {
            "role": "user",
            "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
            "name": "me",
        },
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "content": "2", "tool_call_id": "1"},
    ]
    found = conversations.messages_of({"messages": told})
    assert found[0] == {"role": "user", "content": "a\nb", "name": "me"}
    assert found[1]["tool_calls"][0]["function"]["arguments"] == {"a": 1}
    assert found[2]["tool_call_id"] == "1"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"messages": []},
        {"messages": ["a"]},
        {"messages": [{"content": "a"}]},
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]},
        {"messages": [{"role": "assistant", "tool_calls": [{"function": {"arguments": "{"}}]}]},
    ],
)
def test_messages_that_are_none_are_refused(body: dict[str, Any]) -> None:
    with pytest.raises(ParameterError):
        conversations.messages_of(body)


def test_a_template_is_told_whether_an_answer_is_to_begin() -> None:
    assert conversations.template_arguments({})["add_generation_prompt"] is True
    given = conversations.template_arguments({"continue_final_message": True})
    assert (given["add_generation_prompt"], given["continue_final_message"]) == (False, True)
    with pytest.raises(ParameterError):
        conversations.template_arguments({"continue_final_message": True, "add_generation_prompt": True})


@pytest.mark.parametrize(
    ("told", "architectures", "task"),
    [
        ("", ["BertForMaskedLM"], "fill_mask"),
        ("", ["LlamaForCausalLM"], "text_generation"),
        ("", ["GPT2LMHeadModel"], "text_generation"),
        ("", ["T5ForConditionalGeneration"], "text2text_generation"),
        ("text_embedding", ["BertModel"], "text_embedding"),
    ],
)
def test_tasks(told: str, architectures: list[str], task: str) -> None:
    assert tasks.task_of(told, architectures) == task


@pytest.mark.parametrize(
    ("told", "architectures", "says"),
    [
        ("", ["BertModel"], "manually set `task`"),
        ("", [], "manually set `task`"),
        ("", ["TapasForQuestionAnswering"], "question_answering is not supported"),
        ("painting", ["BertModel"], "Unsupported task: painting"),
    ],
)
def test_tasks_that_are_not_served(told: str, architectures: list[str], says: str) -> None:
    with pytest.raises(LoadError, match=says):
        tasks.task_of(told, architectures)


def test_arguments_are_upstreams() -> None:
    told = {
        "disable_lower_case": "true",
        "max_length": "64",
        "dtype": "bfloat16",
        "return_probabilities": "true",
    }
    found = settings.settings_of(Source("m", "/mnt/models", told))
    assert (found.lower_case, found.max_length, found.dtype, found.probabilities) == (
        False,
        64,
        "bfloat16",
        True,
    )
    assert (found.model, found.is_remote, found.trust_remote_code) == ("/mnt/models", False, False)
    assert settings.settings_of(Source("m", "/x", {"model_id": "a/b"})).is_remote


@pytest.mark.parametrize(
    ("told", "says"),
    [
        ({"backend": "jax"}, "--backend"),
        ({"dtype": "int8"}, "--dtype"),
        ({"max_model_len": "long"}, "--max_model_len"),
        ({"trust_remote_code": "perhaps"}, "--trust_remote_code"),
        ({"return_probabilities": "true", "return_raw_logits": "true"}, "exclude"),
    ],
)
def test_arguments_that_cannot_be(told: dict[str, str], says: str) -> None:
    with pytest.raises(LoadError, match=says):
        settings.settings_of(Source("m", "/mnt/models", told))


def test_a_stream_says_who_speaks_then_what_then_why_it_ended() -> None:
    form = answers.Form("m", str, is_chat=True)
    events = [*form.opening(1), *form.part(0, Piece("a", (), 1)), *form.part(0, Piece("", (), 1, "stop"))]
    assert form.closing(answers.Usage(3, 2), is_wanted=False) == []
    events += form.closing(answers.Usage(3, 2), is_wanted=True)
    told = [json.loads(each.removeprefix(b"data: ")) for each in events]
    deltas = [each["choices"][0]["delta"] for each in told[:3]]
    assert deltas == [{"role": "assistant", "content": ""}, {"content": "a"}, {}]
    assert [each["choices"][0]["finish_reason"] for each in told[:3]] == [None, None, "stop"]
    assert told[3]["choices"] == []
    assert told[3]["usage"] == {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    assert len({each["id"] for each in told}) == 1


def test_offsets_of_tokens_go_on_from_piece_to_piece() -> None:
    form = answers.Form("m", lambda token: "x" * token, is_chat=False)
    parts = [
        event for size in (2, 3) for event in form.part(0, Piece("", (Chance(size, -1.0, ((9, -0.5),)),), 1))
    ]
    told = [json.loads(each.removeprefix(b"data: "))["choices"][0]["logprobs"] for each in parts]
    assert [each["text_offset"] for each in told] == [[0], [2]]
    # The chosen one is among them.
    assert told[1]["top_logprobs"] == [{"xxx": -1.0, "x" * 9: -0.5}]


def test_each_piece_of_a_stream_may_say_how_many_tokens_there_were() -> None:
    form = answers.Form("m", str, is_chat=True)
    form.counted = 3
    events = [*form.opening(2), *form.part(1, Piece("a", (), 1)), *form.part(1, Piece("", (), 2, "stop"))]
    told = [json.loads(each.removeprefix(b"data: "))["usage"] for each in events]
    assert [each["completion_tokens"] for each in told] == [0, 0, 1, 3]
    assert {each["prompt_tokens"] for each in told} == {3}


def test_tokens_of_prompts_are_told_as_vllm_does() -> None:
    """Source: vllm-project/vllm 0.19 vllm/logprobs.py."""
    prompt = [Chance(1, None), Chance(2, -3.0, ((5, -0.5), (6, -1.0)), 7), Chance(5, -0.5, ((5, -0.5),), 1)]
    piece = Piece("x", (), 1, "stop", "END")
    chat, completion = (answers.Form("m", str, is_chat=each) for each in (True, False))
    chat.of_prompts, completion.of_prompts = [prompt], [prompt, prompt[:1]]
    told = chat.whole([piece], answers.Usage(3, 1))["prompt_logprobs"]
    assert told[0] is None
    assert told[1]["2"] == {"logprob": -3.0, "rank": 7, "decoded_token": "2"}
    assert told[1]["6"]["rank"] == 2
    assert list(told[2]) == ["5"]
    choices = completion.whole([piece] * 4, answers.Usage(3, 1))["choices"]
    assert [len(each["prompt_logprobs"]) for each in choices] == [3, 3, 1, 1]
    assert choices[0]["stop_reason"] == "END"


@pytest.mark.parametrize(
    "body",
    [
        {"temperature": 3},
        {"seed": 1 << 63},
        {"seed": float(-(1 << 63))},
        {"stop_token_ids": ["a"]},
        {"prompt_logprobs": -1},
        {"prompt_logprobs": 1, "stream": True},
        {"stream_options": {"include_usage": None}},
        {"guided_json": 42},
        {"guided_regex": "a", "guided_json": {}},
        {"tool_choice": "required"},
        {"tools": [{"type": "function", "function": {"name": "f"}}], "tool_choice": {}},
    ],
)
def test_a_wrong_form_is_refused_as_upstreams_schema_refuses_it(body: dict[str, Any]) -> None:
    """As its own tests want: kserve 0.20 python/huggingfaceserver/tests/test_vllm_generative.py."""
    with pytest.raises(FormError) as found:
        wishes.chat({"messages": [{"role": "user", "content": "a"}], **body})
    assert failed(found.value, 422).status == 422
    assert failed(found.value).status == 400
    if "seed" in body:
        assert "_equal]" in str(found.value)


def test_digits_are_zero_to_nine() -> None:
    guide = wishes.chat({"messages": [], "guided_regex": r"\d[\d.]\\d\[\d"}).wish.guide
    assert guide is not None
    assert guide.text == r"[0-9][0-9.]\\d\[[0-9]"


@pytest.mark.parametrize(
    "body", [{}, {"input": []}, {"input": [""], "dimensions": 0}, {"input": "a", "encoding_format": "hex"}]
)
def test_embeddings_of_nothing_are_refused(body: dict[str, Any]) -> None:
    with pytest.raises(ModelError):
        answers.embedding_request(body)


def test_another_models_tokens_are_not_embedded() -> None:
    with pytest.raises(RequestError) as found:
        answers.embedding_request({"input": [[1, 2]]})
    assert found.value.status == 501
    # At vLLM's place a client may say the model's own.
    for told in ([1, 2], [[1, 2]]):
        assert answers.embedding_request({"input": told}, takes_tokens=True).texts == [[1, 2]]
    for wrong in ([[1, "a"]], [[]], [[-1]]):
        with pytest.raises(FormError):
            answers.embedding_request({"input": wrong}, takes_tokens=True)


def test_the_best_documents_come_first() -> None:
    _, documents, top = answers.rerank_request(
        {"query": "q", "documents": ["a", {"text": "b"}, "c"], "top_n": 2}
    )
    found = answers.reranked("m", documents, [0.1, 0.9, 0.5], top, 7)
    assert [each["document"]["text"] for each in found["results"]] == ["b", "c"]


def test_classes_have_their_labels() -> None:
    assert answers.classes_request({"input": "a"}) == (["a"], True)
    assert answers.classes_request({"input": ["a", "b"], "use_activation": False}) == (["a", "b"], False)
    found = answers.classified("m", [[0.2, 0.8], [0.6, 0.4]], {0: "no", 1: "yes"}, 9)
    assert [(each["index"], each["label"]) for each in found["data"]] == [(0, "yes"), (1, "no")]
    assert found["data"][0] == {"index": 0, "label": "yes", "probs": [0.2, 0.8], "num_classes": 2}
    assert found["usage"] == {"prompt_tokens": 9, "total_tokens": 9, "completion_tokens": 0}


@pytest.mark.parametrize("told", [{}, {"input": []}, {"input": [1]}])
def test_classes_of_nothing_are_refused(told: dict[str, Any]) -> None:
    with pytest.raises(ModelError):
        answers.classes_request(told)


@pytest.mark.parametrize(
    ("told", "pairs"),
    [
        ({"text_1": "a", "text_2": ["b", "c"]}, (["a", "a"], ["b", "c"])),
        ({"text_1": ["a", "b"], "text_2": ["c", "d"]}, (["a", "b"], ["c", "d"])),
        ({"queries": "a", "documents": "b"}, (["a"], ["b"])),
    ],
)
def test_pairs_of_texts(told: dict[str, Any], pairs: tuple[list[str], list[str]]) -> None:
    assert answers.score_request(told) == pairs


@pytest.mark.parametrize("told", [{}, {"text_1": "a"}, {"text_1": ["a", "b"], "text_2": ["c"]}])
def test_no_pairs_are_refused(told: dict[str, Any]) -> None:
    with pytest.raises(ModelError):
        answers.score_request(told)
