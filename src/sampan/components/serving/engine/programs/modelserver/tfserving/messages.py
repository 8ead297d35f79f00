"""Messages of TensorFlow Serving and of what it takes from TensorFlow, as classes made from a short text.

Neither TensorFlow nor generated code is needed to speak. Of SavedModel and MetaGraphDef there is what concerns
signatures; the graphs stay unread. Imports protobuf.
Source: tensorflow/serving 2.19 tensorflow_serving/apis/*.proto, config/model_server_config.proto,
config/monitoring_config.proto, sources/storage_path/file_system_storage_path_source.proto; tensorflow 2.19
core/framework/{tensor,tensor_shape,types}.proto, core/example/{example,feature}.proto,
core/protobuf/{meta_graph,saved_model,error_codes}.proto.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool, message_factory, wrappers_pb2

PREDICTION_SERVICE = "tensorflow.serving.PredictionService"
MODEL_SERVICE = "tensorflow.serving.ModelService"

# NUMBER NAME TYPE, with `*` repeated, `{K:V}` a map, `|X` one of the choice X. Of another package: with a dot first.
_ERROR = """
enum Code: OK=0 CANCELLED=1 UNKNOWN=2 INVALID_ARGUMENT=3 DEADLINE_EXCEEDED=4 NOT_FOUND=5 ALREADY_EXISTS=6
    PERMISSION_DENIED=7 RESOURCE_EXHAUSTED=8 FAILED_PRECONDITION=9 ABORTED=10 OUT_OF_RANGE=11 UNIMPLEMENTED=12
    INTERNAL=13 UNAVAILABLE=14 DATA_LOSS=15 UNAUTHENTICATED=16
"""
_TENSORFLOW = """
enum DataType: DT_INVALID=0 DT_FLOAT=1 DT_DOUBLE=2 DT_INT32=3 DT_UINT8=4 DT_INT16=5 DT_INT8=6 DT_STRING=7
    DT_COMPLEX64=8 DT_INT64=9 DT_BOOL=10 DT_QINT8=11 DT_QUINT8=12 DT_QINT32=13 DT_BFLOAT16=14 DT_QINT16=15
    DT_QUINT16=16 DT_UINT16=17 DT_COMPLEX128=18 DT_HALF=19 DT_RESOURCE=20 DT_VARIANT=21 DT_UINT32=22 DT_UINT64=23
TensorShapeProto: 2 dim TensorShapeProto.Dim*, 3 unknown_rank bool
TensorShapeProto.Dim: 1 size int64, 2 name string
TensorProto: 1 dtype DataType, 2 tensor_shape TensorShapeProto, 3 version_number int32, 4 tensor_content bytes,
    5 float_val float*, 6 double_val double*, 7 int_val int32*, 8 string_val bytes*, 9 scomplex_val float*,
    10 int64_val int64*, 11 bool_val bool*, 12 dcomplex_val double*, 13 half_val int32*, 16 uint32_val uint32*,
    17 uint64_val uint64*
BytesList: 1 value bytes*
FloatList: 1 value float*
Int64List: 1 value int64*
Feature: 1 bytes_list BytesList|kind, 2 float_list FloatList|kind, 3 int64_list Int64List|kind
Features: 1 feature {string:Feature}
Example: 1 features Features
TensorInfo: 1 name string|encoding, 4 coo_sparse TensorInfo.CooSparse|encoding, 2 dtype DataType,
    3 tensor_shape TensorShapeProto
TensorInfo.CooSparse: 1 values_tensor_name string, 2 indices_tensor_name string, 3 dense_shape_tensor_name string
SignatureDef: 1 inputs {string:TensorInfo}, 2 outputs {string:TensorInfo}, 3 method_name string,
    4 defaults {string:TensorProto}
