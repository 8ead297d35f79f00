"""The program that calls a sent function within a pod: once for a trial, or for one trial after another.

`TRIAL` travels as text beside `call.pkl` and runs by any Python since 3.8. As a trial's own pod it has the parameters
as arguments and says what it measures on its standard output, where the metrics collector reads it (`METRICS_FORMAT`).
As a worker of an experiment whose trials are in-process it has a socket in $SAMPAN_TRIALS, gets a JSON object a line
and answers so; `controller.inprocess` is at the other end. `STUB` lets `from sampan.sdk import tune` work there.
"""

METRICS_FORMAT = r"\bmetric ([\w|-]+)=([+-]?\d*(\.\d+)?([Ee][+-]?\d+)?)"
"""Of the metrics collector: only what the program says, whatever the function prints."""
METRIC_NAME = r"[A-Za-z0-9_|-]+"

STUB = '''\
"""What a function may use of sampan.sdk in a pod that has no Sampan."""
import sys


class _Tune:
    __module__ = "sampan.sdk"

    def report(self, metrics=None, *, step=None, **more):
        sys.modules["_sampan_trial"].report(metrics, step=step, **more)

    def trial_name(self):
        return sys.modules["_sampan_trial"].trial_name()

    def __call__(self, *args, **kwargs):
        raise RuntimeError("a trial cannot start to tune by itself here: the image has no Sampan")


tune = _Tune()
'''

