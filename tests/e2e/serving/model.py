"""A small server that a container of its own runs: says which version it is, finishes what it has when it is to end."""

from __future__ import annotations

from typing import Any

PROGRAM = """
import asyncio, json, os, signal
VERSION, SECONDS = os.environ.get("VERSION", "1"), float(os.environ.get("SECONDS", "0.002"))
busy, writers = set(), set()
async def serve(reader, writer):
    writers.add(writer)
    try:
        while True:
            head = await reader.readuntil(b"\\r\\n\\r\\n")
            busy.add(writer)
            length = next((int(l[15:]) for l in head.lower().split(b"\\r\\n") if l.startswith(b"content-length:")), 0)
            await reader.readexactly(length)
            await asyncio.sleep(SECONDS)
            body = json.dumps({"version": VERSION, "pid": os.getpid()}).encode()
            ends = b"Connection: close\\r\\n" if ending.is_set() else b""
            writer.write(b"HTTP/1.1 200 OK\\r\\n" + ends + b"Content-Length: %d\\r\\n\\r\\n" % len(body) + body)
            await writer.drain()
            busy.discard(writer)
            if ending.is_set():
                break
    except (EOFError, OSError):
        pass
    finally:
        busy.discard(writer)
        writers.discard(writer)
        writer.close()
async def main():
    global ending
    ending = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ending.set)
    await asyncio.sleep(float(os.environ.get("LOADING", "0.3")))
    server = await asyncio.start_server(serve, "0.0.0.0", 8080)
    await ending.wait()
    server.close()
    for writer in writers - busy:
        writer.close()
    while busy:
        await asyncio.sleep(0.01)
asyncio.run(main())
"""

PLAIN = """
import http.server, json, os, time
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        time.sleep(0.2)
        body = json.dumps({"version": os.environ["VERSION"], "pid": os.getpid()}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
http.server.ThreadingHTTPServer(("0.0.0.0", 8080), Handler).serve_forever()
"""
"""Ends at once when it is to end, whatever it is at."""


def service(
    name: str,
    version: str = "1",
    *,
    annotations: dict[str, str] | None = None,
    program: str = PROGRAM,
    **predictor: Any,
) -> dict[str, Any]:
    """An InferenceService of it."""
    environ = [{"name": "VERSION", "value": version}]
    container = {
        "name": "kserve-container",
        "image": "python:3.11",
        "command": ["python", "-c", program],
        "env": environ,
        "ports": [{"containerPort": 8080, "protocol": "TCP"}],
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}},
    }
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": name, "namespace": "default", "annotations": annotations or {}},
        "spec": {"predictor": {"containers": [container], **predictor}},
    }
