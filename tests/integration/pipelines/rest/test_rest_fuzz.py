"""Filters, orders and page tokens that nobody would write: each is understood or refused, and nothing else happens.

The seeds are fixed, so a failure comes again.
"""

from __future__ import annotations

import base64
import json
import random
from typing import Any

import pytest

from sampan.components.pipelines.store import runs

LISTS = [
    "/apis/v1beta1/experiments",
    "/apis/v1beta1/jobs",
    "/apis/v1beta1/pipelines",
    "/apis/v1beta1/runs",
    "/apis/v1alpha1/tasks",
    "/apis/v2beta1/artifacts",
    "/apis/v2beta1/artifact_tasks",
    "/apis/v2beta1/experiments",
    "/apis/v2beta1/pipelines",
    "/apis/v2beta1/recurringruns",
    "/apis/v2beta1/runs",
]
WORDS = [
    "name", "id", "created_at", "status", "state", "storage_state", "display_name", "tags.x", "tags.", "metric:a",
    "metric:", "namespace", "run_id", "uri", "", " ", "'", '"', "%", "_", ";", "--", "\\", "\x00", "\ud7ff", "ü", "1",
    "-1", "0x1", "null", "desc", "asc", "ASC", "; DROP TABLE runs", "' OR '1'='1", "id, name", "(select 1)",
    "STORAGESTATE_ARCHIVED", "Failed", "2026-01-31T12:00:00Z", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z",
    "a" * 5000,
]  # fmt: skip
VALUES: list[Any] = [
    None,
    True,
    0,
    -1,
    2**31,
    2**63,
    2**70,
    1e400,
    0.5,
    [],
    {},
    [[]],
    {"values": []},
    {"values": [1]},
]
FIELDS = [
    "op", "operation", "key", "int_value", "long_value", "string_value", "stringValue", "timestamp_value", "int_values",
    "long_values", "string_values", "stringValues", "values", "predicates", "unknown",
]  # fmt: skip


class Odd:
    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def value(self) -> Any:
        pick = self.random.random()
        if pick < 0.5:
            return self.random.choice(WORDS)
        if pick < 0.6:
            return {"values": [self.random.choice(WORDS) for _ in range(self.random.randrange(4))]}
        return self.random.choice(VALUES)

    def predicate(self) -> Any:
        if self.random.random() < 0.05:
            return self.value()
        predicate: dict[str, Any] = {}
        if self.random.random() < 0.8:
            # Most are near to what is understood: those that are refused at once find nothing.
            operations = [1, 2, 3, 6, 7, 8, 9, "EQUALS", "IN"]
            values = ["string_value", "stringValue", "string_values", "timestamp_value"]
            predicate[self.random.choice(["op", "operation"])] = self.random.choice(operations)
            predicate["key"] = self.random.choice(WORDS)
            predicate[self.random.choice(values)] = self.value()
        for _ in range(self.random.randrange(2)):
            predicate[self.random.choice(FIELDS)] = self.value()
        return predicate

    def filter(self) -> str:
        pick = self.random.random()
        if pick < 0.1:
            return str(self.random.choice(WORDS))
        text = json.dumps({"predicates": [self.predicate() for _ in range(self.random.randrange(4))]})
        if pick < 0.25:
            place = self.random.randrange(len(text))
            text = text[:place] + self.random.choice(WORDS) + text[place + 1 :]
        return text

    def token(self, good: str) -> str:
        if not good or self.random.random() < 0.2:
            return str(self.random.choice(WORDS))
        decoded = base64.urlsafe_b64decode(good).decode()
        if self.random.random() < 0.5:
            token = json.loads(decoded)
            token[self.random.choice([*token, "filter", "sort", "value", "key"])] = self.value()
            decoded = json.dumps(token)
        else:
            place = self.random.randrange(len(decoded))
            decoded = decoded[:place] + self.random.choice(WORDS) + decoded[place + 1 :]
        return base64.urlsafe_b64encode(decoded.encode(errors="replace")).decode()

    def query(self, good: str) -> dict[str, Any]:
        query: dict[str, Any] = {}
        if self.random.random() < 0.6:
            query["filter"] = self.filter()
        if self.random.random() < 0.4:
            query["sort_by"] = " ".join(self.random.choice(WORDS) for _ in range(self.random.randrange(4)))
        if self.random.random() < 0.4:
            query["page_token"] = self.token(good)
        if self.random.random() < 0.3:
            query["page_size"] = self.random.choice([0, 1, 2, -1, 10**12, "x", "", "1e3", "١"])
        if self.random.random() < 0.1:
            query["resource_reference_key.type"] = self.random.choice(
                [*WORDS, 1, 5, "EXPERIMENT", "NAMESPACE"]
            )
            query["resource_reference_key.id"] = self.random.choice(WORDS)
        return query


@pytest.mark.parametrize(
    "seed", [1, 2, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(3, 20))]
)
def test_odd_lists_are_answered_or_refused(api: Any, spec: Any, seed: int) -> None:
    for number in range(3):
        run = api.post("/v2/runs", {"display_name": f"r{number}", "pipeline_spec": spec()}).json["run_id"]
        api.post("/v2/experiments", {"display_name": f"e{number}"})
        api.post("/v2/pipelines", {"name": f"p{number}", "tags": {"x": str(number)}})
        api.post(f"/v2/runs/{run}/tasks", {"name": "t"})
    good = {path: api.get(path, page_size=1).json.get("next_page_token", "") for path in LISTS}
    odd = Odd(seed)
    understood = 0
    for number in range(600):
        path = odd.random.choice(LISTS)
        query = odd.query(good[path])
        answer = api.get(path, **query)
        assert answer.status in (200, 400), (number, path, query, answer.content)
        understood += answer.status == 200
        if answer.status == 400:
            # Of the database nothing is told.
            assert not any(word in answer.message for word in ("kfp_", "sqlite", "SELECT", "Traceback")), (
                answer.message
            )
    assert understood > 30
    assert api.database.read_now(lambda c: runs.namespace_of(c, run)) == "default"
    assert api.get("/v2/runs").json["total_size"] == 3
