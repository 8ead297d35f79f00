"""All that a SeldonDeployment wants there to be. The models' files are brought by whoever writes it (`Fetch`).

Source: seldon-core 1.18.2 operator/controllers/seldondeployment_controller.go (createComponents and what it calls). Not
so here: a graph of built-in units alone has an executor too, in a pod of its own.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field

from sampan.components.serving.api.reading import by_text, mapping, mappings, named, text
from sampan.components.serving.engine.seldon import executor, explainers, names, servers, spec, units
from sampan.components.serving.engine.seldon.config import SeldonConfig
from sampan.kube import meta
from sampan.kube.meta import Object

_SHADOW = "seldon.io/shadow"
APP, ID = "seldon-app", "seldon-deployment-id"


@dataclass(frozen=True, slots=True)
class Fetch:
    """A model for a container of a Deployment."""

    deployment: str
    container: str
    uri: str
    account: str = ""
    secret: str = ""
    image: str = ""


@dataclass(slots=True)
class Endpoint:
    """A Service, as the status tells of it."""

    http: str
    grpc: str = ""
    explains: str = ""


@dataclass(slots=True)
class Desired:
    deployments: dict[str, Object] = field(default_factory=dict)
    services: dict[str, Object] = field(default_factory=dict)
    autoscalers: dict[str, Object] = field(default_factory=dict)
    budgets: dict[str, Object] = field(default_factory=dict)
    fetches: list[Fetch] = field(default_factory=list)
    endpoints: dict[str, Endpoint] = field(default_factory=dict)
    default_deployment: str = ""
    """Whose replicas the status has as its own."""
    uses_keda: bool = False
    address: str = ""


def desired(sdep: Object, config: SeldonConfig) -> Desired:
    """`sdep` has its defaults. Raises ValueError for what cannot be done."""
    found = Desired()
    for predictor in spec.predictors(sdep):
        _Predictor(sdep, predictor, config, found).add()
    first = spec.predictors(sdep)[0]
    key = names.predictor_key(meta.name(sdep), first)
    host, port = names.cluster_host(key, meta.namespace(sdep)), found.endpoints[key].http.rpartition(":")[2]
    found.address = f"http://{host}:{port}{_prediction_path(sdep, first)}"
    return found


def _prediction_path(sdep: Object, predictor: Object) -> str:
    """Source: operator/utils/utils.go (GetPredictionPath)."""
    protocol, model = spec.protocol(sdep), text(mapping(predictor.get("graph")).get("name"))
    if protocol == "tensorflow":
        return f"/v1/models/{model}:predict"
    return f"/v2/models/{model}/infer" if protocol in ("v2", "kfserving") else "/api/v1.0/predictions"


def executor_deployment(sdep: Object, predictor: Object) -> str:
    """Whose pods take a predictor's requests; `sdep` has its defaults."""
    name = meta.name(sdep)
    if not spec.has_executor(predictor):
        pods = spec.pods(predictor)
        return names.deployment(name, predictor, pods[0], 0) if pods else ""
    if spec.is_separate(sdep):
        return names.orchestrator(name, predictor)
    for index, pod in enumerate(spec.pods(predictor)):
        for container in spec.containers(pod):
            unit = spec.find_unit(predictor, text(container.get("name")))
            if unit is not None and mapping(unit.get("endpoint")).get("service_host") == "localhost":
                return names.deployment(name, predictor, pod, index)
    return names.orchestrator(name, predictor)


