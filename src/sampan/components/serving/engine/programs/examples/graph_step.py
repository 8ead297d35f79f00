"""A model that always succeeds, or with `--fail` always fails: stands at the place of `kserve/success-200-isvc` and
`kserve/error-404-isvc`, in KServe's tests of inference graphs.

Source: kserve 0.20 python/test_resources/graph.
"""

from __future__ import annotations

import argparse
import json
import sys

from sampan.components.serving.engine.programs.wire.heads import Headers
from sampan.components.serving.engine.programs.wire.running import Server, run, serve
from sampan.components.serving.engine.programs.wire.server import Request, Response

_JSON: Headers = [("Content-Type", "application/json")]
_SUCCESS = {"predictions": [{"message": "SUCCESS"}]}
_FAILURE = {"detail": "Intentional 404 code"}
_MOST_BYTES = 64 * 1024 * 1024


class Step:
    def __init__(self, name: str, *, fails: bool) -> None:
        self._name, self._fails = name, fails

    async def handle(self, request: Request) -> Response:
        path = request.path
        if request.method == "POST" and path == f"/v1/models/{self._name}:predict":
            await request.read(_MOST_BYTES)
            return _answer(_FAILURE, 404) if self._fails else _answer(_SUCCESS)
        if path == "/":
            return _answer({"status": "alive"})
        if path == "/v1/models":
            return _answer({"models": [self._name]})
        if path in (f"/v1/models/{self._name}", f"/v2/models/{self._name}/ready"):
            return _answer({"name": self._name, "ready": True})
        if path.startswith("/v2/health/"):
            return _answer({"status": "alive", "live": True, "ready": True})
        return _answer({"error": f"Model with name {path.rpartition('/')[2]} does not exist."}, 404)


def _answer(value: object, status: int = 200) -> Response:
    return Response(status, list(_JSON), json.dumps(value).encode())


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model_name", default="model")
    parser.add_argument("--http_port", type=int, default=8080)
    parser.add_argument("--fail", action="store_true")
    options, _ = parser.parse_known_args()

    async def begin() -> int:
        return await serve(Server(Step(options.model_name, fails=options.fail).handle), options.http_port)

    return run(begin)


if __name__ == "__main__":
    sys.exit(main())
