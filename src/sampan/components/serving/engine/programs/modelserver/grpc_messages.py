"""Messages of the Open Inference Protocol over gRPC, as classes made from a short text: nothing here is generated.

Triton's additions that its clients use are among them. Imports protobuf, so it is loaded by `grpc_service` alone.
Source: open-inference-protocol specification/protocol/open_inference_grpc.proto; kserve 0.20
python/kserve/kserve/protocol/grpc/grpc_predict_v2.proto; triton-inference-server/common protobuf/grpc_service.proto.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor import Descriptor

PACKAGE = "inference"
SERVICE = "inference.GRPCInferenceService"
HEALTH_PACKAGE = "grpc.health.v1"
HEALTH_SERVICE = "grpc.health.v1.Health"

# Of RepositoryModelLoad and -Unload kserve's request has the name as its first field, Triton's as its second.
_INFERENCE = """
ServerLiveRequest:
ServerLiveResponse: 1 live bool
ServerReadyRequest:
ServerReadyResponse: 1 ready bool
ModelReadyRequest: 1 name string, 2 version string
ModelReadyResponse: 1 ready bool
ServerMetadataRequest:
ServerMetadataResponse: 1 name string, 2 version string, 3 extensions string*
ModelMetadataRequest: 1 name string, 2 version string
ModelMetadataResponse: 1 name string, 2 versions string*, 3 platform string,
    4 inputs ModelMetadataResponse.TensorMetadata*, 5 outputs ModelMetadataResponse.TensorMetadata*
ModelMetadataResponse.TensorMetadata: 1 name string, 2 datatype string, 3 shape int64*
ModelInferRequest: 1 model_name string, 2 model_version string, 3 id string, 4 parameters map,
    5 inputs ModelInferRequest.InferInputTensor*, 6 outputs ModelInferRequest.InferRequestedOutputTensor*,
    7 raw_input_contents bytes*
ModelInferRequest.InferInputTensor: 1 name string, 2 datatype string, 3 shape int64*, 4 parameters map,
    5 contents InferTensorContents
ModelInferRequest.InferRequestedOutputTensor: 1 name string, 2 parameters map
ModelInferResponse: 1 model_name string, 2 model_version string, 3 id string, 4 parameters map,
    5 outputs ModelInferResponse.InferOutputTensor*, 6 raw_output_contents bytes*
ModelInferResponse.InferOutputTensor: 1 name string, 2 datatype string, 3 shape int64*, 4 parameters map,
    5 contents InferTensorContents
ModelStreamInferResponse: 1 error_message string, 2 infer_response ModelInferResponse
InferParameter: 1 bool_param bool|, 2 int64_param int64|, 3 string_param string|, 4 double_param double|,
    5 uint64_param uint64|
InferTensorContents: 1 bool_contents bool*, 2 int_contents int32*, 3 int64_contents int64*, 4 uint_contents uint32*,
    5 uint64_contents uint64*, 6 fp32_contents float*, 7 fp64_contents double*, 8 bytes_contents bytes*
RepositoryIndexRequest: 1 repository_name string, 2 ready bool
RepositoryIndexResponse: 1 models RepositoryIndexResponse.ModelIndex*
RepositoryIndexResponse.ModelIndex: 1 name string, 2 version string, 3 state string, 4 reason string
RepositoryModelLoadRequest: 1 model_name string, 2 triton_model_name string
RepositoryModelLoadResponse: 1 model_name string, 2 isLoaded bool
RepositoryModelUnloadRequest: 1 model_name string, 2 triton_model_name string
RepositoryModelUnloadResponse: 1 model_name string, 2 isUnloaded bool
ModelStatisticsRequest: 1 name string, 2 version string
ModelStatisticsResponse: 1 model_stats ModelStatistics*
ModelStatistics: 1 name string, 2 version string, 3 last_inference uint64, 4 inference_count uint64,
    5 execution_count uint64, 6 inference_stats InferStatistics, 7 batch_stats InferBatchStatistics*
InferStatistics: 1 success StatisticDuration, 2 fail StatisticDuration, 3 queue StatisticDuration,
    4 compute_input StatisticDuration, 5 compute_infer StatisticDuration, 6 compute_output StatisticDuration
