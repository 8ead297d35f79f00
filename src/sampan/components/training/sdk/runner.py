"""The program that calls a sent function within a pod, and says what became of it.

`RUNNER` travels as text, beside `call.pkl`. What a call gives goes into the container's termination message where it
is small, and else into the log, in lines that `outcomes` reads and nobody is shown. The same way comes a notebook.
"""

MARK = "SAMPAN-OUTCOME"
MOST_OUTCOME_BYTES = 8 * 1024 * 1024
MOST_MESSAGE_BYTES = 4096
"""Of a termination message: Kubernetes' own limit."""

RUNNER = '''\
"""Calls a function that was sent by `sampan.sdk.remote`: run.py call|notebook."""
import base64, json, os, pickle, platform, sys, traceback, zlib

here = os.path.dirname(os.path.abspath(__file__))
sys.path.append(os.path.join(here, "_sampan"))
import cloudpickle

MARK, MOST, MOST_MESSAGE = "SAMPAN-OUTCOME", 8388608, 4096


def say(outcome):
    """To whoever sent the call. One process speaks for its pod."""
    if os.environ.get("LOCAL_RANK", "0") != "0":
        return
    data = zlib.compress(cloudpickle.dumps(outcome))
    if len(data) > MOST:
        size = "%.1f MiB" % (len(data) / 2**20)
        said = "the result is too large to be brought back (%s compressed, at most 8 MiB): write it to a file " \\
            "of an output folder or an object store, and return where it is" % size
        return say({"error": None, "kind": "ResultTooLarge", "message": said, "trace": ""})
    text = base64.b64encode(data).decode()
    path = os.environ.get("SAMPAN_TERMINATION_LOG", "/dev/termination-log")
    message = MARK + ":" + text
    if len(message) > MOST_MESSAGE:
        sys.stdout.flush()
        parts = [text[at:at + 12000] for at in range(0, len(text), 12000)]
        for number, part in enumerate(parts, 1):
            sys.stdout.write("%s %d/%d %s\\n" % (MARK, number, len(parts), part))
        sys.stdout.flush()
        message = MARK + " log"
    try:
        with open(path, "w") as out:
            out.write(message)
    except OSError:
        if message.startswith(MARK + ":"):
            print(MARK, "1/1", text, flush=True)


def failed(error):
    trace = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    outcome = {"kind": type(error).__name__, "message": str(error), "trace": trace}
    try:
        outcome["error"] = cloudpickle.dumps(error.with_traceback(None))
    except Exception:
        outcome["error"] = None
    return outcome


def call():
    with open(os.path.join(here, "call.json")) as file:
        wanted = json.load(file)["python"]
    own = "%d.%d" % sys.version_info[:2]
    if own != wanted:
        raise RuntimeError("the function was sent by Python %s, and the image has Python %s: name an image with Python "
                           "%s, as image='python:%s'" % (wanted, own, wanted, wanted))
    try:
        with open(os.path.join(here, "call.pkl"), "rb") as file:
            function, args, kwargs = pickle.load(file)
    except ModuleNotFoundError as error:
        text = "%s: the image lacks it, name it in packages=[...]" % error
        raise ModuleNotFoundError(text, name=error.name) from None
    return function(*args, **kwargs)


def notebook():
    import papermill
    with open(os.path.join(here, "call.json")) as file:
        wanted = json.load(file)
    result = os.path.join(here, "result.ipynb")
    error = None
    try:
        papermill.execute_notebook(os.path.join(here, wanted["notebook"]), result, parameters=wanted["parameters"],
                                   kernel_name=wanted["kernel"] or None, log_output=True, progress_bar=False,
                                   stdout_file=sys.stdout, stderr_file=sys.stderr, cwd=here)
    except Exception as caught:
        error = caught
    content = open(result, "rb").read() if os.path.exists(result) else b""
    if error is not None:
        outcome = failed(error)
        outcome["notebook"] = content
        return outcome
    return {"value": content}


try:
    outcome = notebook() if sys.argv[1:] == ["notebook"] else {"value": call()}
except BaseException as error:
    if isinstance(error, SystemExit) and error.code in (None, 0):
        outcome = {"value": None}
    else:
        traceback.print_exc()
        outcome = failed(error)
if "kind" in outcome and sys.argv[1:] == ["notebook"]:
    print(outcome["trace"], file=sys.stderr)
try:
    say(outcome)
except Exception as error:
    # What a function returns may be nothing that travels.
    outcome = failed(error)
    outcome["message"] = "the result cannot be sent back: " + outcome["message"]
    outcome["error"] = None
    traceback.print_exc()
    say(outcome)
sys.stdout.flush()
sys.exit(1 if "kind" in outcome else 0)
'''
