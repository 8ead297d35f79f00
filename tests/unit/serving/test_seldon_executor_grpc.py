"""Graphs over gRPC in the protocols tensorflow and v2: what upstream's servers and clients do (executor/api/grpc)."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest

from sampan.components.serving.engine.programs.modelserver import grpc_messages as v2
from sampan.components.serving.engine.programs.modelserver.tfserving import messages as tensorflow
from sampan.components.serving.engine.programs.seldon_executor.events import Events, Sender
from sampan.components.serving.engine.programs.seldon_executor.graph import Predictor, read
from sampan.components.serving.engine.programs.seldon_executor.metrics import Metrics
from sampan.components.serving.engine.programs.wire.client import Pool

grpc: Any = pytest.importorskip("grpc")
aio: Any = pytest.importorskip("grpc.aio")
grpc_server: Any = pytest.importorskip(
    "sampan.components.serving.engine.programs.seldon_executor.grpc_server"
)

TF = "/tensorflow.serving.PredictionService/"
STATUS = "/tensorflow.serving.ModelService/GetModelStatus"
INFER = "/inference.GRPCInferenceService/"
MODEL = {"name": "m", "type": "MODEL"}
CHAIN = {"name": "a", "type": "MODEL", "children": [{"name": "b", "type": "MODEL"}]}
Scenario = Callable[["Executor"], Awaitable[None]]


class Unit(grpc.GenericRpcHandler):
    """Adds one to each number, and keeps what it was asked."""

    def __init__(self, name: str, asked: list[tuple[str, str, Any]]) -> None:
        self.name, self.asked = name, asked

    def service(self, details: Any) -> Any:
        method = details.method
        protocol = tensorflow if method.startswith("/tensorflow") else v2
        about = {
            f"{TF}Predict": ("PredictRequest", self.predict),
            f"{TF}Classify": ("ClassificationRequest", self.classify),
            f"{INFER}ModelInfer": ("ModelInferRequest", self.infer),
            f"{INFER}ServerReady": ("ServerReadyRequest", self.ready),
            f"{INFER}ModelReady": ("ModelReadyRequest", self.model_ready),
            STATUS: ("GetModelStatusRequest", self.status),
        }
        request, answer = about[method]

        async def call(given: Any, context: Any) -> Any:
            self.asked.append((self.name, method.rpartition("/")[2], given))
            if self.name == "fails":
                await context.abort(grpc.StatusCode.FAILED_PRECONDITION, "it does not work")
            return answer(given)

        return grpc.unary_unary_rpc_method_handler(
            call,
            request_deserializer=protocol.message(request).FromString,
            response_serializer=lambda made: made.SerializeToString(),
        )

    def predict(self, given: Any) -> Any:
        made = tensorflow.message("PredictResponse")()
        for key, tensor in given.inputs.items():
            made.outputs[key].float_val.extend(each + 1 for each in tensor.float_val)
        return made

    def classify(self, given: Any) -> Any:
        return tensorflow.message("ClassificationResponse")()

    def infer(self, given: Any) -> Any:
        made = v2.message("ModelInferResponse")(model_name=given.model_name, id=given.id)
        made.raw_output_contents.extend(bytes(byte + 1 for byte in each) for each in given.raw_input_contents)
        for tensor in given.inputs:
            output = made.outputs.add(name=tensor.name, datatype=tensor.datatype, shape=tensor.shape)
            output.contents.fp32_contents.extend(each + 1 for each in tensor.contents.fp32_contents)
        return made

    def ready(self, given: Any) -> Any:
        return v2.message("ServerReadyResponse")(ready=self.name != "b")

    def model_ready(self, given: Any) -> Any:
        return v2.message("ModelReadyResponse")(ready=True)

    def status(self, given: Any) -> Any:
        return tensorflow.message("GetModelStatusResponse")()


class Executor:
    def __init__(self, channel: Any, asked: list[tuple[str, str, Any]], metrics: Metrics) -> None:
        self.channel, self.asked, self.metrics = channel, asked, metrics

    async def call(self, method: str, request: Any, answer: str, **metadata: str) -> Any:
        module = tensorflow if method.startswith("/tensorflow") else v2
        call = self.channel.unary_unary(
            method,
            request_serializer=lambda made: made.SerializeToString(),
            response_deserializer=module.message(answer).FromString,
        )(request, metadata=tuple(metadata.items()))
        self.puid = dict(await call.initial_metadata()).get("seldon-puid")
        return await call


def predictor(graph: Mapping[str, Any], ports: Mapping[str, int]) -> Predictor:
    def placed(unit: Mapping[str, Any]) -> dict[str, Any]:
        at = {"service_host": "127.0.0.1", "grpcPort": ports[unit["name"]]} if unit["name"] in ports else {}
        return {**unit, "endpoint": at, "children": [placed(each) for each in unit.get("children", ())]}

    told = {"name": "p", "graph": placed(graph)}
    return read(base64.b64encode(json.dumps(told).encode()).decode())


def run(protocol: str, graph: Mapping[str, Any], scenario: Scenario) -> None:
    def names(unit: Mapping[str, Any]) -> list[str]:
        own = [] if "implementation" in unit else [unit["name"]]
        return [*own, *(name for child in unit.get("children", ()) for name in names(child))]

    async def main() -> None:
        asked: list[tuple[str, str, Any]] = []
        servers, ports = [], {}
        for name in names(graph):
            server = aio.server(options=(("grpc.so_reuseport", 0),))
            server.add_generic_rpc_handlers((Unit(name, asked),))
            ports[name] = server.add_insecure_port("127.0.0.1:0")
            await server.start()
            servers.append(server)
        found = predictor(graph, ports)
        sender, pool = Sender("s", "ns", "p", protocol, "http://x/"), Pool()
        metrics = Metrics("s", found)
        executor = grpc_server.GrpcServer(found, sender, Events(pool, sender), metrics, grpc_server.Limits())
        port = await executor.start(0)
        try:
            async with aio.insecure_channel(f"127.0.0.1:{port}") as channel:
                await scenario(Executor(channel, asked, metrics))
        finally:
            await executor.stop()
            await asyncio.gather(*(server.stop(0) for server in servers))
            await pool.close()

    asyncio.run(main())


def predict_request(name: str, *values: float) -> Any:
    made = tensorflow.message("PredictRequest")()
    made.model_spec.name = name
    made.inputs["x"].float_val.extend(values)
    return made


@pytest.mark.parametrize("name", ["half_plus_two", ""])
def test_an_answer_of_tensorflows_is_the_next_units_request(name: str) -> None:
    async def scenario(executor: Executor) -> None:
        found = await executor.call(f"{TF}Predict", predict_request(name, 1, 2), "PredictResponse")
        assert list(found.outputs["x"].float_val) == [3, 4]
        # A name that was asked for goes to all; without one each has its own.
        expected = [("a", name or "a"), ("b", name or "b")]
        assert [(unit, given.model_spec.name) for unit, _, given in executor.asked] == expected

    run("tensorflow", CHAIN, scenario)


def test_only_predictions_of_tensorflows_go_on() -> None:
    async def scenario(executor: Executor) -> None:
        request = tensorflow.message("ClassificationRequest")()
        with pytest.raises(aio.AioRpcError, match="only what Predict answers"):
            await executor.call(f"{TF}Classify", request, "ClassificationResponse")

    run("tensorflow", CHAIN, scenario)


def test_a_model_alone_answers_whatever_it_is_asked() -> None:
    async def scenario(executor: Executor) -> None:
        request = tensorflow.message("ClassificationRequest")()
        await executor.call(f"{TF}Classify", request, "ClassificationResponse")
        await executor.call(STATUS, tensorflow.message("GetModelStatusRequest")(), "GetModelStatusResponse")
        assert [method for _, method, _ in executor.asked] == ["Classify", "GetModelStatus"]

    run("tensorflow", MODEL, scenario)


def test_one_unit_is_asked_for_its_state_by_name() -> None:
    async def scenario(executor: Executor) -> None:
        request = tensorflow.message("GetModelStatusRequest")()
        request.model_spec.name = "b"
        await executor.call(STATUS, request, "GetModelStatusResponse")
        assert [unit for unit, _, _ in executor.asked] == ["b"]
        request.model_spec.name = "nobody"
        with pytest.raises(aio.AioRpcError, match="Failed to find model nobody"):
            await executor.call(STATUS, request, "GetModelStatusResponse")

    run("tensorflow", CHAIN, scenario)


@pytest.mark.parametrize("is_raw", [True, False])
def test_an_answer_of_v2_is_the_next_units_request(is_raw: bool) -> None:
    async def scenario(executor: Executor) -> None:
        request = v2.message("ModelInferRequest")(id="7")
        tensor = request.inputs.add(name="x", datatype="UINT8" if is_raw else "FP32", shape=[2])
        if is_raw:
            request.raw_input_contents.append(bytes([1, 2]))
        else:
            tensor.contents.fp32_contents.extend([1, 2])
        found = await executor.call(
            f"{INFER}ModelInfer", request, "ModelInferResponse", **{"seldon-puid": "1"}
        )
        got = found.raw_output_contents[0] if is_raw else found.outputs[0].contents.fp32_contents
        assert list(got) == [3, 4]
        assert (found.id, found.model_name, executor.puid) == ("7", "b", "1")
        assert [given.model_name for _, _, given in executor.asked] == ["a", "b"]

    run("v2", CHAIN, scenario)


def test_a_split_is_the_executors_own_in_every_protocol() -> None:
    graph = {
        "name": "ab",
        "implementation": "RANDOM_ABTEST",
        "parameters": [{"name": "ratioA", "value": "0", "type": "FLOAT"}],
        "children": [{"name": "a", "type": "MODEL"}, {"name": "b", "type": "MODEL"}],
    }

    async def scenario(executor: Executor) -> None:
        await executor.call(f"{TF}Predict", predict_request("", 1), "PredictResponse")
        assert [unit for unit, _, _ in executor.asked] == ["b"]

    run("tensorflow", graph, scenario)


@pytest.mark.parametrize("kind", ["ROUTER", "COMBINER"])
def test_what_the_protocols_have_no_call_for_is_said(kind: str) -> None:
    async def scenario(executor: Executor) -> None:
        with pytest.raises(aio.AioRpcError, match="no call over gRPC") as caught:
            await executor.call(f"{TF}Predict", predict_request("", 1), "PredictResponse")
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED

    run("tensorflow", {"name": "r", "type": kind, "children": [MODEL]}, scenario)


def test_all_units_have_to_be_ready() -> None:
    async def scenario(executor: Executor) -> None:
        live = await executor.call(
            f"{INFER}ServerLive", v2.message("ServerLiveRequest")(), "ServerLiveResponse"
        )
        ready = await executor.call(
            f"{INFER}ServerReady", v2.message("ServerReadyRequest")(), "ServerReadyResponse"
        )
        assert (live.live, ready.ready) == (True, False)

    run("v2", CHAIN, scenario)


def test_what_a_unit_says_goes_to_the_caller_and_is_counted() -> None:
    async def scenario(executor: Executor) -> None:
        with pytest.raises(aio.AioRpcError) as caught:
            await executor.call(f"{TF}Predict", predict_request("", 1), "PredictResponse")
        assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION
        assert caught.value.details() == "it does not work"
        for name in ("server", "client"):
            line = await _counted(executor, f"seldon_api_executor_{name}_requests_seconds_count")
            assert 'service="/tensorflow.serving.PredictionService/Predict"' in line
            assert 'method="unary",code="FailedPrecondition"' in line

    run("tensorflow", {"name": "fails", "type": "MODEL"}, scenario)


async def _counted(executor: Executor, metric: str) -> str:
    """Its line. An answer is on its way before it is counted."""
    async with asyncio.timeout(60):
        while True:
            for line in executor.metrics.text().splitlines():
                if line.startswith(metric):
                    return line
            await asyncio.sleep(0.01)