class _Predictor:
    def __init__(self, sdep: Object, predictor: Object, config: SeldonConfig, into: Desired) -> None:
        self._sdep, self._predictor, self._config, self._into = sdep, predictor, config, into
        self._name, self._namespace = meta.name(sdep), meta.namespace(sdep)
        self._id = names.seldon_id(self._name)
        self._key = names.predictor_key(self._name, predictor)

    def add(self) -> None:
        for index, pod in enumerate(spec.pods(self._predictor)):
            if spec.containers(pod):
                self._add_pod(index, pod)
        self._add_models()
        if spec.has_executor(self._predictor):
            self._add_executor()
        if units.has_explainer(self._predictor):
            self._add_explainer()

    def _add_pod(self, index: int, pod: Object) -> None:
        name = names.deployment(self._name, self._predictor, pod, index)
        self._into.default_deployment = self._into.default_deployment or name
        deployment = self._deployment(name, self._template(name, pod))
        template = deployment["spec"]["template"]
        for container in template["spec"]["containers"]:
            unit = spec.find_unit(self._predictor, text(container.get("name")))
            _label(deployment, units.type_labels(unit, self._predictor))
            if unit is not None and mapping(unit.get("endpoint")):
                self._add_unit(deployment, unit, container)
        if pod.get("kedaSpec"):
            self._into.uses_keda = True
        elif pod.get("hpaSpec"):
            self._into.autoscalers[name] = self._autoscaler(name, mapping(pod["hpaSpec"]))
        elif (replicas := spec.replicas(self._sdep, self._predictor, pod)) is not None:
            deployment["spec"]["replicas"] = replicas
        if pod.get("pdbSpec"):
            self._into.budgets[name] = self._budget(name, mapping(pod["pdbSpec"]))
        self._into.deployments[name] = deployment

    def _add_unit(self, deployment: Object, unit: Object, container: Object) -> None:
        own = text(container.get("name"))
        units.complete(self._sdep, self._predictor, unit, container, self._config)
        service = units.service(self._sdep, self._predictor, unit, own)
        name = meta.name(service)
        _select(deployment, {f"{units.APP_SERVICE}-{own}": name})
        self._into.services[name] = service
        endpoint = mapping(unit.get("endpoint"))
        http, grpc = int(endpoint["httpPort"]), int(endpoint["grpcPort"])
        self._into.endpoints[name] = self._endpoint(name, http, grpc)
        if not spec.has_executor(self._predictor):
            _select(deployment, {APP: self._key})
            self._add_service(self._key, http, grpc, units.type_labels(unit, self._predictor))

    def _add_models(self) -> None:
        for unit in spec.units(mapping(self._predictor.get("graph"))):
            is_server, uri = spec.is_prepackaged(unit), text(unit.get("modelUri"))
            if not is_server and not uri:
                continue
            index, container = spec.container_of(self._predictor, text(unit.get("name")))
            if container is None:
                raise ValueError(f"Failed to find PodSpec for PredictiveUnit named {unit.get('name')}")
            pod = spec.pods(self._predictor)[index]
            name = names.deployment(self._name, self._predictor, pod, index)
            template = self._into.deployments[name]["spec"]["template"]
            sees = text(unit.get("name"))
            if is_server:
                sees = servers.complete(self._sdep, unit, template["spec"], self._config)
            if uri and not self._is_read_by_triton(unit):
                self._into.fetches.append(
                    Fetch(
                        name,
                        sees,
                        uri,
                        text(unit.get("serviceAccountName")),
                        text(unit.get("envSecretRefName")),
                        text(unit.get("storageInitializerImage")),
                    )
                )

    def _is_read_by_triton(self, unit: Object) -> bool:
        is_triton = unit.get("implementation") == "TRITON_SERVER"
        return is_triton and spec.annotation(self._sdep, spec.NO_STORAGE).lower() == "true"

    def _add_executor(self) -> None:
        name = executor_deployment(self._sdep, self._predictor)
        deployment = self._into.deployments.get(name)
        if deployment is not None:
            template = deployment["spec"]["template"]
            executor.add(template, self._sdep, self._predictor, self._config)
            _label(deployment, {"seldon-deployment-contains-svcorch": "true"}, template=False)
        else:
            template = executor.template(self._sdep, self._predictor, self._config)
            deployment = self._deployment(name, template)
            extra = {"seldon-deployment-contains-svcorch": "true", "fluentd": "true", "app": name}
            _label(deployment, {**extra, **by_text(self._predictor.get("labels"))})
            told = (
                mapping(self._predictor.get("svcOrchSpec")).get("replicas"),
                spec.replicas(self._sdep, self._predictor, {}),
            )
            replicas = next((each for each in told if isinstance(each, int)), None)
            if replicas is not None:
                deployment["spec"]["replicas"] = replicas
            self._into.deployments[name] = deployment
            self._into.default_deployment = self._into.default_deployment or name
        _select(deployment, {APP: self._key})
        self._add_service(self._key, executor.HTTP_PORT, executor.GRPC_PORT, {units.MANAGED_BY: units.VALUE})

    def _add_explainer(self) -> None:
        explainer, at = mapping(self._predictor.get("explainer")), self._into.endpoints[self._key]
        name = names.explainer(self._name, self._predictor)
        template = explainers.template(self._sdep, self._predictor, (at.http, at.grpc), self._config)
        deployment = self._deployment(name, template)
        labels = {"app": name, "fluentd": "true", **by_text(self._predictor.get("labels"))}
        _label(deployment, {**labels, **units.type_labels(None, self._predictor)})
        _select(deployment, {APP: name})
        told = (spec.replicas(self._sdep, self._predictor, {}), explainer.get("replicas"))
        replicas = 0 if told[0] == 0 else told[1]
        if isinstance(replicas, int):
            deployment["spec"]["replicas"] = replicas
        self._into.deployments[name] = deployment
        port = explainers.http_port(self._predictor)
        self._add_service(name, port, 0, units.type_labels(None, self._predictor))
        self._into.services[name]["metadata"]["labels"][APP] = self._key
        self._into.endpoints[name].explains = self._key
        if uri := text(explainer.get("modelUri")):
            container = text(template["spec"]["containers"][0]["name"])
            self._into.fetches.append(
                Fetch(
                    name,
                    container,
                    uri,
                    text(explainer.get("serviceAccountName")),
                    text(explainer.get("envSecretRefName")),
                    text(explainer.get("storageInitializerImage")),
                )
            )

    def _add_service(self, name: str, http: int, grpc: int, labels: dict[str, str]) -> None:
        ports = [units.service_port("http", http)]
        ports += [units.service_port("grpc", grpc)] if grpc else []
        service: Object = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {
                "name": name,
                "namespace": self._namespace,
                "labels": {APP: name, ID: self._id, **labels},
            },
            "spec": {
                "type": "ClusterIP",
                "sessionAffinity": "None",
                "selector": {APP: name},
                "ports": ports,
            },
        }
        if text(mapping(self._predictor.get("annotations")).get("seldon.io/headless-svc")).lower() == "true":
            service["spec"]["clusterIP"] = "None"
        self._into.services[name] = service
        self._into.endpoints[name] = self._endpoint(name, http, grpc)

    def _endpoint(self, name: str, http: int, grpc: int) -> Endpoint:
        at = f"{name}.{self._namespace}"
        return Endpoint(f"{at}:{http}", f"{at}:{grpc}" if grpc else "")

    def _template(self, name: str, pod: Object) -> Object:
        told, wanted = copy.deepcopy(mapping(pod.get("spec"))), mapping(pod.get("metadata"))
        volumes = mappings(told.get("volumes"))
        if named(volumes, spec.PODINFO) is None:
            told["volumes"] = [*volumes, executor.podinfo()]
        told.setdefault("terminationGracePeriodSeconds", 20)
        annotations = {
            "prometheus.io/path": units.PROMETHEUS_PATH,
            "prometheus.io/scrape": "true",
            **by_text(meta.spec(self._sdep).get("annotations")),
            **by_text(self._predictor.get("annotations")),
            **by_text(wanted.get("annotations")),
        }
        labels = {
            "app": name,
            "fluentd": "true",
            **({_SHADOW: "true"} if self._predictor.get("shadow") else {}),
            **by_text(self._predictor.get("labels")),
            **by_text(wanted.get("labels")),
        }
        return {"metadata": {"labels": labels, "annotations": annotations}, "spec": told}

    def _deployment(self, name: str, template: Object) -> Object:
        labels = {"app": name, **meta.labels(template), ID: self._id}
        template["metadata"]["labels"] = {**meta.labels(template), ID: self._id}
        if self._config.user is not None and template["spec"].get("securityContext") is None:
            template["spec"]["securityContext"] = {"runAsUser": self._config.user}
        annotations = {
            key: value
            for key, value in meta.annotations(template).items()
            if not key.startswith("prometheus.io/")
        }
        made: Object = {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {
                "name": name,
                "namespace": self._namespace,
                "labels": labels,
                "annotations": annotations,
            },
            "spec": {
                "selector": {"matchLabels": {ID: self._id}},
                "template": template,
                "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "10%"}},
            },
        }
        deadline = self._predictor.get("progressDeadlineSeconds")
        if isinstance(deadline, int):
            made["spec"]["progressDeadlineSeconds"] = deadline
        return made

    def _autoscaler(self, name: str, told: Object) -> Object:
        found: Object = {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
            "maxReplicas": told.get("maxReplicas"),
        }
        metrics = mappings(told.get("metricsv2")) or [_newer(each) for each in mappings(told.get("metrics"))]
        if metrics:
            found["metrics"] = metrics
        if isinstance(told.get("minReplicas"), int):
            found["minReplicas"] = told["minReplicas"]
        return self._child("autoscaling/v2", "HorizontalPodAutoscaler", name, found)

    def _budget(self, name: str, told: Object) -> Object:
        found = {key: told[key] for key in ("minAvailable", "maxUnavailable") if told.get(key) is not None}
        found["selector"] = {"matchLabels": {ID: self._id}}
        return self._child("policy/v1", "PodDisruptionBudget", name, found)

    def _child(self, version: str, kind: str, name: str, told: Object) -> Object:
        metadata = {"name": name, "namespace": self._namespace, "labels": {ID: self._id}}
        return {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": told}


def _label(deployment: Object, labels: dict[str, str], *, template: bool = True) -> None:
    deployment["metadata"]["labels"].update(labels)
    if template:
        deployment["spec"]["template"]["metadata"]["labels"].update(labels)


def _select(deployment: Object, labels: dict[str, str]) -> None:
    _label(deployment, labels)
    deployment["spec"]["selector"]["matchLabels"].update(labels)


def _newer(metric: Object) -> Object:
    """A metric of autoscaling/v2beta1 as v2 has it. Source: apis/machinelearning.seldon.io/v1/conversion.go."""
    kind = text(metric.get("type"))
    key = kind[:1].lower() + kind[1:]
    told = mapping(metric.get(key))
    found: Object = {"name": told.get("name")} if kind in ("Resource", "ContainerResource") else {}
    if kind == "ContainerResource":
        found["container"] = told.get("container")
    if kind in ("Pods", "Object", "External"):
        selector = told.get("selector") or told.get("metricSelector")
        found["metric"] = {"name": told.get("metricName"), **({"selector": selector} if selector else {})}
    if kind == "Object":
        found["describedObject"] = told.get("target")
    for old, type_, new in (
        ("targetAverageUtilization", "Utilization", "averageUtilization"),
        ("targetAverageValue", "AverageValue", "averageValue"),
        ("averageValue", "AverageValue", "averageValue"),
        ("targetValue", "Value", "value"),
    ):
        if told.get(old) is not None:
            found["target"] = {"type": type_, new: told[old]}
            break
    return {"type": kind, key: found}
