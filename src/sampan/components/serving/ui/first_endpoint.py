"""Where a namespace has no endpoints yet: a small model that needs no package and no network, with one click.

Its weights were fitted to Fisher's irises by logistic regression; it knows 97 of 100 of them.
"""

from __future__ import annotations

from nicegui import ui

from sampan.components.serving.api.kinds import INFERENCE_SERVICES
from sampan.components.serving.api.labels import CONTAINER
from sampan.components.serving.ui import places
from sampan.kube import meta
from sampan.kube.meta import Object
from sampan.ui import widgets
from sampan.ui.context import PageContext
from sampan.ui.objects import copies, following
from sampan.ui.objects.making import MANAGER

_NAME = "first-endpoint"
_COMMAND = "sampan serve model.joblib"
_PROGRAM = """import json, os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

NAME = os.environ["MODEL_NAME"]
KINDS = ["setosa", "versicolor", "virginica"]
WEIGHTS = [[-0.42, 0.967, -2.519, -1.085], [0.532, -0.315, -0.204, -0.943], [-0.112, -0.652, 2.723, 2.027]]
BIAS = [9.842, 2.225, -12.066]
COLUMNS = "sepal length and width, petal length and width, in cm"
INPUT = {"name": "flowers", "datatype": "FP64", "shape": [-1, 4], "parameters": {"columns": COLUMNS}}
OUTPUT = {"name": "kind", "datatype": "BYTES", "shape": [-1]}


def kind(row):
    scores = [sum(w * float(x) for w, x in zip(weights, row, strict=True)) + b for weights, b in zip(WEIGHTS, BIAS)]
    return KINDS[scores.index(max(scores))]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        known = {
            "/v1/models": {"models": [NAME]},
            "/v1/models/" + NAME: {"name": NAME, "ready": True},
            "/v2/models/" + NAME: {"name": NAME, "platform": "python", "inputs": [INPUT], "outputs": [OUTPUT]},
            "/v2/models/" + NAME + "/ready": {"name": NAME, "ready": True},
            "/v2/health/live": {"live": True},
            "/v2/health/ready": {"ready": True},
        }
        found = known.get(self.path)
        self.answer(200 if found else 404, found or {"error": "nothing is at " + self.path})

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            asked = json.loads(body)
            if self.path == f"/v1/models/{NAME}:predict":
                self.answer(200, {"predictions": [kind(row) for row in asked["instances"]]})
            elif self.path == "/v2/models/" + NAME + "/infer":
                data = asked["inputs"][0]["data"]
                rows = data if data and isinstance(data[0], list) else [data[i:i + 4] for i in range(0, len(data), 4)]
                kinds = [kind(row) for row in rows]
                out = {**OUTPUT, "shape": [len(kinds)], "data": kinds}
                self.answer(200, {"model_name": NAME, "id": asked.get("id", ""), "outputs": [out]})
            else:
                self.answer(404, {"error": "nothing is at " + self.path})
        except (KeyError, IndexError, TypeError, ValueError) as error:
            self.answer(400, {"error": f"a flower is four numbers ({COLUMNS}): {error}"})

    def answer(self, status, value):
        text = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *words):
        if "/health/" not in self.path:
            print(self.command, self.path, *words[2:3], flush=True)


print("serving", NAME, flush=True)
ThreadingHTTPServer(("", 8080), Handler).serve_forever()
"""


def offer(page: PageContext) -> None:
    async def run() -> None:
        made: list[str] = []

        async def create() -> None:
            there = await following.once(page.api, places.KINDS, page.namespace)
            name = copies.next_name(_NAME, {meta.name(each) for each in there})
            path = places.api(INFERENCE_SERVICES, page.namespace)
            await page.api.post(path, endpoint(name, page.namespace), MANAGER)
            made.append(name)

        if await page.attempt(create(), done="Your first endpoint is starting."):
            page.go(places.endpoint(INFERENCE_SERVICES, page.namespace, made[0]), tab="try")

    with ui.element("section").classes("sp-card sp-welcome"):
        ui.icon(places.ICON).classes("sp-large").props("aria-hidden=true")
        with ui.element("div").classes("sp-stack"):
            widgets.heading("Serve your first model")
            widgets.paragraph(
                "A small model that tells irises apart by four measures, behind an address that answers KServe's "
                "protocols V1 and V2. You can try it in a form, watch how fast it answers, and see it fall asleep "
                "when nobody asks. It needs no network and takes some seconds."
            )
            with ui.element("div").classes("sp-row"):
                widgets.button("Serve it", run, icon="play_arrow", kind="primary")
                widgets.button("Serve your own", href=page.href(places.NEW), icon="add")
                widgets.text("or, in a terminal:", "sp-muted")
                widgets.Text("code", _COMMAND).classes("sp-mono")


def endpoint(name: str, namespace: str) -> Object:
    """Pure."""
    container = {
        "name": CONTAINER,
        "image": "python:3.11",
        "command": ["python", "-c", _PROGRAM],
        "env": [{"name": "MODEL_NAME", "value": name}],
        "ports": [{"containerPort": 8080}],
        "readinessProbe": {"httpGet": {"path": "/v2/health/ready", "port": 8080}, "periodSeconds": 1},
        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}},
    }
    return {
        "apiVersion": INFERENCE_SERVICES.api_version,
        "kind": INFERENCE_SERVICES.kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"predictor": {"minReplicas": 0, "maxReplicas": 2, "containers": [container]}},
    }
