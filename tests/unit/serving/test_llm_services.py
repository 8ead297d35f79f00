"""LLMInferenceServices: names, templates, what may be, where requests go, what is shown."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sampan.components.serving.api import language_models, language_summary
from sampan.components.serving.api.language_presets import presets
from sampan.components.serving.api.summary import State
from sampan.components.serving.engine.gateway.table import Entry, Table
from sampan.components.serving.engine.inference_services.addresses import Domain
from sampan.components.serving.engine.language_models import checks, combining, desired, names, templates
from sampan.components.serving.engine.language_models.templates import TemplateError, filled
from sampan.components.serving.engine.routing.language_models import routes
from sampan.components.serving.engine.validation.surroundings import Surroundings
from sampan.components.serving.ui import summary
from sampan.components.serving.ui.trying import protocols
from sampan.kube.fielderrors import FieldErrors

DATA = {
    "ObjectMeta": {"name": "words", "namespace": "team", "labels": {"a": "b"}},
    "Spec": {"model": {"name": 'org/"words"'}, "parallelism": {"tensor": 2}, "replicas": 0},
    "GlobalConfig": {"EnableTLS": False},
}


def service(name: str = "words", namespace: str = "team", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "serving.kserve.io/v1alpha2",
        "kind": "LLMInferenceService",
        "metadata": {"name": name, "namespace": namespace, "generation": 1, "annotations": {}},
        "spec": {"model": {"uri": "hf://org/words", "name": "words"}, **spec},
    }


def ready(obj: dict[str, Any], **status: Any) -> dict[str, Any]:
    condition = {"type": "Ready", "status": "True"}
    known = {
        "conditions": [condition],
        "url": "http://localhost/team/words",
        "workloads": {"primary": {"kind": "Deployment", "name": "words-kserve", "readyReplicas": 1}},
        "observedGeneration": 1,
    }
    return {**obj, "status": {**known, **status}}


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("plain", "plain"),
        ("{{ .ObjectMeta.Name }}-{{.ObjectMeta.Namespace}}", "words-team"),
        ("{{ .Spec.Model.Name }}", 'org/"words"'),
        ("{{ ChildName .ObjectMeta.Name `-pool` }}", "words-pool"),
        ('{{ ChildName .ObjectMeta.Name "-pool" }}', "words-pool"),
        ("{{ .ObjectMeta.Labels.a }}", "b"),
        ("{{ if .GlobalConfig.EnableTLS }}HTTPS{{else}}HTTP{{- end }}", "HTTP"),
        ("a  {{- if .GlobalConfig.EnableTLS }} x {{- end }}  b", "a  b"),
        (
            "{{- if and .Spec.Parallelism .Spec.Parallelism.Tensor }} --tp {{ .Spec.Parallelism.Tensor }}{{- end }}",
            " --tp 2",
        ),
        ("{{ if and .Spec.Nothing .Spec.Nothing.At.All }}x{{ end }}", ""),
        ("{{ if or .Spec.Nothing .Spec.Parallelism }}x{{ end }}", "x"),
        ("{{ if not .Spec.Replicas }}{{ if eq .Spec.Parallelism.Tensor 2 }}two{{ end }}{{ end }}", "two"),
        ("{{ if .Spec.Replicas }}a{{ else if (eq 1 2) }}b{{ else }}c{{ end }}", "c"),
        ("{{ shutdownTimeout .Spec.Template 15 }}", "40"),
        ("{{ .Spec.Missing }}", "<no value>"),
        ("{{/* nothing */}}x", "x"),
    ],
)
def test_gos_templates(template: str, text: str) -> None:
    assert filled({"a": [template]}, DATA) == {"a": [text]}


@pytest.mark.parametrize(
    "template",
    [
        "{{ .A",
        "{{ end }}",
        "{{ if .A }}",
        "{{ range .A }}",
        "{{ .Spec.Model.Name.X }}",
        "{{ (eq 1 2 }}",
        "{{ }}",
    ],
)
def test_templates_that_cannot_be_read(template: str) -> None:
    with pytest.raises(TemplateError):
        filled(template, DATA)


def test_offloading_is_told_in_vllms_words() -> None:
    data = {"Spec": {"kvCacheOffloading": {"cpu": "1Gi", "secondary": [{"fileSystem": {"emptyDir": {}}}]}}}
    told = filled("{{ kvTransferConfig .Spec.KVCacheOffloading }}", data)
    assert told.startswith("--kv-transfer-config '{")
    assert '\\"cpu_bytes_to_use\\": 1073741824' in told
    assert "/mnt/kv-cache-0" in told
    assert filled("{{ kvTransferConfig .Spec.KVCacheOffloading }}", {"Spec": {}}) == ""


def test_names_that_are_too_long_end_with_a_digest() -> None:
    assert names.child("a" * 40, "-kserve") == "a" * 40 + "-kserve"
    found = names.child("a" * 60, "-kserve")
    assert len(found) == 63
    assert found.startswith("a" * 24)
    assert found.endswith("-kserve")
    assert found != names.child("a" * 59 + "b", "-kserve")
    assert len(names.child("a" * 60, "-" + "s" * 40)) <= 63


@pytest.mark.parametrize("is_embedded", [True, False])
def test_what_comes_along_can_be_combined(is_embedded: bool) -> None:
    known = {each["metadata"]["name"]: each for each in presets(is_embedded=is_embedded)}
    obj = service(parallelism={"tensor": 2}, prefill={}, router={"route": {}, "scheduler": {}}, tracing={})
    found = combining.combined(
        obj, lambda namespace, name: known.get(name) if namespace == "kserve" else None
    )
    for workload in desired.workloads(obj, found):
        template = desired.template(obj, found, workload, [])
        main = template["spec"]["containers"][0]
        words = " ".join([*main["command"], *main["args"]])
        assert "vllm serve /mnt/models" in words
        assert ("--tensor-parallel-size=2" in words) is (workload.role == names.DECODE)
        assert "--otlp-traces-endpoint http://otel-collector:4317" in words
        assert "{{" not in str(template)
    assert len(found.applied) == 5


def test_certificates_that_upstreams_configurations_mount_may_be_missing() -> None:
    secret = {
        "name": "tls-certs",
        "secret": {"secretName": "{{ ChildName .ObjectMeta.Name `-kserve-self-signed-certs` }}"},
    }
    template = {"containers": [{"name": "main"}], "volumes": [secret]}
    known = {each["metadata"]["name"]: each for each in presets(is_embedded=True)}
    obj = service(template=template)
    found = combining.combined(
        obj, lambda namespace, name: known.get(name) if namespace == "kserve" else None
    )
    made = desired.template(obj, found, desired.workloads(obj, found)[0], [])
    told = {"secretName": "words-kserve-self-signed-certs", "optional": True}
    assert made["spec"]["volumes"] == [{"name": "tls-certs", "secret": told}]


@pytest.mark.parametrize(("sidecars", "port"), [([], 8000), ([{"name": "llm-d-routing-sidecar"}], 8001)])
def test_without_a_sidecar_what_was_behind_it_has_its_port(sidecars: list[Any], port: int) -> None:
    main = {
        "name": "main",
        "command": ["simulator", "--port=8001"],
        "args": ["--port", "8001", "--seed", "8001"],
        "ports": [{"containerPort": 8001}],
        "readinessProbe": {"httpGet": {"path": "/health", "port": 8001}},
    }
    template = {"containers": [main], "initContainers": sidecars}
    known = {each["metadata"]["name"]: each for each in presets(is_embedded=True)}
    obj = service(template=template, prefill={"template": {"containers": [main]}})
    found = combining.combined(
        obj, lambda namespace, name: known.get(name) if namespace == "kserve" else None
    )
    decode, prefill = (
        desired.template(obj, found, each, [])["spec"]["containers"][0]
        for each in desired.workloads(obj, found)
    )
    assert decode["command"] == ["simulator", f"--port={port}"]
    assert decode["args"] == ["--port", str(port), "--seed", "8001"]
    assert port in [each["containerPort"] for each in decode["ports"]]
    assert decode["readinessProbe"]["httpGet"]["port"] == port
    # It had no sidecar before it.
    assert prefill["args"] == main["args"]


def check(obj: dict[str, Any], old: dict[str, Any] | None = None, kind: Any = checks.check) -> list[str]:
    errors = FieldErrors()
    around = Surroundings.__new__(Surroundings)
    kind(obj, old, around, errors)
    return [f"{each.field}: {each.message}" for each in errors.causes]


WVA = {"wva": {"hpa": {}}}


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ({}, ""),
        ({"model": {"name": "words"}}, "spec.model.uri: Required value: say where the model is"),
        ({"model": {"name": "words"}, "baseRefs": [{"name": "says-it"}]}, ""),
        ({"worker": {}}, "spec.worker: Invalid value: {}: when worker is specified, parallelism must be"),
        (
            {"parallelism": {"data": 2}},
            "spec.parallelism.dataLocal: Invalid value: null: dataLocal must be set",
        ),
        (
            {"parallelism": {"pipeline": 2, "data": 2, "dataLocal": 1}},
            "cannot set both pipeline parallelism and data parallelism (data or dataLocal) simultaneously",
        ),
        ({"prefill": {"worker": {}}}, "spec.prefill.worker"),
        ({"router": {"route": {"http": {"refs": [{"name": "r"}], "spec": {}}}}}, "choose one"),
        (
            {"router": {"route": {"http": {"refs": [{}]}}, "gateway": {}}},
            "cannot be used with a managed gateway",
        ),
        (
            {"router": {"route": {"group": "g"}}},
            "spec.router.route.weight: Required value: group requires weight",
        ),
        (
            {"router": {"route": {"weight": 1}}},
            "spec.router.route.group: Required value: weight requires group",
        ),
        ({"router": {"scheduler": {"replicas": 0}}}, "scheduler replicas must be greater than zero"),
        ({"router": {"scheduler": {"config": {}}}}, "either inline or ref is required"),
        ({"scaling": {"maxReplicas": 2}}, "spec.scaling.wva: Required value"),
        ({"scaling": {"maxReplicas": 2, "wva": {}}}, "either hpa or keda must be specified"),
        (
            {"scaling": {"maxReplicas": 2, "minReplicas": 3, **WVA}},
            "minReplicas (3) cannot exceed maxReplicas (2)",
        ),
        (
            {"scaling": {"maxReplicas": 2, **WVA}, "replicas": 1},
            "scaling and replicas are mutually exclusive",
        ),
        (
            {
                "scaling": {"maxReplicas": 2, **WVA},
                "prefill": {"scaling": {"maxReplicas": 1, "wva": {"keda": {}}}},
            },
            "decode uses hpa but prefill uses keda",
        ),
        ({"kvCacheOffloading": {"cpu": "1Gi", "secondary": [{}]}}, "fileSystem must be set"),
        (
            {"kvCacheOffloading": {"cpu": "1Gi", "secondary": [{"fileSystem": {"pvc": {}}}]}},
            "secondary[0].fileSystem.pvc: Required value: exactly one of spec or ref must be set",
        ),
    ],
)
def test_what_may_be(spec: dict[str, Any], told: str) -> None:
    found = check(service(**spec))
    assert len(found) == bool(told), found
    assert told in "".join(found)


def test_adapters_have_names_of_their_own() -> None:
    adapters = [{"name": "a"}, {}, {"name": "a"}, {"name": "words"}, {"name": ".."}]
    found = check(service(model={"uri": "hf://a/b", "name": "words", "lora": {"adapters": adapters}}))
    at = "spec.model.lora.adapters"
    assert found == [
        f"{at}[1].name: Required value: adapter name is required",
        f'{at}[2].name: Invalid value: "a": duplicate name (same as adapters[0])',
        f'{at}[3].name: Invalid value: "words": adapter name must differ from base model name "words"',
        f'{at}[4].name: Invalid value: "..": adapter name must not include "." or ".." (path traversal risk)',
    ]


def test_how_many_nodes_there_are_does_not_change() -> None:
    old, new = (service(parallelism={"data": each, "dataLocal": 1}) for each in (2, 4))
    assert "total parallelism size is immutable, previous size 2, curr size 4" in check(new, old)[0]


def test_a_configuration_refers_to_no_other_and_can_be_read() -> None:
    config = {"metadata": {"name": "c"}, "spec": {"baseRefs": [{"name": "d"}]}}
    assert "spec.baseRefs: Forbidden" in check(config, kind=checks.check_config)[0]
    config = {"metadata": {"name": "c"}, "spec": {"template": {"containers": [{"image": "{{ if .A }}"}]}}}
    assert "a template cannot be read" in check(config, kind=checks.check_config)[0]
    templates.checked({"a": ["{{ .Spec.Anything.At.All }}"]})


def test_a_model_has_the_services_name_and_a_group_is_a_label() -> None:
    obj = service(router={"route": {"group": "g", "weight": 1}})
    obj["spec"]["model"].pop("name")
    found = language_models.with_defaults(obj)
    assert found["spec"]["model"] == {"uri": "hf://org/words", "name": "words"}
    assert found["metadata"]["labels"] == {"serving.kserve.io/routing-group": "g"}
    found["spec"]["router"] = {}
    assert language_models.with_defaults(found)["metadata"]["labels"] == {}


def test_how_critical_a_model_is_goes_there_and_back() -> None:
    adapters = [{"name": "a"}, {"name": "b", "criticality": "Sheddable"}]
    obj = service(model={"uri": "hf://a/b", "criticality": "Critical", "lora": {"adapters": adapters}})
    new = language_models.converted(obj, language_models.V1ALPHA2)
    assert "riticality" not in str(new["spec"])
    assert new["metadata"]["annotations"][language_models.ADAPTERS] == '{"1": "Sheddable"}'
    back = language_models.converted(new, language_models.V1ALPHA1)
    assert back["spec"] == obj["spec"]
    assert "annotations" not in back["metadata"]


def test_a_pool_is_of_the_versions_own_api() -> None:
    extension = {"name": "picker", "kind": "Service", "portNumber": 9002, "failureMode": "FailClose"}
    pool = {"selector": {"app": "vllm"}, "targetPortNumber": 8000, "extensionRef": extension}
    router = {"scheduler": {"replicas": 1, "pool": {"spec": pool}}, "route": {}}
    obj = service(router=router)
    new = language_models.converted(obj, language_models.V1ALPHA2)
    assert new["spec"]["router"]["scheduler"]["pool"]["spec"] == {
        "selector": {"matchLabels": {"app": "vllm"}},
        "targetPorts": [{"number": 8000}],
        "endpointPickerRef": {
            "name": "picker",
            "kind": "Service",
            "port": {"number": 9002},
            "failureMode": "FailClose",
        },
    }
    assert language_models.converted(new, language_models.V1ALPHA1)["spec"] == obj["spec"]
    assert obj["spec"]["router"]["scheduler"]["pool"]["spec"] is pool
    named = service(router={"scheduler": {"pool": {"ref": {"name": "theirs"}}}})
    assert language_models.converted(named, language_models.V1ALPHA2)["spec"] == named["spec"]


@pytest.mark.parametrize("pool", [{"selector": 5, "extensionRef": "x"}, {"targetPorts": [], "mine": {}}, {}])
def test_a_pool_that_is_none_stays_as_it_is(pool: Any) -> None:
    obj = service(router={"scheduler": {"pool": {"spec": pool}}})
    for version in (language_models.V1ALPHA1, language_models.V1ALPHA2):
        assert language_models.converted(obj, version)["spec"] == obj["spec"]


def test_where_requests_go() -> None:
    own, publisher = routes(ready(service()), Domain())
    assert own.prefixes == ("/team/words",)
    assert own.hosts == (
        "words-kserve-workload-svc.team.svc.cluster.local",
        "words-kserve-workload-svc.team.svc",
        "words-kserve-workload-svc.team",
        "words-team.localhost",
    )
    assert publisher.prefixes == ("/publishers/team/models/words",)
    [backend] = own.rules[0].backends
    assert (backend.service, backend.port, backend.target) == ("words-kserve-workload-svc", 8000, None)
    assert routes(service(), Domain()) == ()
    # An adapter has a path of its own beside its model's.
    models = [
        {"name": each} for each in ("words", "publishers/team/models/words", "publishers/team/models/a")
    ]
    _, publisher = routes(ready(service(), addresses=[{"models": models}]), Domain())
    assert publisher.prefixes == ("/publishers/team/models/words", "/publishers/team/models/a")
    # Without a route there is no way from outside.
    [inside] = routes(ready(service(), url=None), Domain())
    assert (inside.prefixes, inside.is_public) == ((), False)


def test_the_platforms_own_paths_stay_its_own() -> None:
    own, _ = routes(ready(service("v1", "apis")), Domain())
    assert own.prefixes == ()
    assert own.hosts[-1] == "v1-apis.localhost"


def test_a_group_shares_its_models_path_by_weights() -> None:
    members = [
        {"name": "words", "weight": 9},
        {"name": "new", "weight": 1},
        {"name": "old", "weight": 5, "stopped": True},
    ]
    _, publisher = routes(ready(service(), router={"group": {"name": "g", "members": members}}), Domain())
    shares = [(each.service.partition("-")[0], each.weight) for each in publisher.rules[0].backends]
    assert shares == [("words", 9), ("new", 1), ("old", 0)]


def test_what_is_stopped_or_not_made_refuses() -> None:
    stopped = ready(service())
    stopped["metadata"]["annotations"] = {"serving.kserve.io/stop": "true"}
    assert "it is stopped" in routes(stopped, Domain())[0].refusal
    unmade = ready(
        service(), workloads={}, conditions=[{"type": "Ready", "status": "False", "message": "no"}]
    )
    assert routes(unmade, Domain())[0].refusal == "no"
    assert "no replicas" in routes(ready(service(replicas=0)), Domain())[0].refusal


def test_paths_of_services_are_the_gateways_and_no_others() -> None:
    table = Table()
    own, publisher = routes(ready(service()), Domain())
    for number, route in enumerate((own, publisher)):
        table.put(replace(Entry(route, ("", "")), number=number))
    assert table.has_path(b"/team/words/v1/models")
    assert not table.has_path(b"/team/other")
    assert not table.has_path(b"/api/v1/namespaces")
    found = table.by_path(b"/team/words/v1/models?x=1")
    assert found is not None
    assert found.target == b"/v1/models?x=1"
    table.remove(own.kind and (own.kind, "team", "words", 0))
    assert not table.has_path(b"/team/words/v1/models")


@pytest.mark.parametrize(
    ("reason", "state"),
    [
        ("Progressing", State.STARTING),
        ("MinimumReplicasUnavailable", State.STARTING),
        ("Error", State.FAILED),
    ],
)
def test_what_is_shown(reason: str, state: State) -> None:
    condition = {"type": "Ready", "status": "False", "reason": reason, "message": "why"}
    found = language_summary.summarise(ready(service(), conditions=[condition]))
    assert (found.state, found.why, found.source) == (state, f"{reason}: why", "hf://org/words")
    obj = ready(
        service(),
        addresses=[
            {"url": "http://localhost/team/words", "models": [{"name": "publishers/x"}, {"name": "w"}]}
        ],
    )
    endpoint = summary.summarise(obj)
    assert (endpoint.state, endpoint.copies, endpoint.model) == (State.READY, 1, "w")
    [way] = protocols.ways(endpoint, obj)
    assert (way.path, way.example["model"]) == ("/team/words/v1/chat/completions", "w")
