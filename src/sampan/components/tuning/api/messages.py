"""Messages of Katib's gRPC services, as classes of protobuf made from a short text: nothing here is generated.

For whoever speaks gRPC: `engine.remote_services` and `rest`. Imports protobuf, so it is loaded by those when they are
first needed. Source: kubeflow/katib 0.19 pkg/apis/manager/v1beta1/api.proto, pkg/apis/manager/health/health.proto; a
test holds each field beside upstream's client.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor import Descriptor

PACKAGE = "api.v1.beta1"
HEALTH_PACKAGE = "grpc.health.v1"

_KATIB = """
enum ParameterType: UNKNOWN_TYPE DOUBLE INT DISCRETE CATEGORICAL
enum Distribution: DISTRIBUTION_UNSPECIFIED UNIFORM LOG_UNIFORM NORMAL LOG_NORMAL
enum ObjectiveType: UNKNOWN MINIMIZE MAXIMIZE
enum ComparisonType: UNKNOWN_COMPARISON EQUAL LESS GREATER
Experiment: 1 name string, 2 spec ExperimentSpec
ExperimentSpec: 1 parameter_specs ExperimentSpec.ParameterSpecs, 2 objective ObjectiveSpec, 3 algorithm AlgorithmSpec,
    4 early_stopping EarlyStoppingSpec, 5 parallel_trial_count int32, 6 max_trial_count int32, 7 nas_config NasConfig
ExperimentSpec.ParameterSpecs: 1 parameters ParameterSpec*
ParameterSpec: 1 name string, 2 parameter_type ParameterType, 3 feasible_space FeasibleSpace
FeasibleSpace: 1 max string, 2 min string, 3 list string*, 4 step string, 5 distribution Distribution
ObjectiveSpec: 1 type ObjectiveType, 2 goal double, 3 objective_metric_name string, 4 additional_metric_names string*
AlgorithmSpec: 1 algorithm_name string, 2 algorithm_settings AlgorithmSetting*
AlgorithmSetting: 1 name string, 2 value string
EarlyStoppingSpec: 1 algorithm_name string, 2 algorithm_settings EarlyStoppingSetting*
EarlyStoppingSetting: 1 name string, 2 value string
NasConfig: 1 graph_config GraphConfig, 2 operations NasConfig.Operations
NasConfig.Operations: 1 operation Operation*
GraphConfig: 1 num_layers int32, 2 input_sizes int32*, 3 output_sizes int32*
Operation: 1 operation_type string, 2 parameter_specs Operation.ParameterSpecs
Operation.ParameterSpecs: 1 parameters ParameterSpec*
Trial: 1 name string, 2 spec TrialSpec, 3 status TrialStatus
TrialSpec: 2 objective ObjectiveSpec, 3 parameter_assignments TrialSpec.ParameterAssignments, 4 labels map
TrialSpec.ParameterAssignments: 1 assignments ParameterAssignment*
ParameterAssignment: 1 name string, 2 value string
enum TrialStatus.TrialConditionType:
    CREATED RUNNING SUCCEEDED KILLED FAILED METRICSUNAVAILABLE EARLYSTOPPED UNKNOWN
TrialStatus: 1 start_time string, 2 completion_time string, 3 condition TrialStatus.TrialConditionType,
    4 observation Observation
Observation: 1 metrics Metric*
Metric: 1 name string, 2 value string
ReportObservationLogRequest: 1 trial_name string, 2 observation_log ObservationLog
ReportObservationLogReply:
ObservationLog: 1 metric_logs MetricLog*
MetricLog: 1 time_stamp string, 2 metric Metric
GetObservationLogRequest: 1 trial_name string, 2 metric_name string, 3 start_time string, 4 end_time string
GetObservationLogReply: 1 observation_log ObservationLog
DeleteObservationLogRequest: 1 trial_name string
DeleteObservationLogReply:
GetSuggestionsRequest: 1 experiment Experiment, 2 trials Trial*, 4 current_request_number int32,
    5 total_request_number int32
GetSuggestionsReply: 1 parameter_assignments GetSuggestionsReply.ParameterAssignments*, 2 algorithm AlgorithmSpec,
    3 early_stopping_rules EarlyStoppingRule*
