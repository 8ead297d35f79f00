"""What is refused of a SeldonDeployment, in upstream's words. Called by the admission hook and by the reconciler.

Source: seldon-core 1.18.2 operator/apis/machinelearning.seldon.io/v1/seldondeployment_webhook.go. Not so here: a graph
has a limit of depth, as a program reads it by recursion.
"""

from __future__ import annotations

from sampan.components.serving.api.reading import mapping, mappings, text, whole
from sampan.components.serving.engine.seldon import names, spec
from sampan.components.serving.engine.seldon.config import CONFIG_MAP, NAMESPACE, SeldonConfig
from sampan.components.serving.engine.validation.surroundings import Surroundings
from sampan.kube import meta
from sampan.kube.fielderrors import FieldErrors
from sampan.kube.kinds import CONFIG_MAPS
from sampan.kube.meta import Object

_PROTOCOLS = ("", "seldon", "tensorflow", "kfserving", "v2")
_KAFKA = frozenset(("KAFKA_BROKER", "KAFKA_INPUT_TOPIC", "KAFKA_OUTPUT_TOPIC"))
_NO_TENSORFLOW = frozenset(("SKLEARN_SERVER", "XGBOOST_SERVER", "MLFLOW_SERVER", "HUGGINGFACE_SERVER"))
_MOST_DEPTH = 64


def check(sdep: Object, _old: Object | None, surroundings: Surroundings, errors: FieldErrors) -> None:
    found = surroundings.all(CONFIG_MAPS, NAMESPACE)
    data: Object = next((mapping(each.get("data")) for each in found if meta.name(each) == CONFIG_MAP), {})
    check_with(sdep, SeldonConfig.of(data, is_embedded=True), errors)


def check_with(sdep: Object, config: SeldonConfig, errors: FieldErrors) -> None:
    """`config` says which servers there are."""
    told = meta.spec(sdep)
    for key, known, wrong in (
        ("protocol", _PROTOCOLS, "Invalid protocol"),
        ("transport", ("", "rest", "grpc"), "Invalid transport"),
        ("serverType", ("", "rpc", "kafka"), "Invalid serverType"),
    ):
        if text(told.get(key)) not in known:
            errors.invalid("spec", told.get(key), wrong)
    predictors = spec.predictors(sdep)
    if not predictors:
        errors.invalid("spec", text(told.get("transport")), "Graph contains no predictors")
        return
    if told.get("serverType") == "kafka":
        _check_kafka(predictors, errors)
    if len(predictors) == 1 and predictors[0].get("shadow"):
        _wrong(errors, 0, predictors[0], "Shadow can not exist as only predictor")
    _check_services(predictors, errors)
    _check_graphs(sdep, predictors, config, errors)
    _check_transports(sdep, predictors, errors)
    _check_traffic(predictors, errors)


def _wrong(errors: FieldErrors, index: int, predictor: Object, detail: str) -> None:
    errors.invalid(f"spec.predictors[{index}]", predictor.get("name"), detail)


def _check_kafka(predictors: list[Object], errors: FieldErrors) -> None:
    for index, predictor in enumerate(predictors):
        env = mappings(mapping(predictor.get("svcOrchSpec")).get("env"))
        if len(_KAFKA & {text(each.get("name")) for each in env}) < len(_KAFKA):
            _wrong(
                errors,
                index,
                predictor,
                "For kafka please supply svcOrchSpec envs KAFKA_BROKER, KAFKA_INPUT_TOPIC, KAFKA_OUTPUT_TOPIC",
            )


def _check_services(predictors: list[Object], errors: FieldErrors) -> None:
    seen: set[str] = set()
    for index, predictor in enumerate(predictors):
        name = text(mapping(predictor.get("annotations")).get(names.SVC_NAME))
        if name and name in seen:
            told = f"Found duplicate service name in {names.SVC_NAME} with value {name}"
            _wrong(errors, index, predictor, told)
        seen.add(name)


