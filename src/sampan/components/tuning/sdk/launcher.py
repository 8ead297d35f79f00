"""The program of a pipeline's step that makes an experiment, waits for it, and hands on the best that it has found.

`LAUNCHER` travels as text in the step's command and needs nothing but Python (3.8 or later) and the step's service
account. The experiment is no child of its pod: a step that is stopped ends it, and what it has found stays.
"""

from sampan.sent.in_pod import API

NAME = "sampan-launched-experiment"
"""Stands for the experiment's name wherever a manifest has it: each attempt of a step has an experiment of its own."""
ARGUMENT = "sampan-launched-argument-"
"""With a number: a value that is known when the step runs."""

LAUNCHER = (
    '''\
"""Makes an experiment from a pipeline step, and waits for it: a step of `sampan.sdk.tuning`."""
import argparse, json, os, signal, ssl, sys, threading, time
import urllib.error, urllib.parse, urllib.request

NAME, ARGUMENT = "sampan-launched-experiment", "sampan-launched-argument-"
RUN_LABEL, STOP = "pipelines.kubeflow.org/run-id", "sampan.dev/stop"
EXPERIMENT_LABEL = "katib.kubeflow.org/experiment"
MOST_NAME = 40
ENDED = ("trialsSucceeded", "trialsEarlyStopped", "trialsFailed", "trialMetricsUnavailable", "trialsKilled")


'''
    + API
    + '''

def filled(value, arguments):
    """Values that the step was given take their places."""
    if isinstance(value, dict):
        return {key: filled(each, arguments) for key, each in value.items()}
    if isinstance(value, list):
        return [filled(each, arguments) for each in value]
    if isinstance(value, str) and value.startswith(ARGUMENT) and value[len(ARGUMENT):].isdigit():
        return arguments[int(value[len(ARGUMENT):])]
    return value


def read_argument(text):
    kind, _, value = text.partition(":")
    return value if kind == "text" else json.loads(value.lower() if kind == "bool" else value)


class Launch:
    def __init__(self, api, options):
        self.api = api
        pod = api.call("GET", "/api/v1/namespaces/%s/pods/%s" % (api.namespace, os.environ["HOSTNAME"]))
        # By the pod's uid: a container that is started again takes up what it has made.
        self.name = options.name[:MOST_NAME - 6].rstrip("-") + "-" + pod["metadata"]["uid"][:5]
        arguments = [read_argument(each) for each in options.argument]
        self.experiment = filled(json.loads(options.experiment.replace(NAME, self.name)), arguments)
        self.maps = json.loads(options.maps.replace(NAME, self.name))
        self.choices = json.loads(options.choices)
        for each in [self.experiment] + self.maps:
            each["metadata"]["namespace"] = api.namespace
            each["metadata"].setdefault("labels", {})[RUN_LABEL] = options.run_id
        self.collection = "/apis/kubeflow.org/v1beta1/namespaces/%s/experiments" % api.namespace
        self.path = self.collection + "/" + self.name
        self.core = "/api/v1/namespaces/%s/configmaps" % api.namespace
        self.creating, self.ending, self.said = False, 0, ""

    def create(self):
        self.creating = True
        made = []
        try:
            made = [self.ensure(self.core, each) for each in self.maps]
            self.experiment = self.ensure(self.collection, self.experiment)
        except ApiError:
            for each in made:
                self.quietly("DELETE", self.core + "/" + each["metadata"]["name"])
            raise
        uid = self.experiment["metadata"]["uid"]
        owner = {"apiVersion": "kubeflow.org/v1beta1", "kind": "Experiment", "name": self.name, "uid": uid}
        for each in made:
            path = self.core + "/" + each["metadata"]["name"]
            self.quietly("PATCH", path, {"metadata": {"ownerReferences": [owner]}}, "application/merge-patch+json")
        self.creating = False
        if self.ending:
            self.end(self.ending)

    def ensure(self, collection, wanted):
        try:
            return self.api.call("POST", collection, wanted)
        except ApiError as error:
            if error.code != 409:
                raise
            return self.api.call("GET", collection + "/" + wanted["metadata"]["name"])

    def quietly(self, *call):
        try:
            return self.api.call(*call)
        except ApiError as error:
            print("%s %s: %s" % (call[0], call[1], error), file=sys.stderr)
            return {}

    def on_signal(self, number, frame):
        self.ending = number
        if not self.creating:
            self.end(number)

    def end(self, number):
        print("the step is ended: so is experiment %s" % self.name, flush=True)
        change = {"metadata": {"annotations": {STOP: "true"}}}
        self.quietly("PATCH", self.path, change, "application/merge-patch+json")
        os._exit(128 + number)

    def wait(self):
        """The condition that it ended with, and its message."""
        failures = 0
        while True:
            try:
                self.experiment = self.api.call("GET", self.path)
                failures = 0
            except ApiError as error:
                failures += 1
                if error.code == 404:
                    return "Failed", "the experiment was deleted"
                if failures > 60:
                    raise
                time.sleep(1)
                continue
            conditions = self.experiment.get("status", {}).get("conditions") or []
            true = [each for each in conditions if each.get("status") == "True"]
            message = (true[-1].get("message") or true[-1].get("reason") or "") if true else ""
            self.tell(message)
            if true and true[-1]["type"] in ("Succeeded", "Failed"):
                return true[-1]["type"], message
            time.sleep(1)

    def tell(self, message):
        status = self.experiment.get("status", {})
        text = "%d of %s trials" % (sum(status.get(each) or 0 for each in ENDED),
                                    self.experiment["spec"].get("maxTrialCount", "any number of"))
        value = self.figures().get(self.metric())
        if value is not None:
            text += ", best %s=%s" % (self.metric(), value)
        text += ": " + message if message else ""
        if text != self.said:
            print(text, flush=True)
            self.said = text

    def metric(self):
        return self.experiment["spec"]["objective"]["objectiveMetricName"]

    def best(self):
        found = self.experiment.get("status", {}).get("currentOptimalTrial") or {}
        return found if found.get("bestTrialName") else {}

    def parameters(self):
        """As what they are: numbers as numbers, and of a function's choices that which was to be chosen from."""
        types = {each["name"]: each.get("parameterType") for each in self.experiment["spec"].get("parameters") or []}
        found = {}
        for each in self.best().get("parameterAssignments") or []:
            name, text = each["name"], each["value"]
            value = self.choices.get(name, {}).get(text, text)
            if types.get(name) == "int":
                value = int(float(text))
            elif types.get(name) in ("double", "discrete"):
                value = number(text)
            found[name] = value
        return found

    def figures(self):
        """Of the best trial: of each metric the value that its strategy chooses."""
        objective = self.experiment["spec"]["objective"]
        usual = {"minimize": "min", "maximize": "max"}.get(objective.get("type"), "latest")
        chosen = {each["name"]: each["value"] for each in objective.get("metricStrategies") or []}
        found = {}
        for each in (self.best().get("observation") or {}).get("metrics") or []:
            wanted = chosen.get(each["name"], usual)
            for key in (wanted, "latest"):
                value = number(each.get(key))
                if isinstance(value, float):
                    found[each["name"]] = value
                    break
        return found

    def failure(self):
        """The first of its trials that says why."""
        query = urllib.parse.quote("%s=%s" % (EXPERIMENT_LABEL, self.name))
        path = "/apis/kubeflow.org/v1beta1/namespaces/%s/trials?labelSelector=%s" % (self.api.namespace, query)
        for trial in self.quietly("GET", path).get("items") or []:
            for each in reversed(trial.get("status", {}).get("conditions") or []):
                if each.get("status") == "True":
                    if each.get("type") in ("Failed", "MetricsUnavailable") and each.get("message"):
                        return "; the trial %s: %s" % (trial["metadata"]["name"], each["message"])
                    break
        return ""


def number(text):
    try:
        found = float(text)
    except (TypeError, ValueError):
        return text
    return found if found - found == 0 else str(text)


def main():
    parser = argparse.ArgumentParser()
    for name in ("name", "experiment", "maps", "choices", "run-id", "best-parameters", "best-metric", "metrics",
                 "metrics-uri", "experiment-name", "executor-output"):
        parser.add_argument("--" + name, default="")
    parser.add_argument("--argument", action="append", default=[])
    options = parser.parse_args()
    launch = Launch(Api(), options)
    signal.signal(signal.SIGTERM, launch.on_signal)
    try:
        launch.create()
        print("experiment %s launched" % launch.name, flush=True)
        state, message = launch.wait()
    except ApiError as error:
        sys.exit("experiment %s: %s" % (launch.name, error))
    if state == "Failed":
        sys.exit("experiment %s failed: %s%s" % (launch.name, message, launch.failure()))
    figures = launch.figures()
    if launch.metric() not in figures:
        sys.exit("experiment %s has ended, but no trial has measured %s: %s" % (launch.name, launch.metric(), message))
    parameters, metric = launch.parameters(), figures[launch.metric()]
    facts = {"experiment_name": launch.name, "experiment_uid": launch.experiment["metadata"]["uid"],
             "experiment_namespace": launch.api.namespace, "best_trial": launch.best()["bestTrialName"]}
    values = {"best_parameters": parameters, "best_metric": metric, "experiment_name": launch.name}
    write(options.best_parameters, json.dumps(parameters))
    write(options.best_metric, json.dumps(metric))
    write(options.experiment_name, launch.name)
    write(options.metrics, "")
    artifact = {"name": "metrics", "uri": options.metrics_uri, "metadata": dict(facts, **figures)}
    output = {"artifacts": {"metrics": {"artifacts": [artifact]}}, "parameterValues": values}
    write(options.executor_output, json.dumps(output))
    print("experiment %s succeeded: %s" % (launch.name, json.dumps(parameters)), flush=True)


main()
'''
)
