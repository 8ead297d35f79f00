"""The program of a pipeline's step that launches a training job, waits for it, and makes artifacts of what it gives.

`LAUNCHER` travels as text in the step's command and needs nothing but Python (3.8 or later) and the step's service
account. Its job is its pod's: whoever ends the step ends the job, by SIGTERM or by the garbage collector.
"""

from sampan.sent.in_pod import API

NAME = "sampan-launched-job"
"""Stands for the job's name wherever a manifest has it: each attempt of a step has a job of its own."""
OUTPUT = "/sampan-launched-output"
"""Stands for the path of the step's output artifact on this machine."""
ARGUMENT = "sampan-launched-argument-"
"""With a number: a word of a command that is known when the step runs."""

LAUNCHER = (
    '''\
"""Launches a training job from a pipeline step, and waits for it: a step of `sampan.sdk.training`."""
import argparse, json, os, signal, ssl, sys, threading, time
import urllib.error, urllib.parse, urllib.request

PLURALS = {"Job": "jobs"}
NAME, OUTPUT, ARGUMENT = "sampan-launched-job", "/sampan-launched-output", "sampan-launched-argument-"
RUN_LABEL = "pipelines.kubeflow.org/run-id"


'''
    + API
    + '''

def filled(value, arguments):
    """Words that the step was given take their places; whatever they hold, they stay one word."""
    if isinstance(value, dict):
        return {key: filled(each, arguments) for key, each in value.items()}
    if isinstance(value, list):
        return [filled(each, arguments) for each in value]
    if isinstance(value, str) and value.startswith(ARGUMENT) and value[len(ARGUMENT):].isdigit():
        return arguments[int(value[len(ARGUMENT):])]
    return value


class Launch:
    def __init__(self, api, options):
        self.api = api
        pod = api.call("GET", "/api/v1/namespaces/%s/pods/%s" % (api.namespace, os.environ["HOSTNAME"]))
        self.owner = {"apiVersion": "v1", "kind": "Pod", "name": pod["metadata"]["name"], "uid": pod["metadata"]["uid"]}
        self.name = (options.name + "-" + self.owner["uid"][:5])[-63:].lstrip("-")
        text = options.job.replace(NAME, self.name).replace(OUTPUT, os.path.realpath(options.model))
        self.job = filled(json.loads(text), options.argument)
        self.maps = json.loads(options.maps.replace(NAME, self.name))
        for each in [self.job] + self.maps:
            each["metadata"]["namespace"] = api.namespace
            each["metadata"].setdefault("labels", {})[RUN_LABEL] = options.run_id
            each["metadata"]["ownerReferences"] = [self.owner]
        self.kind = self.job["kind"]
        group = self.job["apiVersion"]
        self.plural = PLURALS.get(self.kind, self.kind.lower() + "s")
        self.collection = "/apis/%s/namespaces/%s/%s" % (group, api.namespace, self.plural)
        self.path = self.collection + "/" + self.name
        self.own = "/training/v1/namespaces/%s/%s/%s" % (api.namespace, self.plural, self.name)
        self.uid, self.state, self.message = "", "", ""

    def create(self):
        self.make_runtime()
        for each in self.maps:
            self.ensure("/api/v1/namespaces/%s/configmaps" % self.api.namespace, each)
        self.uid = self.ensure(self.collection, self.job)["metadata"]["uid"]

    def ensure(self, collection, wanted):
        """What an earlier start of this container has made is taken up."""
        try:
            return self.api.call("POST", collection, wanted)
        except ApiError as error:
            if error.code != 409:
                raise
            return self.api.call("GET", collection + "/" + wanted["metadata"]["name"])

    def make_runtime(self):
        """As sampan train does: a runtime in which a failure ends the job."""
        reference = self.job.get("spec", {}).get("runtimeRef") or {}
        name = reference.get("name", "")
        if self.kind != "TrainJob" or not name.endswith("-once") or reference.get("kind") != "TrainingRuntime":
            return
        group = "/apis/trainer.kubeflow.org/v1alpha1"
        runtime = self.api.call("GET", group + "/clustertrainingruntimes/" + name[:-len("-once")])
        spec = runtime["spec"]
        for each in spec.get("template", {}).get("spec", {}).get("replicatedJobs", []):
            job = each.setdefault("template", {}).setdefault("spec", {})
            job.setdefault("backoffLimit", 0)
            job.setdefault("template", {}).setdefault("spec", {}).setdefault("restartPolicy", "Never")
        framework = runtime["metadata"].get("labels", {}).get("trainer.kubeflow.org/framework")
        labels = {"app.kubernetes.io/managed-by": "sampan"}
        if framework:
            labels["trainer.kubeflow.org/framework"] = framework
        own = {"apiVersion": runtime["apiVersion"], "kind": "TrainingRuntime", "spec": spec,
               "metadata": {"name": name, "namespace": self.api.namespace, "labels": labels}}
        path = "%s/namespaces/%s/trainingruntimes/%s" % (group, self.api.namespace, name)
        query = "?fieldManager=sampan.dev%2Ftrain&force=true"
        self.api.call("PATCH", path + query, own, "application/apply-patch+yaml")

    def wait(self):
        threading.Thread(target=self.follow, daemon=True).start()
        failures = 0
        while not self.state:
            time.sleep(1)
            try:
                job = self.api.call("GET", self.path)
                failures = 0
            except ApiError as error:
                failures += 1
                if error.code == 404:
                    self.state, self.message = "Failed", "the job was deleted"
                elif failures > 60:
                    raise
                continue
            for condition in job.get("status", {}).get("conditions") or []:
                if condition.get("status") == "True" and condition.get("type") in ("Succeeded", "Complete", "Failed"):
                    self.state = "Failed" if condition["type"] == "Failed" else "Succeeded"
                    self.message = condition.get("message") or condition.get("reason") or ""
        self.followed.wait(10)

    followed = threading.Event()

    def follow(self):
        """All ranks, where Sampan serves the API; else nothing: their pods have their logs."""
        try:
            with self.api.open("GET", self.own + "/log?follow=true", accept="text/plain", seconds=None) as lines:
                for line in lines:
                    if not b"] SAMPAN-OUTCOME " in line[:80]:
                        sys.stdout.write(line.decode("utf-8", "replace"))
                        sys.stdout.flush()
        except (ApiError, OSError):
            pass
        self.followed.set()

    def metrics(self):
        """The last value of each, of the first rank that has it."""
        found = {}
        try:
            for _ in range(20):
                body = self.api.call("GET", self.own + "/metrics?points=1")
                for each in body.get("metrics") or []:
                    value = each["points"][-1]["value"] if each.get("points") else None
                    if isinstance(value, (int, float)):
                        found.setdefault(each["name"], value)
                if body.get("complete"):
                    break
        except ApiError:
            pass
        return found

    def let_go(self):
        """The job stays when the step's pod goes."""
        try:
            body = {"metadata": {"ownerReferences": None}}
            self.api.call("PATCH", self.path, body, "application/merge-patch+json")
        except ApiError:
            pass

    def delete(self):
        try:
            self.api.call("DELETE", self.path, {"propagationPolicy": "Background"})
        except ApiError as error:
            if error.code != 404:
                print("the job could not be deleted: %s" % error, file=sys.stderr)


def main():
    parser = argparse.ArgumentParser()
    for name in ("name", "job", "maps", "run-id", "model", "model-uri", "metrics", "metrics-uri", "job-name",
                 "executor-output", "where"):
        parser.add_argument("--" + name, default="")
    # Words that begin with a dash are words too.
    parser.add_argument("--argument", action="append", default=[])
    options = parser.parse_args()
    os.makedirs(options.model, exist_ok=True)
    launch = Launch(Api(), options)

    def end(number, frame):
        print("the step is ended: so is %s %s" % (launch.kind, launch.name), flush=True)
        launch.delete()
        os._exit(128 + number)

    signal.signal(signal.SIGTERM, end)
    launch.create()
    print("%s %s launched" % (launch.kind, launch.name), flush=True)
    launch.wait()
    figures = launch.metrics()
    facts = {"job_kind": launch.kind, "job_name": launch.name, "job_uid": launch.uid,
             "job_namespace": launch.api.namespace}
    if options.where:
        facts["location"] = options.where
    write(options.job_name, launch.name)
    open(options.metrics, "a").close()
    artifacts = {"model": (options.model_uri, dict(facts, **figures)), "metrics": (options.metrics_uri, figures)}
    output = {name: {"artifacts": [{"name": name, "uri": uri, "metadata": metadata}]}
              for name, (uri, metadata) in artifacts.items()}
    write(options.executor_output, json.dumps({"artifacts": output, "parameterValues": {"job_name": launch.name}}))
    launch.let_go()
    print("%s %s %s%s" % (launch.kind, launch.name, launch.state.lower(),
                          ": " + launch.message if launch.state == "Failed" else ""), flush=True)
    sys.exit(0 if launch.state == "Succeeded" else 1)


main()
'''
)
