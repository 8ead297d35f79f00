"""Messages of `seldon.protos`, as classes made from a short text, and how they stand to JSON. Imports protobuf.

A `tftensor` is bytes here, which `tftensors` reads. Source: seldon-core 1.18.2 proto/prediction.proto.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from google.protobuf import (
    any_pb2,
    descriptor_pb2,
    descriptor_pool,
    empty_pb2,
    json_format,
    message_factory,
    struct_pb2,
)

from sampan.components.serving.engine.programs.seldon_microservice import tftensors

PACKAGE = "seldon.protos"
_PROTO = """
SeldonMessage: 1 status Status, 2 meta Meta, 3 data DefaultData|, 4 binData bytes|, 5 strData string|,
    6 jsonData .google.protobuf.Value|, 7 customData .google.protobuf.Any|
DefaultData: 1 names string*, 2 tensor Tensor|, 3 ndarray .google.protobuf.ListValue|, 4 tftensor bytes|
Tensor: 1 shape int32*, 2 values double*
Meta: 1 puid string, 2 tags map:.google.protobuf.Value, 3 routing map:int32, 4 requestPath map:string, 5 metrics Metric*
Metric: 1 key string, 2 type #MetricType, 3 value float, 4 tags map:string
SeldonMessageList: 1 seldonMessages SeldonMessage*
Status: 1 code int32, 2 info string, 3 reason string, 4 status #StatusFlag
Feedback: 1 request SeldonMessage, 2 response SeldonMessage, 3 reward float, 4 truth SeldonMessage
RequestResponse: 1 request SeldonMessage, 2 response SeldonMessage
SeldonModelMetadataRequest: 1 name string
SeldonMessageMetadata: 1 messagetype string, 2 schema .google.protobuf.Value, 3 name string, 4 datatype string,
    5 shape int64*
SeldonModelMetadata: 1 name string, 2 versions string*, 3 platform string, 4 inputs SeldonMessageMetadata*,
    5 outputs SeldonMessageMetadata*, 6 custom map:string
SeldonGraphMetadata: 1 name string, 2 models map:SeldonModelMetadata, 3 inputs SeldonMessageMetadata*,
    4 outputs SeldonMessageMetadata*