def _check_graphs(sdep: Object, predictors: list[Object], config: SeldonConfig, errors: FieldErrors) -> None:
    seen: set[str] = set()
    for index, predictor in enumerate(predictors):
        graph, name = mapping(predictor.get("graph")), text(predictor.get("name"))
        if spec.NO_ENGINE in mapping(predictor.get("annotations")) and graph.get("children"):
            _wrong(errors, index, predictor, "Running without engine only valid for single element graphs")
        if name in seen:
            _wrong(errors, index, predictor, "Duplicate predictor name")
        seen.add(name)
        _Units(sdep, predictor, config, errors).check(graph, f"spec.predictors[{index}].graph", 0)


class _Units:
    def __init__(self, sdep: Object, predictor: Object, config: SeldonConfig, errors: FieldErrors) -> None:
        self._sdep, self._predictor, self._config, self._errors = sdep, predictor, config, errors

    def check(self, unit: Object, path: str, depth: int) -> None:
        if depth > _MOST_DEPTH:
            self._errors.invalid(
                path, unit.get("name"), f"A graph may not be more than {_MOST_DEPTH} units deep"
            )
            return
        implementation = text(unit.get("implementation"))
        if not implementation or implementation == spec.UNKNOWN:
            self._check_own(unit, path)
        elif spec.is_prepackaged(unit):
            self._check_server(unit, implementation, path)
        logger = unit.get("logger")
        if isinstance(logger, dict) and not logger.get("mode"):
            self._errors.invalid(path, "", "No logger mode specified")
        for number, child in enumerate(mappings(unit.get("children"))):
            self.check(child, f"{path}[{number}]", depth + 1)

    def _check_own(self, unit: Object, path: str) -> None:
        name = text(unit.get("name"))
        if spec.container_of(self._predictor, name)[1] is None:
            self._errors.invalid(path, name, "Can't find container for Predictive Unit")
        if unit.get("type") == "UNKNOWN_TYPE" and not unit.get("methods"):
            self._errors.invalid(
                path,
                name,
                "Predictive Unit has no implementation methods defined. Change to a known type or add what methods "
                "it defines",
            )

    def _check_server(self, unit: Object, implementation: str, path: str) -> None:
        name = text(unit.get("name"))
        if not unit.get("modelUri") and implementation != "HUGGINGFACE_SERVER":
            told = "Predictive unit modelUri required when using standalone servers"
            self._errors.invalid(path, name, told)
        if spec.protocol(self._sdep) == "tensorflow" and implementation in _NO_TENSORFLOW:
            told = f"Prepackaged server does not handle tensorflow protocol {implementation}"
            self._errors.invalid(path, name, told)
        container = spec.container_of(self._predictor, name)[1]
        if (container is None or not container.get("image")) and implementation not in self._config.servers:
            self._errors.invalid(path, name, f"No entry in predictors map for {implementation}")


def _check_transports(sdep: Object, predictors: list[Object], errors: FieldErrors) -> None:
    found = {
        text(mapping(unit.get("endpoint")).get("type"))
        for predictor in predictors
        for unit in spec.units(mapping(predictor.get("graph")))
    } - {""}
    transport = text(meta.spec(sdep).get("transport"))
    if len(found) > 1:
        told = "Multiple endpoint.types found - can only have 1 type in graph. Please use spec.transport"
        errors.invalid("spec", "", told)
    elif transport and found and found != {transport.upper()}:
        told = "Mixed transport types found. Remove graph endpoint.types if transport set at deployment level"
        errors.invalid("spec", "", told)


def _check_traffic(predictors: list[Object], errors: FieldErrors) -> None:
    shadows, total = [each for each in predictors if each.get("shadow")], 0
    for predictor in predictors:
        traffic = whole(predictor.get("traffic")) or 0
        if not predictor.get("shadow"):
            total += traffic
            if traffic < 0:
                errors.invalid("spec", predictor.get("name"), "traffic may not be negative")
        elif not 0 <= traffic <= 100:
            told = "shadow traffic is illegal, the traffic number should be between [0, 100]"
            errors.invalid("spec", predictor.get("name"), told)
    for extra in shadows[1:]:
        errors.invalid("spec", extra.get("name"), "Multiple shadows are not allowed")
    first = predictors[0].get("name")
    if total != 100 and len(predictors) - len(shadows) > 1:
        errors.invalid("spec", first, "Traffic must sum to 100 for multiple predictors")
    if 0 < total < 100 and len(predictors) == 1:
        errors.invalid("spec", first, "Traffic must sum be 100 for a single predictor when set")