InferBatchStatistics: 1 batch_size uint64, 2 compute_input StatisticDuration, 3 compute_infer StatisticDuration,
    4 compute_output StatisticDuration
StatisticDuration: 1 count uint64, 2 ns uint64
"""
_HEALTH = """
HealthCheckRequest: 1 service string
HealthCheckResponse: 1 status int32
"""

_FIELD = descriptor_pb2.FieldDescriptorProto
_SCALARS = {
    "string": _FIELD.TYPE_STRING,
    "bytes": _FIELD.TYPE_BYTES,
    "bool": _FIELD.TYPE_BOOL,
    "int32": _FIELD.TYPE_INT32,
    "int64": _FIELD.TYPE_INT64,
    "uint32": _FIELD.TYPE_UINT32,
    "uint64": _FIELD.TYPE_UINT64,
    "float": _FIELD.TYPE_FLOAT,
    "double": _FIELD.TYPE_DOUBLE,
}


def message(name: str) -> Any:
    """The class of a message, such as `ModelInferRequest`; KeyError for one that there is not."""
    return _CLASSES[name]


class _File:
    """One .proto file from its text: `*` is repeated, `|` one of a choice, `map` from text to InferParameter."""

    def __init__(self, package: str, text: str) -> None:
        self._package = package
        self.proto = descriptor_pb2.FileDescriptorProto(
            name=f"sampan/{package}.proto", package=package, syntax="proto3"
        )
        declared = [line.partition(":")[::2] for line in text.replace("\n    ", " ").strip().splitlines()]
        self._made: dict[str, descriptor_pb2.DescriptorProto] = {}
        # Those within another come after it.
        for head, _ in sorted(declared, key=lambda each: each[0].count(".")):
            outer, _, name = head.rpartition(".")
            place = self._made[outer].nested_type if outer else self.proto.message_type
            self._made[head] = place.add(name=name)
        for head, body in declared:
            for field in filter(None, map(str.strip, body.split(","))):
                self._field(head, *field.split())

    def _field(self, head: str, number: str, name: str, kind: str) -> None:
        made = self._made[head]
        field = made.field.add(name=name, number=int(number), label=_FIELD.LABEL_OPTIONAL)
        if kind.endswith("*"):
            field.label, kind = _FIELD.LABEL_REPEATED, kind[:-1]
        if kind.endswith("|"):
            if not made.oneof_decl:
                made.oneof_decl.add(name="parameter_choice")
            field.oneof_index, kind = 0, kind[:-1]
        if kind == "map":
            field.label, kind = _FIELD.LABEL_REPEATED, self._map_entry(head, name)
        if kind in _SCALARS:
            field.type = _SCALARS[kind]
            return
        field.type, field.type_name = _FIELD.TYPE_MESSAGE, f".{self._package}.{kind}"

    def _map_entry(self, head: str, name: str) -> str:
        entry = self._made[head].nested_type.add(name=f"{name.title()}Entry")
        entry.field.add(name="key", number=1, label=_FIELD.LABEL_OPTIONAL, type=_FIELD.TYPE_STRING)
        value = entry.field.add(name="value", number=2, label=_FIELD.LABEL_OPTIONAL, type=_FIELD.TYPE_MESSAGE)
        value.type_name = f".{self._package}.InferParameter"
        entry.options.map_entry = True
        return f"{head}.{entry.name}"


def _classes() -> dict[str, Any]:
    # A pool of its own: in the process-wide one a client's generated messages may be, by the same names.
    pool = descriptor_pool.DescriptorPool()
    made: dict[str, Any] = {}
    for package, text in ((PACKAGE, _INFERENCE), (HEALTH_PACKAGE, _HEALTH)):
        proto = _File(package, text).proto
        pool.Add(proto)
        for each in proto.message_type:
            _add(made, pool.FindMessageTypeByName(f"{package}.{each.name}"), each.name)
    return made


def _add(made: dict[str, Any], descriptor: Descriptor, name: str) -> None:
    made[name] = message_factory.GetMessageClass(descriptor)
    for nested in descriptor.nested_types:
        if not nested.GetOptions().map_entry:
            _add(made, nested, f"{name}.{nested.name}")


_CLASSES = _classes()
