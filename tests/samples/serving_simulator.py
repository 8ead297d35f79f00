"""Stands for llm-d's simulator of vLLM in upstream's tests: serving_simulator.py --port N --model NAME …

serving.py has it run where pods name `ghcr.io/llm-d/llm-d-inference-sim-dev`. It answers vLLM's API with words that no
model wrote, under the model's names; its other arguments change nothing.
"""

from __future__ import annotations

import argparse
import http.server
import json
import random
import signal
import sys
import threading
from typing import Any

_WORDS = ("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta")
_CHAT = "/v1/chat/completions"


class Simulator(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    names: tuple[str, ...]

    def do_GET(self) -> None:
        if self.path == "/v1/models":
            self._answer(
                200, {"object": "list", "data": [{"id": name, "object": "model"} for name in self.names]}
            )
        elif self.path in ("/health", "/ready", "/metrics"):
            self._answer(200, {})
        else:
            self._answer(404, _error(f"{self.path} is not here"))

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers.get("content-length") or 0)) or b"{}")
        if self.path not in ("/v1/completions", _CHAT):
            self._answer(404, _error(f"{self.path} is not here"))
        elif (model := asked.get("model") or self.names[0]) not in self.names:
            self._answer(404, _error(f"The model `{model}` does not exist."))
        else:
            self._answer(200, _written(asked, model, is_chat=self.path == _CHAT))

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


def _written(asked: dict[str, Any], model: str, *, is_chat: bool) -> dict[str, Any]:
    text = " ".join(random.choices(_WORDS, k=min(int(asked.get("max_tokens") or 16), 64)))
    choice: dict[str, Any] = {"index": 0, "finish_reason": "stop"}
    if is_chat:
        choice["message"] = {"role": "assistant", "content": text}
    else:
        choice["text"] = text
    kind = "chat.completion" if is_chat else "text_completion"
    return {"id": "simulated", "object": kind, "model": model, "choices": [choice]}


def _error(message: str) -> dict[str, Any]:
    return {"error": {"message": message, "type": "NotFoundError", "code": 404}}


def main() -> None:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--model", required=True)
    parser.add_argument("--served-model-name", nargs="*", default=[])
    # A configuration leaves out words by templates that fill in to nothing.
    given, _ = parser.parse_known_args([word for word in sys.argv[1:] if word])
    names = tuple(given.served_model_name) or (given.model,)
    handler = type("Served", (Simulator,), {"names": names})
    server = http.server.ThreadingHTTPServer(("", given.port), handler)
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    server.serve_forever(0.05)


if __name__ == "__main__":
    main()
