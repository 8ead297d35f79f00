"""Our messages of Katib's gRPC services beside those that upstream's client carries."""

from __future__ import annotations

import base64
import subprocess

import pytest
from google.protobuf import descriptor_pb2

from sampan.components.tuning.api.messages import PACKAGE, SERVICES, message
from sampan.testing.clients import KATIBS_CLIENT_IMPORTS, interpreter_with

UPSTREAM = """
import base64
import kubeflow.katib.katib_api_pb2 as api
print(base64.b64encode(api.DESCRIPTOR.serialized_pb).decode())
"""


@pytest.mark.skipif(not KATIBS_CLIENT_IMPORTS, reason="kubeflow-katib cannot be imported by this Python")
def test_every_message_field_and_number_is_upstreams() -> None:
    python = interpreter_with("kubeflow-katib==0.19.0", "kubernetes==35.0.0")
    said = subprocess.run(
        [python, "-W", "ignore", "-c", UPSTREAM], capture_output=True, check=True, timeout=100
    )
    theirs = descriptor_pb2.FileDescriptorProto.FromString(base64.b64decode(said.stdout))
    ours = descriptor_pb2.FileDescriptorProto()
    message("Experiment").DESCRIPTOR.file.CopyToProto(ours)
    assert ours.package == theirs.package == PACKAGE
    assert _all(ours) == _all(theirs)
    # Methods' names; what each takes and answers goes by them.
    assert {f"{PACKAGE}.{each.name}": {m.name for m in each.method} for each in theirs.service} == {
        name: set(methods) for name, methods in SERVICES.items()
    }
    for service in theirs.service:
        for method in service.method:
            assert method.input_type == f".{PACKAGE}.{method.name}Request"
            assert method.output_type == f".{PACKAGE}.{method.name}Reply"


def _all(file: descriptor_pb2.FileDescriptorProto) -> dict[str, object]:
    found: dict[str, object] = {}

    def enums(prefix: str, declared: object) -> None:
        for each in declared:  # type: ignore[attr-defined]
            found[f"{prefix}.{each.name}"] = {value.name: value.number for value in each.value}

    def messages(prefix: str, declared: object) -> None:
        for each in declared:  # type: ignore[attr-defined]
            name = f"{prefix}.{each.name}"
            found[name] = (
                {
                    field.number: (field.name, field.type, field.label, field.type_name)
                    for field in each.field
                },
                each.options.map_entry,
            )
            messages(name, each.nested_type)
            enums(name, each.enum_type)

    messages("", file.message_type)
    enums("", file.enum_type)
    assert len(found) > 40
    return found
