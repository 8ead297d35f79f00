"""V2 over gRPC, on the wire: a channel of grpcio's, with messages written by hand where their numbers matter."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from sampan.components.serving.engine.programs.modelserver.grpc_messages import SERVICE, message
from sampan.testing.model_servers import Served, serving

LINEAR = Path(__file__).with_name("runtimes") / "linear.py"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("server")
    models = folder / "models"
    (models / "lin").mkdir(parents=True)
    (models / "lin" / "model.json").write_text(json.dumps({"weights": [1, 2, 3, 4]}))
    with serving(folder, "--runtime", str(LINEAR), f"--model_dir={models}") as served:
        yield served


@pytest.fixture(scope="module")
def channel(server: Served) -> Iterator[grpc.Channel]:
    options = [("grpc.max_receive_message_length", -1)]
    with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}", options) as opened:
        grpc.channel_ready_future(opened).result(20)
        yield opened


@pytest.fixture(scope="module")
def ask(channel: grpc.Channel) -> Callable[..., Any]:
    def call(method: str, **fields: Any) -> Any:
        answer = message(f"{method}Response").FromString
        stub = channel.unary_unary(
            f"/{SERVICE}/{method}", lambda request: request.SerializeToString(), answer
        )
        return stub(message(f"{method}Request")(**fields), timeout=60)

    return call


def tensor(**more: Any) -> Any:
    return message("ModelInferRequest.InferInputTensor")(
        **{"name": "x", "datatype": "FP64", "shape": [1, 4], **more}
    )


def contents(**values: Any) -> Any:
    return message("InferTensorContents")(**values)


def test_what_is_there_is_told(ask: Callable[..., Any]) -> None:
    assert ask("ServerLive").live
    assert ask("ServerReady").ready
    assert ask("ModelReady", name="lin").ready
    assert "model_repository" in ask("ServerMetadata").extensions
    metadata = ask("ModelMetadata", name="lin")
    assert [(each.name, each.datatype, list(each.shape)) for each in metadata.inputs] == [
        ("x", "FP64", [-1, 4])
    ]
    assert [each.name for each in ask("RepositoryIndex", ready=True).models] == ["lin"]


def test_contents_are_answered_with_contents_and_raw_with_raw(ask: Callable[..., Any]) -> None:
    typed = ask(
        "ModelInfer", model_name="lin", id="7", inputs=[tensor(contents=contents(fp64_contents=[1, 2, 3, 4]))]
    )
    assert (typed.id, typed.model_name) == ("7", "lin")
    assert list(typed.outputs[0].contents.fp64_contents) == [30]
    assert typed.outputs[2].contents.bytes_contents[0].startswith(b"pid ")
    assert not typed.raw_output_contents
    x = np.array([[1, 2, 3, 4], [1, 1, 1, 1]], dtype="<f8")
    raw = ask(
        "ModelInfer",
        model_name="lin",
        inputs=[tensor(shape=[2, 4])],
        raw_input_contents=[x.tobytes()],
        outputs=[{"name": "rows"}, {"name": "y"}],
    )
    assert [each.name for each in raw.outputs] == ["rows", "y"]
    assert np.frombuffer(raw.raw_output_contents[1]).tolist() == [30, 10]
    assert raw.outputs[1].parameters["binary_data_size"].int64_param == 16


def test_fields_have_the_protocols_numbers(channel: grpc.Channel) -> None:
    def field(number: int, data: bytes) -> bytes:
        assert len(data) < 128
        return bytes([number << 3 | 2, len(data)]) + data

    floats = struct.pack("<4d", 1, 2, 3, 4)
    inside = field(1, b"x") + field(2, b"FP64") + field(3, b"\x01\x04") + field(5, field(7, floats))
    parameter = field(1, b"factor") + field(2, b"\x10\x02")
    request = (
        field(1, b"lin") + field(3, b"i") + field(4, parameter) + field(5, inside) + field(6, field(1, b"y"))
    )
    answer = channel.unary_unary(f"/{SERVICE}/ModelInfer")(request, timeout=60)
    output = (
        field(1, b"y") + field(2, b"FP64") + field(3, b"\x01") + field(5, field(7, struct.pack("<d", 60)))
    )
    assert answer == field(1, b"lin") + field(3, b"i") + field(5, output)
    # kserve's request to load names the model in its first field, Triton's in its second.
    for number in (1, 2):
        loaded = channel.unary_unary(f"/{SERVICE}/RepositoryModelLoad")(field(number, b"lin"), timeout=60)
        assert loaded == field(1, b"lin") + b"\x10\x01"


@pytest.mark.parametrize(
    ("fields", "code", "says"),
    [
        ({"model_name": "none"}, "NOT_FOUND", "Model with name none does not exist."),
        ({"model_name": "lin"}, "INVALID_ARGUMENT", "no inputs"),
        ({"inputs": [tensor()], "raw_input_contents": [b"", b""]}, "INVALID_ARGUMENT", "does not match"),
        ({"inputs": [tensor()], "raw_input_contents": [b"abc"]}, "INVALID_ARGUMENT", "no multiple of 8"),
        ({"inputs": [tensor(shape=[9, 9])], "raw_input_contents": [b""]}, "INVALID_ARGUMENT", "has 81"),
        ({"inputs": [tensor(shape=[-1])], "raw_input_contents": [b""]}, "INVALID_ARGUMENT", "below zero"),
        (
            {"inputs": [tensor(contents=contents(fp64_contents=[1]))], "raw_input_contents": [b"abcdefgh"]},
            "INVALID_ARGUMENT",
            "must not be specified",
        ),
        ({"inputs": [tensor(datatype="FP16")]}, "INVALID_ARGUMENT", "raw_input_contents"),
        (
            {"inputs": [tensor(datatype="INT8", shape=[1], contents=contents(int_contents=[300]))]},
            "INVALID_ARGUMENT",
            "do not fit",
        ),
        (
            {"inputs": [tensor(contents=contents(fp64_contents=[-1, 0, 0, 0]))]},
            "INTERNAL",
            "FileNotFoundError : … is missing",
        ),
    ],
)
def test_errors_are_statuses(ask: Callable[..., Any], fields: dict[str, Any], code: str, says: str) -> None:
    with pytest.raises(grpc.RpcError) as failed:
        ask("ModelInfer", **{"model_name": "lin", **fields})
    assert failed.value.code().name == code  # type: ignore[attr-defined]
    assert says in failed.value.details()  # type: ignore[attr-defined]


def test_a_stream_goes_on_after_an_error(channel: grpc.Channel) -> None:
    good = {"model_name": "lin", "inputs": [tensor(contents=contents(fp64_contents=[1, 2, 3, 4]))]}
    made = message("ModelInferRequest")
    stub = channel.stream_stream(
        f"/{SERVICE}/ModelStreamInfer",
        lambda request: request.SerializeToString(),
        message("ModelStreamInferResponse").FromString,
    )
    answers = list(stub(iter([made(**good), made(model_name="none", id="2"), made(**good)]), timeout=60))
    assert [list(each.infer_response.outputs[0].contents.fp64_contents) for each in answers[::2]] == [
        [30],
        [30],
    ]
    assert (answers[1].error_message, answers[1].infer_response.id) == (
        "Model with name none does not exist.",
        "2",
    )


def test_large_messages(ask: Callable[..., Any]) -> None:
    x = np.ones((400_000, 4))
    answer = ask(
        "ModelInfer", model_name="lin", inputs=[tensor(shape=x.shape)], raw_input_contents=[x.tobytes()]
    )
    assert np.frombuffer(answer.raw_output_contents[0]).sum() == 4_000_000


def test_counts_are_those_of_both_protocols(ask: Callable[..., Any], server: Served) -> None:
    before = ask("ModelStatistics", name="lin").model_stats[0].inference_stats.success.count
    server.post("/v1/models/lin:predict", {"instances": [[1, 2, 3, 4]]})
    after = ask("ModelStatistics").model_stats[0].inference_stats.success
    assert (after.count, after.ns > 0) == (before + 1, True)


def test_probes_of_kubernetes_are_answered(channel: grpc.Channel) -> None:
    assert channel.unary_unary("/grpc.health.v1.Health/Check")(b"", timeout=60) == b"\x08\x01"
