"""A plugin for pytest, which runs upstream's tests: what a failed test has made is deleted.

Upstream's tests delete at their end, which one that fails does not reach; its cluster is as large as that needs. Loaded
by serving.py. It knows what a test makes by what all clients of these kinds call.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import suppress
from typing import Any

import pytest
from kubernetes.client import CustomObjectsApi
from kubernetes.client.exceptions import ApiException

_made: list[tuple[Any, tuple[str, ...]]] = []
_create = CustomObjectsApi.create_namespaced_custom_object


def _remembered(
    self: Any, group: str, version: str, namespace: str, plural: str, body: Any, **told: Any
) -> Any:
    answer = _create(self, group, version, namespace, plural, body, **told)
    _made.append((self, (group, version, namespace, plural, answer["metadata"]["name"])))
    return answer


CustomObjectsApi.create_namespaced_custom_object = _remembered


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    report = yield
    if report.when == "teardown":
        _made.clear()
    elif report.failed:
        for api, where in _made:
            with suppress(ApiException):
                api.delete_namespaced_custom_object(*where)
    return report