MetaGraphDef: 1 meta_info_def MetaGraphDef.MetaInfoDef, 5 signature_def {string:SignatureDef}
MetaGraphDef.MetaInfoDef: 4 tags string*
SavedModel: 1 saved_model_schema_version int64, 2 meta_graphs MetaGraphDef*
"""
_SERVING = """
enum State: UNKNOWN=0 START=10 LOADING=20 AVAILABLE=30 UNLOADING=40 END=50
ModelSpec: 1 name string, 2 version .google.protobuf.Int64Value|version_choice, 4 version_label string|version_choice,
    3 signature_name string
PredictRequest: 1 model_spec ModelSpec, 2 inputs {string:.tensorflow.TensorProto}, 3 output_filter string*
PredictResponse: 2 model_spec ModelSpec, 1 outputs {string:.tensorflow.TensorProto}
ExampleList: 1 examples .tensorflow.Example*
ExampleListWithContext: 1 examples .tensorflow.Example*, 2 context .tensorflow.Example
Input: 1 example_list ExampleList|kind, 2 example_list_with_context ExampleListWithContext|kind
Class: 1 label string, 2 score float
Classifications: 1 classes Class*
ClassificationResult: 1 classifications Classifications*
ClassificationRequest: 1 model_spec ModelSpec, 2 input Input
ClassificationResponse: 2 model_spec ModelSpec, 1 result ClassificationResult
Regression: 1 value float
RegressionResult: 1 regressions Regression*
RegressionRequest: 1 model_spec ModelSpec, 2 input Input
RegressionResponse: 2 model_spec ModelSpec, 1 result RegressionResult
InferenceTask: 1 model_spec ModelSpec, 2 method_name string
InferenceResult: 1 model_spec ModelSpec, 2 classification_result ClassificationResult|result,
    3 regression_result RegressionResult|result
MultiInferenceRequest: 1 tasks InferenceTask*, 2 input Input
MultiInferenceResponse: 1 results InferenceResult*
StatusProto: 1 error_code .tensorflow.error.Code, 2 error_message string
GetModelStatusRequest: 1 model_spec ModelSpec
ModelVersionStatus: 1 version int64, 2 state State, 3 status StatusProto
GetModelStatusResponse: 1 model_version_status ModelVersionStatus*
SignatureDefMap: 1 signature_def {string:.tensorflow.SignatureDef}
GetModelMetadataRequest: 1 model_spec ModelSpec, 2 metadata_field string*
GetModelMetadataResponse: 1 model_spec ModelSpec, 2 metadata {string:.google.protobuf.Any}
Policy: 100 latest Policy.Latest|policy_choice, 101 all Policy.All|policy_choice,
    102 specific Policy.Specific|policy_choice
Policy.Latest: 1 num_versions uint32
Policy.All:
Policy.Specific: 1 versions int64*
LogCollectorConfig: 1 type string, 2 filename_prefix string
SamplingConfig: 1 sampling_rate double
LoggingConfig: 1 log_collector_config LogCollectorConfig, 2 sampling_config SamplingConfig
enum ModelType: MODEL_TYPE_UNSPECIFIED=0 TENSORFLOW=1 OTHER=2
ModelConfig: 1 name string, 2 base_path string, 3 model_type ModelType, 4 model_platform string,
    6 logging_config LoggingConfig, 7 model_version_policy Policy, 8 version_labels {string:int64}
ModelConfigList: 1 config ModelConfig*
ModelServerConfig: 1 model_config_list ModelConfigList|config, 2 custom_model_config .google.protobuf.Any|config
ReloadConfigRequest: 1 config ModelServerConfig, 2 metric_names string*
Metric: 1 name string, 2 int64_value_increase int64|value_increase
ReloadConfigResponse: 1 status StatusProto, 2 metric Metric*
PrometheusConfig: 1 enable bool, 2 path string
MonitoringConfig: 1 prometheus_config PrometheusConfig
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
    """The class of a message, such as `PredictRequest` or `TensorProto`; KeyError for one that there is not."""
    return _CLASSES[name]


def number_of(enum: str, name: str) -> int:
    """Such as `State`, `AVAILABLE`."""
    return int(_ENUMS[enum][name])


def name_of(enum: str, number: int) -> str:
    return next((name for name, each in _ENUMS[enum].items() if each == number), str(number))