TRIAL = '''\
"""Calls a function that was sent by `sampan.sdk.tune`: trial.py --NAME=VALUE…, or, with $SAMPAN_TRIALS, as a worker."""
import datetime, importlib, json, math, os, pickle, queue, re, socket, sys, threading, time, traceback, types

here = os.path.dirname(os.path.abspath(__file__))
sys.path.append(os.path.join(here, "_sampan"))
NAME = re.compile(r"[A-Za-z0-9_|-]+")
MOST_MESSAGE = 2000


class Stopped(BaseException):
    """Raised within a trial that is not to go on: no error, and not to be caught by `except Exception`."""


class BadReport(ValueError):
    """What was reported is no measurement."""


def now():
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def checked(metrics, more):
    if metrics is not None and not hasattr(metrics, "items"):
        raise BadReport("report takes names with values, as report(loss=0.1), not %r" % (metrics,))
    found = {}
    for name, value in {**(metrics or {}), **more}.items():
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise BadReport("a metric's name has letters, digits, _ and - only, not %r" % (name,))
        try:
            number = float(value)
        except (TypeError, ValueError):
            raise BadReport("%s must be a number, not %r" % (name, value)) from None
        if not math.isfinite(number):
            raise BadReport("%s is %s, which is no value to compare by" % (name, number))
        found[name] = repr(number)
    return found


class Pod:
    """One trial, whose metrics are lines of the log."""

    def __init__(self, name):
        self.name = name

    def put(self, metrics, step):
        end = "" if step is None else " step %s" % step
        lines = ["%s metric %s=%s%s\\n" % (now(), name, value, end) for name, value in metrics.items()]
        sys.stdout.write("".join(lines))
        sys.stdout.flush()


class Channel:
    """A trial of a worker, whose metrics go to the server, which says whether to go on."""

    def __init__(self, worker, number, name):
        self.worker, self.number, self.name = worker, number, name

    def put(self, metrics, step):
        answer = self.worker.ask({"id": self.number, "report": [[name, value] for name, value in metrics.items()]})
        if answer.get("stop"):
            raise Stopped(answer["stop"])


class Call:
    """The function, and how it is called."""

    def __init__(self):
        with open(os.path.join(here, "call.json")) as file:
            self.wanted = json.load(file)
        own = "%d.%d" % sys.version_info[:2]
        if own != self.wanted["python"]:
            raise RuntimeError(
                "the function was sent by Python %s, and the image has Python %s: name an image with Python %s, as "
                "image='python:%s'" % (self.wanted["python"], own, self.wanted["python"], self.wanted["python"]))
        try:
            with open(os.path.join(here, "call.pkl"), "rb") as file:
                self.function, self.space, self.fixed = pickle.load(file)
        except ModuleNotFoundError as error:
            text = "%s: the image lacks it, name it in packages=[...]" % error
            raise ModuleNotFoundError(text, name=error.name) from None

    def values(self, texts):
        return {name: self.value(name, text) for name, text in texts.items()}

    def value(self, name, text):
        reading = self.space.get(name)
        if reading is None:
            return text
        if text in reading["choices"]:
            return reading["choices"][text]
        if reading["type"] == "int":
            return int(float(text))
        return float(text) if reading["type"] in ("double", "discrete") else text

    def result(self, texts):
        """What the function returned, as metrics; what it reports goes its own way."""
        parameters = {**self.fixed, **self.values(texts)}
        if self.wanted["style"] == "dict":
            returned = self.function(parameters)
        else:
            returned = self.function(**parameters)
        if returned is None:
            return {}
        if not hasattr(returned, "items"):
            returned = {self.wanted["objective"]: returned}
        return checked({name: value for name, value in returned.items()}, {})


class Worker:
    """One trial after another. The end of the connection is the end of the process, whatever runs."""

    def __init__(self, address):
        folder = os.open(os.path.dirname(address), os.O_PATH | os.O_DIRECTORY)
        self.socket = socket.socket(socket.AF_UNIX)
        # By way of an open folder, because a socket's path may have 107 bytes only.
        self.socket.connect("/proc/self/fd/%d/%s" % (folder, os.path.basename(address)))
        os.close(folder)
        self.own = [os.dup(1), os.dup(2)]
        self.tasks, self.answers, self.lock = queue.SimpleQueue(), queue.SimpleQueue(), threading.Lock()

    def run(self):
        try:
            call, failure = Call(), None
        except BaseException as error:
            traceback.print_exc()
            call, failure = None, "%s: %s" % (type(error).__name__, error)
        self.send({"ready": failure is None, "error": failure or ""})
        if failure is not None:
            sys.exit(1)
        threading.Thread(target=self.listen, name="trials", daemon=True).start()
        while True:
            task = self.tasks.get()
            self.send(self.perform(call, task))

    def listen(self):
        with self.socket.makefile("rb") as lines:
            for line in lines:
                message = json.loads(line)
                (self.tasks if "trial" in message else self.answers).put(message)
        os._exit(143)

    def send(self, message):
        self.socket.sendall(json.dumps(message).encode() + b"\\n")

    def ask(self, message):
        with self.lock:
            self.send(message)
            return self.answers.get()

    def perform(self, call, task):
        self.begin(task["log"])
        os.environ["KATIB_TRIAL_NAME"] = task["trial"]
        environ, folder, path = variables(), os.getcwd(), list(sys.path)
        trial.channel = Channel(self, task["id"], task["trial"])
        end = {"id": task["id"], "end": "Succeeded", "message": "", "metrics": []}
        try:
            metrics = call.result(task["parameters"])
            end["metrics"] = [[name, value] for name, value in metrics.items()]
        except Stopped as stop:
            end.update(end="EarlyStopped", message=str(stop))
        except SystemExit as error:
            if error.code not in (None, 0):
                end.update(end="Failed", message="the function ended with exit code %s" % (error.code,))
        except BaseException as error:
            traceback.print_exc()
            text = "%s: %s" % (type(error).__name__, error)
            end.update(end="Failed", message=text[:MOST_MESSAGE], where=place_of(error))
        finally:
            trial.channel = None
            if variables() != environ:
                os.environ.clear()
                os.environ.update((os.fsdecode(name), os.fsdecode(value)) for name, value in environ.items())
            sys.path[:] = path
            try:
                os.chdir(folder)
            except OSError:
                pass
            self.finish()
        return end

    def begin(self, log):
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        os.makedirs(os.path.dirname(log), exist_ok=True)
        file = os.open(log, flags, 0o640)
        os.dup2(file, 1)
        os.dup2(file, 2)
        os.close(file)

    def finish(self):
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except Exception:
                pass
        for number, own in zip((1, 2), self.own):
            os.dup2(own, number)


def variables():
    """As they are kept: to decode them costs more than most of what else is done for a short trial."""
    return dict(getattr(os.environ, "_data", os.environ))


def place_of(error):
    """Where in the user's own code."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if frame.filename != __file__]
    return "%s, line %s" % (own[-1].name, own[-1].lineno) if own else ""


trial = types.ModuleType("_sampan_trial")
trial.channel = None


def report(metrics=None, *, step=None, **more):
    found = checked(metrics, more)
    if trial.channel is None:
        raise RuntimeError("report is for the function of a trial, while it runs")
    if found:
        trial.channel.put(found, step)


def trial_name():
    return trial.channel.name if trial.channel is not None else os.environ.get("KATIB_TRIAL_NAME", "")


trial.report, trial.trial_name, trial.Stopped = report, trial_name, Stopped
sys.modules["_sampan_trial"] = trial


def main():
    address = os.environ.pop("SAMPAN_TRIALS", "")
    if address:
        Worker(address).run()
    texts = {}
    for word in sys.argv[1:]:
        name, equals, value = word.partition("=")
        if not (name.startswith("--") and equals):
            sys.exit("sampan: %r is no parameter: --NAME=VALUE" % word)
        texts[name[2:]] = value
    trial.channel = Pod(os.environ.get("KATIB_TRIAL_NAME", ""))
    if os.environ.get("RANK", "0") != "0" or os.environ.get("LOCAL_RANK", "0") != "0":
        # One process speaks for all that train together.
        trial.channel.put = lambda metrics, step: None
    metrics = Call().result(texts)
    if metrics:
        trial.channel.put(metrics, None)


main()
'''
