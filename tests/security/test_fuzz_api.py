"""Row 13: requests of every kind, method, body, query and header that no client would send. None is answered with 500.

The seed is fixed, so a failure comes again. `slow` goes on for longer.
"""

from __future__ import annotations

import http.client
import json
import random
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil
import pytest

MIB = 1024 * 1024
VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 1.5, 1e308, 2**63, 2**64, 10**30, "", "x" * 100_000, "\0", "😀" * 50, "../../etc/passwd",
    "..%2f..%2fetc", "file:///etc/passwd", "C:\\x", "\\\\host\\share", [], {}, [[]], [{}], [None], {"a": None},
    {"": ""},
    {"$patch": "delete"}, {"$patch": "replace"}, {"$retainKeys": ["x"]}, {"$deleteFromPrimitiveList/x": [1]},
    {"$setElementOrder/x": [{}]}, ["a"] * 5000, {str(number): number for number in range(5000)}, "NaN", "1e999",
    "9" * 5000, "1Ei", [[[[[[[[[[[[]]]]]]]]]]]], {"f:metadata": {"f:x": {}}}, [{"manager": 1, "fieldsV1": {"k:{": 1}}],
)  # fmt: skip
WORDS = ("spec", "status", "data", "stringData", "metadata", "rules", "subjects", "roleRef", "type", "template",
         "value", "webhooks", "endpoints", "ports", "subsets", "aggregationRule", "items")  # fmt: skip
INNER = ("template", "selector", "containers", "replicas", "schedule", "ports", "versions", "names", "scope", "volumes",
         "resources", "token", "hard", "limits", "conversion", "resourceAttributes", "boundObjectRef")  # fmt: skip
META = ("ownerReferences", "finalizers", "labels", "annotations", "managedFields", "generateName", "namespace", "uid",
        "resourceVersion", "creationTimestamp", "deletionTimestamp", "generation")  # fmt: skip
QUERY = ("labelSelector", "fieldSelector", "continue", "resourceVersion", "resourceVersionMatch", "limit", "dryRun",
         "fieldManager", "fieldValidation", "force", "gracePeriodSeconds", "propagationPolicy", "orphanDependents",
         "includeObject", "tailLines", "sinceSeconds", "sinceTime", "limitBytes", "container", "previous",
         "sendInitialEvents", "command", "stdin", "ports", "pretty", "timeoutSeconds")  # fmt: skip
TEXTS = (
    "", "0", "-1", "1", "9" * 30, "9" * 5000, "NaN", "true", "%00", "%ff%fe", "%ED%A0%80", "../../etc/passwd", "(((",
    "a in (", "a in (" + ",".join(f"v{number}" for number in range(3000)) + ")",
    ",".join(f"a{number}=b" for number in range(10_000)), "!" * 3000, "a" * 30_000, "a=b,,", "==", "a>" + "9" * 5000,
    "metadata.name=%2e%2e", ".=", "bnVsbA==", "W10=",
    "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MSwic3RhcnQiOiJcdTAwMDAifQ==",
    "eyJ2IjpbXSwicnYiOi0xLCJzdGFydCI6W119", "All", "Strict", "Orphan", "2020-13-45T00:00:00Z", "0001-01-01T00:00:00Z",
    "Exact", "NotOlderThan", "\\", "a\\=b=c", "😀",
)  # fmt: skip
HEADERS = {
    "Accept": ("", "text/html", "application/json;as=Table;v=v9;g=meta.k8s.io", ",,,;;;", 'application/json; a="',
               "\xff",
               "application/vnd.kubernetes.protobuf", "application/json;as=Table;v=v1;g=meta.k8s.io," * 300),
    "Content-Type": ("", "*/*", "application/json; charset=utf-16", "application/yaml", "text/plain", "\xff",
                     "application/vnd.kubernetes.protobuf", "multipart/form-data; boundary=", "application/cbor"),
    "Impersonate-User": ("", "x", "system:serviceaccount:a", "system:serviceaccount::", "\xff\xfe", "x" * 5000,
                         "../.."),
    "Impersonate-Group": ("", "system:masters"),
    "Impersonate-Extra-%ff%00": ("x",),
    "Authorization": ("", "Bearer", "Basic eDp5", "Bearer a.b.c", "Bearer " + "." * 5000, "Bearer \xff",
                      "Bearer eyJhbGciOiJub25lIn0.e30.", "Bearer bnVsbA.bnVsbA.bnVsbA", "Bearer eyJhbGciOltdfQ.e30.AA"),
    "Range": ("bytes=0-99999999999",),
    "Accept-Encoding": ("br;q=-1", "gzip;q=nan"),
    "X-Stream-Protocol-Version": ("v9",),
}  # fmt: skip
NAMES = ("n1", "n2", "..", "%2e%2e", "%2f", "%00", "x" * 5000, "%ff", "n1%3fwatch=1", "..%5c..", "%252e%252e")
PATCHES = tuple(
    f"application/{each}"
    for each in ("json-patch+json", "merge-patch+json", "strategic-merge-patch+json", "apply-patch+yaml")
)
POINTERS = ("", "/", "/metadata", "/metadata/labels/x", "/spec/-", "/spec/99999999999", "~", "/~2", None, 1,
            "/" + "a/" * 3000)  # fmt: skip
