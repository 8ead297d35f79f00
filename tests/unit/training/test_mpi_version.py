"""Which of two contracts an MPIJob was written for."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.components.training.api.mpi_version import API_VERSION, mpi_version


def _write(version: str, time: str, field: str = "f:spec") -> dict[str, Any]:
    return {"apiVersion": f"kubeflow.org/{version}", "time": time, "fieldsV1": {field: {}}}


@pytest.mark.parametrize(
    ("job", "expected"),
    [
        ({"apiVersion": "kubeflow.org/v1", "metadata": {"annotations": {API_VERSION: "v2beta1"}}}, "v2beta1"),
        ({"apiVersion": "kubeflow.org/v2beta1", "metadata": {"annotations": {API_VERSION: "v1"}}}, "v1"),
        ({"apiVersion": "kubeflow.org/v1"}, "v1"),
        ({"apiVersion": "kubeflow.org/v2beta1"}, "v2beta1"),
        ({"apiVersion": "kubeflow.org/v1", "metadata": {"annotations": {API_VERSION: "v3"}}}, "v1"),
        ({"apiVersion": "kubeflow.org/v1", "spec": {"sshAuthMountPath": "/root/.ssh"}}, "v2beta1"),
        ({"apiVersion": "kubeflow.org/v2beta1", "spec": {"mainContainer": "mpi"}}, "v1"),
        ({}, "v1"),
    ],
)
def test_by_note_by_fields_by_itself(job: dict[str, Any], expected: str) -> None:
    assert mpi_version(job) == expected


def test_where_no_admission_of_ours_notes_it_the_oldest_write_of_the_spec_tells() -> None:
    writes = [
        _write("v1", "2026-01-01T00:00:03Z"),
        _write("v1", "2026-01-01T00:00:00Z", "f:status"),
        _write("v2beta1", "2026-01-01T00:00:01Z"),
    ]
    job = {"apiVersion": "kubeflow.org/v1", "metadata": {"managedFields": writes}}
    assert mpi_version(job) == "v2beta1"