class _File:
    """One .proto file from its text."""

    def __init__(self, package: str, text: str, enums: set[str], needs: list[str]) -> None:
        self._package = package
        self._enums = enums
        self.proto = descriptor_pb2.FileDescriptorProto(
            name=f"sampan/{package}.proto", package=package, syntax="proto3", dependency=needs
        )
        declared = [line.partition(":")[::2] for line in text.replace("\n    ", " ").strip().splitlines()]
        self._made: dict[str, Any] = {}
        for head, body in declared:
            if head.startswith("enum "):
                self._enum(head[5:], body)
        messages = [each for each in declared if not each[0].startswith("enum ")]
        # Those within another come after it.
        for head, _ in sorted(messages, key=lambda each: each[0].count(".")):
            outer, _, name = head.rpartition(".")
            place = self._made[outer].nested_type if outer else self.proto.message_type
            self._made[head] = place.add(name=name)
        for head, body in messages:
            for field in filter(None, map(str.strip, body.split(","))):
                self._field(head, *field.split())

    def _enum(self, name: str, body: str) -> None:
        made = self.proto.enum_type.add(name=name)
        self._enums.add(f".{self._package}.{name}")
        for each in body.split():
            key, _, number = each.partition("=")
            made.value.add(name=key, number=int(number))

    def _field(self, head: str, number: str, name: str, kind: str) -> None:
        made = self._made[head]
        field = made.field.add(name=name, number=int(number), label=_FIELD.LABEL_OPTIONAL)
        kind, _, choice = kind.partition("|")
        if choice:
            names = [each.name for each in made.oneof_decl]
            if choice not in names:
                made.oneof_decl.add(name=choice)
                names.append(choice)
            field.oneof_index = names.index(choice)
        if kind.startswith("{"):
            key, _, value = kind.strip("{}").partition(":")
            kind = self._map_entry(head, name, key, value) + "*"
        if kind.endswith("*"):
            field.label, kind = _FIELD.LABEL_REPEATED, kind[:-1]
        self._type(field, kind)

    def _map_entry(self, head: str, name: str, key: str, value: str) -> str:
        title = "".join(part.title() for part in name.split("_"))
        entry = self._made[head].nested_type.add(name=f"{title}Entry")
        entry.options.map_entry = True
        self._type(entry.field.add(name="key", number=1, label=_FIELD.LABEL_OPTIONAL), key)
        self._type(entry.field.add(name="value", number=2, label=_FIELD.LABEL_OPTIONAL), value)
        return f"{head}.{entry.name}"

    def _type(self, field: Any, kind: str) -> None:
        if kind in _SCALARS:
            field.type = _SCALARS[kind]
            return
        full = kind if kind.startswith(".") else f".{self._package}.{kind}"
        field.type = _FIELD.TYPE_ENUM if full in self._enums else _FIELD.TYPE_MESSAGE
        field.type_name = full


def _made() -> tuple[dict[str, Any], dict[str, dict[str, int]]]:
    # A pool of its own: in the process-wide one are TensorFlow's own messages, by the same names.
    pool = descriptor_pool.DescriptorPool()
    needs = []
    for module in (any_pb2, wrappers_pb2):
        own = descriptor_pb2.FileDescriptorProto()
        module.DESCRIPTOR.CopyToProto(own)
        pool.Add(own)
        needs.append(own.name)
    classes: dict[str, Any] = {}
    enums: dict[str, dict[str, int]] = {}
    known: set[str] = set()
    for package, text in (
        ("tensorflow.error", _ERROR),
        ("tensorflow", _TENSORFLOW),
        ("tensorflow.serving", _SERVING),
    ):
        proto = _File(package, text, known, list(needs)).proto
        pool.Add(proto)
        needs.append(proto.name)
        for each in proto.enum_type:
            enums[each.name] = {value.name: value.number for value in each.value}
        for head in proto.message_type:
            classes[head.name] = message_factory.GetMessageClass(
                pool.FindMessageTypeByName(f"{package}.{head.name}")
            )
    return classes, enums


_CLASSES, _ENUMS = _made()