# As kube-apiserver, which answers these with 500 too.
UPSTREAM = (
    b"failed to create typed patch object",
    b"resourceVersion should not be set on objects to be created",
)


class Fuzzer:
    def __init__(self, target: Any, seed: int) -> None:
        self.target = target
        self.chance = random.Random(seed)
        self.places = [
            (prefix, each["name"], each["namespaced"], each["kind"])
            for prefix in self._prefixes()
            for each in target.server.call("GET", prefix)["resources"]
        ]

    def _prefixes(self) -> list[str]:
        groups = self.target.server.call("GET", "/apis")["groups"]
        return [
            "/api/v1",
            *(f"/apis/{each['groupVersion']}" for group in groups for each in group["versions"]),
        ]

    def request(self) -> tuple[str, str, bytes, dict[str, str]]:
        pick = self.chance.choice
        prefix, plural, namespaced, kind = pick(self.places)
        method = pick(("GET", "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "FOO"))
        base, _, subresource = plural.partition("/")
        path = f"{prefix}{'/namespaces/fuzz' if namespaced else ''}/{base}"
        if subresource or self.chance.random() < 0.6:
            path += "/" + pick(NAMES) + (f"/{subresource}" if subresource else "")
        headers = {"Content-Type": "application/json"}
        if method == "PATCH":
            headers["Content-Type"] = pick(PATCHES)
        if self.chance.random() < 0.3:
            for name in self.chance.sample(sorted(HEADERS), 2):
                headers[name] = pick(HEADERS[name])
        query = {pick(QUERY): pick(TEXTS) for _ in range(self.chance.randrange(3))}
        query = {"fieldManager": "f", **query} if method == "PATCH" else query
        path += "?" + "&".join(f"{name}={quote(text, safe='%')}" for name, text in query.items())
        api_version = prefix.removeprefix("/apis/").removeprefix("/api/")
        return method, path, self.body(headers["Content-Type"], api_version, kind), headers

    def body(self, content_type: str, api_version: str, kind: str) -> bytes:
        pick = self.chance.choice
        if self.chance.random() < 0.1:
            return pick(
                (b"", b"{", b"\xff", b"[" * 100_000, b"k8s\0" + self.chance.randbytes(200), b"a: &a [*a]")
            )
        if "json-patch" in content_type:
            operations = ("add", "remove", "replace", "move", "copy", "test", "x", None)
            found: Any = [
                {
                    "op": pick(operations),
                    "path": pick(POINTERS),
                    "from": pick(POINTERS),
                    "value": pick(VALUES),
                }
                for _ in range(pick((1, 3, 20)))
            ]
        else:
            metadata = {"name": pick(("n1", "n2")), pick(META): pick(VALUES)}
            found = {
                "apiVersion": api_version,
                "kind": kind,
                "metadata": metadata if self.chance.random() < 0.4 else {"name": "n1"},
            }
            for word in self.chance.sample(WORDS, 3):
                inner = {pick(INNER): pick(VALUES) for _ in range(3)}
                found[word] = inner if self.chance.random() < 0.5 else pick(VALUES)
        return json.dumps(found).encode()

    def send(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(*self.target.address, timeout=30)
        sent = {**headers, "Content-Length": str(len(body))}
        encoded = {name: value.encode("latin-1", "replace") for name, value in sent.items()}
        try:
            connection.request(method, path, body, encoded)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (ConnectionError, http.client.BadStatusLine):
            return 0, b""  # hung up: what cannot be read has no answer
        finally:
            connection.close()

    def run(self, count: int) -> None:
        process = psutil.Process(self.target.server.process.pid)
        before = process.memory_info().rss
        for number in range(count):
            request = self.request()
            status, answer = self.send(*request)
            if status >= 500 and not (status in (503, 504, 507) or any(text in answer for text in UPSTREAM)):
                pytest.fail(
                    f"{number}: {status} {answer[:300]!r} to {request[0]} {request[1][:300]} {request[2][:300]!r}"
                )
        assert self.target.is_alive()
        assert process.memory_info().rss - before < 150 * MIB
        log = Path(self.target.server.home, "logs", "server.log").read_text()
        assert "failed unexpectedly" not in log


@pytest.fixture(scope="module")
def fuzzed(target: Any) -> Any:
    target.server.call("POST", "/api/v1/namespaces", {"metadata": {"name": "fuzz"}})
    return target


def test_no_request_is_answered_with_500(fuzzed: Any) -> None:
    Fuzzer(fuzzed, 1).run(1200)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 8))
def test_nor_are_many_more(fuzzed: Any, seed: int) -> None:
    Fuzzer(fuzzed, seed).run(4000)
