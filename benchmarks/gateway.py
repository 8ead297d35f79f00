"""What the gateway costs a request: `gateway.py [--seconds N]`. README.md says what it prints.

A server of a fixed answer runs as an InferenceService's container; the same requests go to its pod and through the
gateway in turn, so that whatever else the machine does, it does to both.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from harness import memory_mib, server, table

from sampan.testing.server import ServerProcess

ISVCS = "/apis/serving.kserve.io/v1beta1/namespaces/default/inferenceservices"
PODS = "/api/v1/namespaces/default/pods"
MODEL = """
import asyncio
BODY = b'{"predictions":[1,1]}'
ANSWER = b"HTTP/1.1 200 OK\\r\\ncontent-type: application/json\\r\\ncontent-length: %d\\r\\n\\r\\n" % len(BODY) + BODY
class Model(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport, self.unread = transport, b""
    def data_received(self, data):
        self.unread += data
        while (end := self.unread.find(b"\\r\\n\\r\\n")) >= 0:
            head = self.unread[:end].lower()
            at = head.find(b"content-length:")
            size = end + 4 + (int(head[at + 15:].split(b"\\r\\n")[0]) if at >= 0 else 0)
            if len(self.unread) < size:
                return
            self.unread = self.unread[size:]
            self.transport.write(ANSWER)
async def main():
    server = await asyncio.get_running_loop().create_server(Model, "0.0.0.0", 8080)
    await server.serve_forever()
asyncio.run(main())
"""
CLIENT = """
import asyncio, json, sys, time
import uvloop
host, port, name = sys.argv[1], int(sys.argv[2]), sys.argv[3]
connections, seconds = int(sys.argv[4]), float(sys.argv[5])
BODY = b'{"instances":[[6.8,2.8,4.8,1.4],[6.0,3.4,4.5,1.6]]}'
ASK = (f"POST /v1/models/iris:predict HTTP/1.1\\r\\nHost: {name}\\r\\n"
       f"Content-Type: application/json\\r\\nAccept: */*\\r\\nContent-Length: {len(BODY)}\\r\\n\\r\\n").encode() + BODY
class Client(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport, self.unread = transport, b""
        self.ask()
    def ask(self):
        self.began = time.perf_counter()
        self.transport.write(ASK)
    def data_received(self, data):
        self.unread += data
        end = self.unread.find(b"\\r\\n\\r\\n")
        if end < 0 or len(self.unread) < end + 4 + 21:
            return
        assert self.unread.startswith(b"HTTP/1.1 200"), self.unread
        self.unread = b""
        now = time.perf_counter()
        times.append(now - self.began)
        if now < until:
            self.ask()
async def main():
    global until
    loop = asyncio.get_running_loop()
    until = time.perf_counter() + seconds
    made = [loop.create_connection(Client, host, port) for _ in range(connections)]
    await asyncio.gather(*made)
    await asyncio.sleep(seconds + 0.2)
    times.sort()
    print(json.dumps([len(times) / seconds, times[len(times) // 2], times[int(len(times) * 0.99)]]))
times = []
uvloop.run(main())
"""


def service(name: str) -> dict[str, Any]:
    container = {
        "name": "kserve-container",
        "image": "python:3.11",
        "command": ["python", "-c", MODEL],
        "ports": [{"containerPort": 8080, "protocol": "TCP"}],
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}},
    }
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": name},
        "spec": {"predictor": {"minReplicas": 1, "containers": [container]}},
    }


def asked(host: str, port: int, name: str, connections: int, seconds: float) -> list[float]:
    """Requests a second, p50 and p99 in seconds."""
    words = [sys.executable, "-c", CLIENT, host, str(port), name, str(connections), str(seconds)]
    found: list[float] = json.loads(subprocess.run(words, check=True, capture_output=True).stdout)
    return found


@contextmanager
def pod_of(made: ServerProcess, name: str) -> Iterator[str]:
    """Its address, once it is ready."""
    made.call("POST", ISVCS, service(name))
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = made.call("GET", f"{PODS}?labelSelector=serving.kserve.io/inferenceservice={name}")["items"]
        conditions = [each for pod in found for each in pod["status"].get("conditions") or ()]
        if any(each["type"] == "Ready" and each["status"] == "True" for each in conditions):
            yield found[0]["status"]["podIP"]
            return
        time.sleep(0.1)
    raise TimeoutError("the pod is not ready")


def measure(made: ServerProcess, seconds: float, rounds: int) -> None:
    port = int(made.url.rpartition(":")[2])
    idle = memory_mib(made)
    with pod_of(made, "bench") as address:
        ways = {"the pod": (address, 8080), "the gateway": ("127.0.0.1", port)}
        rows: list[tuple[str, str, str]] = []
        for connections in (1, 32):
            found: dict[str, list[list[float]]] = {way: [] for way in ways}
            for _ in range(rounds):
                for way, (host, number) in ways.items():
                    found[way].append(asked(host, number, "bench-default.localhost", connections, seconds))
            medians = {
                way: [statistics.median(each) for each in zip(*several, strict=True)]
                for way, several in found.items()
            }
            for way, (rate, p50, p99) in medians.items():
                times = f"p50 {p50 * 1000:.3f} ms, p99 {p99 * 1000:.3f} ms"
                rows.append((f"{way}, {connections} at a time", f"{rate:,.0f}/s", times))
            added = (medians["the gateway"][1] - medians["the pod"][1]) * 1000
            rows.append((f"added to p50, {connections} at a time", f"{added:.3f} ms", ""))
        rows.append(("memory of the tree", f"{memory_mib(made):.0f} MiB", f"{idle:.0f} MiB before"))
        table("The gateway", rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with server() as made:
        time.sleep(3)
        measure(made, given.seconds, given.rounds)


if __name__ == "__main__":
    main()
