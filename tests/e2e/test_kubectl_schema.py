"""kubectl, unmodified: bodies in protobuf, explain and validation from OpenAPI, kinds that are only stored."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sampan.testing.clients import kubectl
from sampan.testing.server import ServerProcess

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
Kubectl = Callable[..., str]
CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one}\ndata: {a: b}\n"


@pytest.fixture(scope="module", params=["1.36.3", "1.37.1"])
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubectl]:
    """Runs a command: its output, or its errors where it fails."""
    home: Path = tmp_path_factory.mktemp("home")
    program = kubectl(request.param)
    with ServerProcess(home):

        def command(line: str, body: str = "") -> str:
            ended = subprocess.run(
                [program, *line.split()],
                input=body,
                env={"HOME": str(home), "KUBECONFIG": str(home / "kubeconfig"), "PATH": os.environ["PATH"]},
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            return ended.stdout + ended.stderr

        yield command


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("create namespace first", "namespace/first created"),
        ("create configmap first --from-literal=a=b", "configmap/first created"),
        ("create secret generic first --from-literal=a=b", "secret/first created"),
        ("create job first --image=python -- python -V", "job.batch/first created"),
        ("create deployment first --image=python --replicas=0", "deployment.apps/first created"),
        ("create serviceaccount first", "serviceaccount/first created"),
        ("create service clusterip first --tcp=80:80", "service/first created"),
        ("create poddisruptionbudget first --selector=a=b --min-available=1", "policy/first created"),
        ("create ingress first --rule=a.example.com/x=s:80", "ingress.networking.k8s.io/first created"),
        ("get configmap first -o jsonpath={.data.a}", "b"),
        ("get poddisruptionbudget first", "MIN AVAILABLE"),
        ("get ingress first", "a.example.com"),
        ("get apiservice v1.apps", "Local"),
    ],
)
def test_what_is_created_in_protobuf(run: Kubectl, line: str, told: str) -> None:
    assert told in run(line)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("explain pod.spec.containers.ports", "containerPort\t<integer> -required-"),
        ("explain pod.metadata", "ownerReferences\t<[]OwnerReference>"),
        ("explain job --recursive", "backoffLimit\t<integer>"),
        ("explain deployment.spec.template.spec.volumes.emptyDir", "sizeLimit\t<Quantity>"),
        ("explain service.spec.ports.targetPort", "FIELD: targetPort <IntOrString>"),
        ("explain hpa --api-version=autoscaling/v2", "GROUP:      autoscaling"),
        ("explain crd.spec.versions.schema.openAPIV3Schema", "additionalProperties\t<JSONSchemaPropsOrBool>"),
        ("explain pod.spec.nonsense", 'field "nonsense" does not exist'),
    ],
)
def test_explain(run: Kubectl, line: str, told: str) -> None:
    assert told in run(line)


def test_apply_diff_and_validation(run: Kubectl) -> None:
    assert "configmap/one created" in run("apply -f -", CONFIG)
    assert "configmap/one unchanged" in run("apply -f -", CONFIG)
    assert "configmap/one configured (server dry run)" in run(
        "apply --dry-run=server -f -", CONFIG.replace("a: b", "a: c")
    )
    assert run("diff -f -", CONFIG) == ""
    assert "+  a: c" in run("diff -f -", CONFIG.replace("a: b", "a: c"))
    assert "serverside-applied" in run("apply --server-side --force-conflicts -f -", CONFIG)
    wrong = CONFIG.replace("one", "two") + "dada: {}\n"
    assert 'strict decoding error: unknown field "dada"' in run("create -f - --validate=strict", wrong)
    assert 'Warning: unknown field "dada"' in run("create -f - --validate=warn --dry-run=server", wrong)
    assert "Warning" not in run("create -f - --validate=ignore", wrong)
    assert "dada" not in run("get configmap two -o yaml")