GetSuggestionsReply.ParameterAssignments: 1 assignments ParameterAssignment*, 2 trial_name string, 3 labels map
ValidateAlgorithmSettingsRequest: 1 experiment Experiment
ValidateAlgorithmSettingsReply:
GetEarlyStoppingRulesRequest: 1 experiment Experiment, 2 trials Trial*, 3 db_manager_address string
GetEarlyStoppingRulesReply: 1 early_stopping_rules EarlyStoppingRule*
EarlyStoppingRule: 1 name string, 2 value string, 3 comparison ComparisonType, 4 start_step int32
ValidateEarlyStoppingSettingsRequest: 1 early_stopping EarlyStoppingSpec
ValidateEarlyStoppingSettingsReply:
SetTrialStatusRequest: 1 trial_name string
SetTrialStatusReply:
"""

_HEALTH = """
HealthCheckRequest: 1 service string
enum HealthCheckResponse.ServingStatus: UNKNOWN SERVING NOT_SERVING SERVICE_UNKNOWN
HealthCheckResponse: 1 status HealthCheckResponse.ServingStatus
"""

SERVICES: dict[str, tuple[str, ...]] = {
    f"{PACKAGE}.DBManager": ("ReportObservationLog", "GetObservationLog", "DeleteObservationLog"),
    f"{PACKAGE}.Suggestion": ("GetSuggestions", "ValidateAlgorithmSettings"),
    f"{PACKAGE}.EarlyStopping": ("GetEarlyStoppingRules", "SetTrialStatus", "ValidateEarlyStoppingSettings"),
}
"""Methods of each: `METHOD` takes a `METHODRequest` and answers a `METHODReply`."""

_FIELD = descriptor_pb2.FieldDescriptorProto
_SCALARS = {"string": _FIELD.TYPE_STRING, "int32": _FIELD.TYPE_INT32, "double": _FIELD.TYPE_DOUBLE}


def message(name: str) -> Any:
    """The class of a message, such as `GetSuggestionsRequest` or `TrialStatus`; KeyError for one that there is not."""
    return _CLASSES[name]


class _File:
    """One .proto file from its text."""

    def __init__(self, package: str, text: str) -> None:
        self._package = package
        self.proto = descriptor_pb2.FileDescriptorProto(
            name=f"{package}.proto", package=package, syntax="proto3"
        )
        declared = [line.partition(":")[::2] for line in text.replace("\n    ", " ").strip().splitlines()]
        self._enums = {head.removeprefix("enum ") for head, _ in declared if head.startswith("enum ")}
        messages = [(head, body) for head, body in declared if not head.startswith("enum ")]
        # Those within another come after it.
        self._made: dict[str, descriptor_pb2.DescriptorProto] = {}
        for head, _ in sorted(messages, key=lambda each: each[0].count(".")):
            self._made[head] = self._place(head, self.proto.message_type, "nested_type").add(
                name=head.rpartition(".")[2]
            )
        for head, body in declared:
            if head.startswith("enum "):
                self._enum(head.removeprefix("enum "), body.split())
        for head, body in messages:
            for field in filter(None, body.split(",")):
                self._field(head, *field.split())

    def _place(self, head: str, top: Any, within: str) -> Any:
        outer = head.rpartition(".")[0]
        return getattr(self._made[outer], within) if outer else top

    def _enum(self, head: str, values: list[str]) -> None:
        made = self._place(head, self.proto.enum_type, "enum_type").add(name=head.rpartition(".")[2])
        for number, value in enumerate(values):
            made.value.add(name=value, number=number)

    def _field(self, head: str, number: str, name: str, kind: str) -> None:
        field = self._made[head].field.add(name=name, number=int(number), label=_FIELD.LABEL_OPTIONAL)
        if kind.endswith("*"):
            field.label, kind = _FIELD.LABEL_REPEATED, kind.removesuffix("*")
        if kind == "map":
            field.label, kind = _FIELD.LABEL_REPEATED, self._map_entry(head, name)
        if kind in _SCALARS:
            field.type = _SCALARS[kind]
            return
        field.type = _FIELD.TYPE_ENUM if kind in self._enums else _FIELD.TYPE_MESSAGE
        field.type_name = f".{self._package}.{kind}"

    def _map_entry(self, head: str, name: str) -> str:
        """Of texts by text: on the wire a list of pairs."""
        entry = self._made[head].nested_type.add(name=f"{name.title()}Entry")
        for number, part in enumerate(("key", "value"), 1):
            entry.field.add(name=part, number=number, label=_FIELD.LABEL_OPTIONAL, type=_FIELD.TYPE_STRING)
        entry.options.map_entry = True
        return f"{head}.{entry.name}"


def _classes() -> dict[str, Any]:
    # A pool of its own: in the process-wide one a client of Katib's may have put its own.
    pool = descriptor_pool.DescriptorPool()
    found: dict[str, Any] = {}
    for package, text in ((PACKAGE, _KATIB), (HEALTH_PACKAGE, _HEALTH)):
        file = _File(package, text).proto
        pool.Add(file)
        for each in file.message_type:
            descriptor: Descriptor = pool.FindMessageTypeByName(f"{package}.{each.name}")
            found[each.name] = message_factory.GetMessageClass(descriptor)
    return found


_CLASSES = _classes()
