"""The program of a pipeline's step that serves a model: makes or changes an InferenceService and waits for it.

`LAUNCHER` travels as text in the step's command and needs nothing but Python (3.8 or later) and the step's service
account. The endpoint is nobody's child: it outlives the step and the run. How it applies, waits and hands over is as in
`sdk.endpoints`; what it guesses by is `sdk.guessing`'s, handed in as `TABLES`.
"""

import json

from sampan.components.serving.api import origins
from sampan.components.serving.sdk import guessing
from sampan.sent.in_pod import API

TABLES = json.dumps(guessing.tables())
_NAMES = json.dumps(
    {"artifact": origins.ARTIFACT, "run": origins.RUN, "digest": origins.DIGEST, "source": origins.SOURCE}
)

LAUNCHER = (
    '''\
"""Serves a model from a pipeline step: a step of `sampan.sdk.serving`."""
import argparse, json, os, ssl, sys, time
import urllib.error, urllib.parse, urllib.request

'''
    f"TABLES = json.loads({TABLES!r})\nMARKS = json.loads({_NAMES!r})\n"
    """
CANARY, MANAGER = "canaryTrafficPercent", "sampan.dev%2Fserve"
PATIENCE, SHORT_PATIENCE = 15.0, 2.0


"""
    + API
    + '''

def guess(place):
    """The format and why, or nothing."""
    paths = [place]
    if os.path.isdir(place):
        paths = sorted((os.path.join(at, name) for at, _, names in os.walk(place) for name in names),
                       key=lambda path: (path.count(os.sep), path))
    names = [os.path.basename(path) for path in paths]
    if "config.json" in names and "MLmodel" not in names and set(names) & set(TABLES["hugging_face"]):
        return "huggingface", "it holds config.json and a tokenizer"
    for path, name in zip(paths, names):
        ending = os.path.splitext(name)[1].lower()
        found = TABLES["names"].get(name) or TABLES["endings"].get(ending)
        if found:
            return found, "it holds " + name
    for path, name in zip(paths, names):
        ending = os.path.splitext(name)[1].lower()
        if ending in TABLES["pickles"]:
            with open(path, "rb") as file:
                head = file.read(1 << 22)
            places = {head.find(mark.encode()): known for mark, known in TABLES["modules"].items()}
            held = sorted(each for each in places if each >= 0)
            return (places[held[0]] if held else "sklearn"), name + " is a pickle"
        if ending in TABLES["open"]:
            with open(path, "rb") as file:
                head = file.read(64)
            if head.startswith(b"tree\\n"):
                return "lightgbm", name + " begins as LightGBM's files do"
            if ending in (".bst", ".model"):
                return "xgboost", name + " is a model of XGBoost's"
    return "", ""


def storage_uri(uri):
    if uri.startswith("minio://"):
        return "s3://" + uri[len("minio://"):]
    return "file://" + uri if uri.startswith("/") else uri


class Deployment:
    def __init__(self, api, options):
        self.api, self.options = api, options
        self.collection = "/apis/serving.kserve.io/v1beta1/namespaces/%s/inferenceservices" % api.namespace
        self.path = self.collection + "/" + options.name
        self.uri = storage_uri(options.model_uri)
        self.canary = int(options.canary) if options.canary.strip() else None
        self.said = ""

    def wanted(self, before):
        service = json.loads(self.options.service)
        predictor = service["spec"]["predictor"]
        model = predictor["model"]
        model["storageUri"] = self.uri
        name = model["modelFormat"]["name"]
        if not name:
            place = self.uri[len("file://"):] if self.uri.startswith("file://") else self.uri
            name, why = guess(place)
            if not name:
                sys.exit("the format of %s is not known: give deploy(format=...)" % self.uri)
            print("format %s: %s" % (name, why), flush=True)
        model["modelFormat"]["name"] = name
        if name in TABLES["only_v2"] or model.get("runtime") == TABLES["triton"]:
            model.setdefault("protocolVersion", "v2")
        elif name == "pytorch" and "runtime" not in model:
            model.update({"runtime": TABLES["triton"], "protocolVersion": "v2"})
        held = before.get("spec", {}).get("predictor", {}).get(CANARY)
        if self.canary is not None and not before:
            print("%s is new, so it gets all requests: a canary is beside one that is there" % self.options.name)
            self.canary = None
        if self.canary is not None or held is not None:
            predictor[CANARY] = held if self.canary is None else self.canary
        service["metadata"].update({"name": self.options.name, "namespace": self.api.namespace})
        service["metadata"].setdefault("annotations", {}).update(self.origin())
        return service

    def origin(self):
        """What is told of the model's artifact, where pipelines' routes are to be had."""
        found = {MARKS["run"]: self.options.run_id, MARKS["source"]: self.options.model_uri}
        query = urllib.parse.urlencode({"namespace": self.api.namespace, "view": "FULL", "page_size": "200",
                                        "search": self.options.model_uri[-200:]})
        try:
            listed = self.api.call("GET", "/apis/v2beta1/artifacts?" + query).get("artifacts") or []
        except (ApiError, ValueError):
            return found
        for each in listed:
            if each.get("uri") == self.options.model_uri:
                found[MARKS["artifact"]] = each.get("artifact_id", "")
                found[MARKS["digest"]] = each.get("digest", "")
                found[MARKS["run"]] = each.get("produced_by", {}).get("run_id") or self.options.run_id
        return {key: value for key, value in found.items() if value}

    def apply(self):
        before = {}
        try:
            before = self.api.call("GET", self.path)
        except ApiError as error:
            if error.code != 404:
                raise
        query = "?fieldManager=%s&force=true" % MANAGER
        self.api.call("PATCH", self.path + query, self.wanted(before), "application/apply-patch+yaml")
        print("%s is being served as %s" % (self.uri, self.options.name), flush=True)

    def take_over(self):
        """What was served without a canary gets all requests, when it is ready."""
        service = self.api.call("GET", self.path)
        if self.canary is None and service["spec"]["predictor"].get(CANARY) is not None:
            change = {"spec": {"predictor": {CANARY: None}}}
            self.api.call("PATCH", self.path, change, "application/merge-patch+json")
            return True
        return False

    def wait(self):
        """The service, when it answers by what was asked for. Ends the program with the reason otherwise."""
        end, broken, failures = time.time() + float(self.options.timeout), None, 0
        while True:
            try:
                service = self.api.call("GET", self.path)
                failures = 0
            except ApiError as error:
                failures += 1
                if error.code == 404 or failures > 60:
                    sys.exit("%s: %s" % (self.options.name, error))
                time.sleep(1)
                continue
            status = service.get("status") or {}
            conditions = {each.get("type"): each for each in status.get("conditions") or []}
            ready, model = conditions.get("Ready") or {}, status.get("modelStatus") or {}
            transition, failure = model.get("transitionStatus"), model.get("lastFailureInfo") or {}
            current = status.get("observedGeneration") == service["metadata"].get("generation")
            if current and ready.get("status") == "True" and transition in (None, "UpToDate"):
                return service
            if str((service["metadata"].get("annotations") or {}).get("serving.kserve.io/stop")).lower() == "true":
                sys.exit("%s is stopped: start it first" % self.options.name)
            is_broken = current and transition in ("BlockedByFailedLoad", "InvalidSpec")
            why = failure.get("message") if is_broken else ""
            why = why or next((each["message"] for each in conditions.values()
                               if each.get("status") != "True" and each.get("message")), "")
            if why and why != self.said:
                self.said = why
                print(why, flush=True)
            broken = (broken or time.time()) if is_broken else None
            ended = transition == "InvalidSpec" or failure.get("reason") == "ModelLoadFailed"
            if broken and time.time() - broken >= (SHORT_PATIENCE if ended else PATIENCE):
                sys.exit("%s does not start: %s" % (self.options.name, why))
            if time.time() > end:
                sys.exit("%s is not ready after %s s: %s" % (self.options.name, self.options.timeout, why))
            time.sleep(0.5)


def main():
    parser = argparse.ArgumentParser()
    for name in ("name", "service", "model-uri", "run-id", "canary", "timeout", "url", "endpoint"):
        parser.add_argument("--" + name, default="")
    options = parser.parse_args()
    deployment = Deployment(Api(), options)
    deployment.apply()
    service = deployment.wait()
    if deployment.take_over():
        service = deployment.wait()
    url = service["status"].get("url", "")
    print("%s answers at %s" % (options.name, url), flush=True)
    write(options.url, url)
    write(options.endpoint, options.name)


try:
    main()
except ApiError as error:
    sys.exit("the endpoint could not be made: %s" % error)
'''
)