"""
_ENUMS = {
    "MetricType": ("Metric", ("COUNTER", "GAUGE", "TIMER")),
    "StatusFlag": ("Status", ("SUCCESS", "FAILURE")),
}
_FIELD = descriptor_pb2.FieldDescriptorProto
_SCALARS = {
    "string": _FIELD.TYPE_STRING,
    "bytes": _FIELD.TYPE_BYTES,
    "int32": _FIELD.TYPE_INT32,
    "int64": _FIELD.TYPE_INT64,
    "float": _FIELD.TYPE_FLOAT,
    "double": _FIELD.TYPE_DOUBLE,
}
EMPTY = empty_pb2.Empty


def message(name: str) -> Any:
    """The class of a message; KeyError for one that there is not."""
    return _CLASSES[name]


def to_json(given: Any) -> dict[str, Any]:
    """A SeldonMessage as its JSON."""
    found: dict[str, Any] = {}
    kind = given.WhichOneof("data_oneof")
    if kind == "data":
        found["data"] = _data_json(given.data)
    elif kind == "binData":
        found["binData"] = base64.b64encode(given.binData).decode()
    elif kind == "strData":
        found["strData"] = given.strData
    elif kind == "jsonData":
        found["jsonData"] = json_format.MessageToDict(given.jsonData)
    elif kind == "customData":
        found["customData"] = given.customData
    if given.HasField("meta"):
        found["meta"] = json_format.MessageToDict(given.meta)
    if given.HasField("status"):
        found["status"] = json_format.MessageToDict(given.status)
    return found


def from_json(given: Mapping[str, Any]) -> Any:
    """A SeldonMessage from its JSON. Raises ValueError for what is none."""
    made = message("SeldonMessage")()
    try:
        data = given.get("data")
        if isinstance(data, Mapping):
            made.data.SetInParent()
            _fill(made.data, data)
        if hasattr(given.get("customData"), "SerializeToString"):
            # Of another pool of messages than the user's.
            made.customData.ParseFromString(given["customData"].SerializeToString())
        rest = {key: value for key, value in given.items() if key not in ("data", "customData")}
        json_format.ParseDict(rest, made, ignore_unknown_fields=True)
    except (json_format.ParseError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"the answer is no SeldonMessage: {error}") from error
    return made


def parsed(name: str, told: Mapping[str, Any]) -> Any:
    """A message of that name from its JSON, nothing left out. Raises ValueError."""
    data = told.get("data")
    if name == "SeldonMessage" and isinstance(data, Mapping) and "tftensor" in data:
        return from_json(told)
    try:
        return json_format.ParseDict(dict(told), message(name)())
    except (json_format.ParseError, TypeError, AttributeError) as error:
        raise ValueError(str(error)) from error


def plain_json(given: Any) -> dict[str, Any]:
    """Of any message, without what is empty."""
    found: dict[str, Any] = json_format.MessageToDict(given)
    if given.DESCRIPTOR.name == "SeldonMessage" and given.data.tftensor:
        found["data"]["tftensor"] = tftensors.json_of_bytes(given.data.tftensor)
    return found


def feedback_json(given: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"reward": given.reward}
    for key in ("request", "response", "truth"):
        if given.HasField(key):
            found[key] = to_json(getattr(given, key))
    return found


def metadata_message(given: Mapping[str, Any]) -> Any:
    return json_format.ParseDict(dict(given), message("SeldonModelMetadata")(), ignore_unknown_fields=True)


def metadata_json(given: Any) -> dict[str, Any]:
    found: dict[str, Any] = json_format.MessageToDict(given)
    for each in (*found.get("inputs", ()), *found.get("outputs", ())):
        if "shape" in each:
            each["shape"] = [int(size) for size in each["shape"]]
    return found


def _data_json(data: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"names": list(data.names)}
    kind = data.WhichOneof("data_oneof")
    if kind == "tensor":
        found["tensor"] = {"shape": list(data.tensor.shape), "values": list(data.tensor.values)}
    elif kind == "ndarray":
        found["ndarray"] = json_format.MessageToDict(data.ndarray)
    elif kind == "tftensor":
        found["tftensor"] = tftensors.json_of_bytes(data.tftensor)
    return found


def _fill(data: Any, given: Mapping[str, Any]) -> None:
    data.names.extend(str(each) for each in given.get("names") or ())
    if "tensor" in given:
        data.tensor.SetInParent()
        data.tensor.shape.extend(int(each) for each in given["tensor"].get("shape") or ())
        data.tensor.values.extend(float(each) for each in given["tensor"].get("values") or ())
    elif "ndarray" in given:
        data.ndarray.SetInParent()
        json_format.ParseDict(given["ndarray"], data.ndarray)
    elif "tftensor" in given:
        data.tftensor = tftensors.bytes_of_json(given["tftensor"])


def _declared(text: str) -> descriptor_pb2.FileDescriptorProto:
    wellknown = [f"google/protobuf/{name}.proto" for name in ("any", "struct")]
    proto = descriptor_pb2.FileDescriptorProto(
        name="sampan/seldon.proto", package=PACKAGE, syntax="proto3", dependency=wellknown
    )
    for line in text.replace("\n    ", " ").strip().splitlines():
        name, _, body = line.partition(":")
        made = proto.message_type.add(name=name)
        for enum, (owner, values) in _ENUMS.items():
            if owner == name:
                declared = made.enum_type.add(name=enum)
                for number, value in enumerate(values):
                    declared.value.add(name=value, number=number)
        for field in filter(None, map(str.strip, body.split(","))):
            _field(made, *field.split())
    return proto


def _field(made: descriptor_pb2.DescriptorProto, number: str, name: str, kind: str) -> None:
    field = made.field.add(name=name, number=int(number), label=_FIELD.LABEL_OPTIONAL, json_name=name)
    if kind.endswith("*"):
        field.label, kind = _FIELD.LABEL_REPEATED, kind[:-1]
    if kind.endswith("|"):
        if not made.oneof_decl:
            made.oneof_decl.add(name="data_oneof")
        field.oneof_index, kind = 0, kind[:-1]
    if kind.startswith("map:"):
        entry = made.nested_type.add(name=f"{name[0].upper()}{name[1:]}Entry")
        entry.options.map_entry = True
        _field(entry, "1", "key", "string")
        _field(entry, "2", "value", kind[4:])
        field.label, kind = _FIELD.LABEL_REPEATED, f".{PACKAGE}.{made.name}.{entry.name}"
    if kind in _SCALARS:
        field.type = _SCALARS[kind]
    elif kind.startswith("#"):
        field.type, field.type_name = _FIELD.TYPE_ENUM, f".{PACKAGE}.{made.name}.{kind[1:]}"
    else:
        field.type = _FIELD.TYPE_MESSAGE
        field.type_name = kind if kind.startswith(".") else f".{PACKAGE}.{kind}"


def _classes() -> dict[str, Any]:
    # A pool of its own: in the process-wide one a client's generated messages may be, by the same names.
    pool = descriptor_pool.DescriptorPool()
    for known in (any_pb2, struct_pb2):
        pool.AddSerializedFile(known.DESCRIPTOR.serialized_pb)
    proto = _declared(_PROTO)
    pool.AddSerializedFile(proto.SerializeToString())
    return {
        each.name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.{each.name}"))
        for each in proto.message_type
    }


_CLASSES = _classes()
