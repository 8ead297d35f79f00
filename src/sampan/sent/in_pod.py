"""What programs that are sent to pods share, as text: the Kubernetes API by the pod's service account.

For the launchers of steps (`training.sdk.launcher`, `tuning.sdk.launcher`), which import `json, os, ssl, sys` and
`urllib.request` before it. Needs nothing but Python, 3.8 or later. Nothing here runs in a server.
"""

API = """\
ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"


class ApiError(Exception):
    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


class Api:
    def __init__(self):
        host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
        self.url = "https://%s:%s" % ("[%s]" % host if ":" in host else host, port)
        self.context = ssl.create_default_context(cafile=ACCOUNT + "/ca.crt")
        self.namespace = open(ACCOUNT + "/namespace").read().strip()

    def open(self, method, path, body=None, media="application/json", accept="application/json", seconds=60):
        headers = {"Authorization": "Bearer " + open(ACCOUNT + "/token").read().strip(), "Accept": accept}
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            headers["Content-Type"] = media
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        try:
            return urllib.request.urlopen(request, timeout=seconds, context=self.context)
        except urllib.error.HTTPError as error:
            text = error.read().decode("utf-8", "replace")
            try:
                message = json.loads(text).get("message") or text
            except ValueError:
                message = text
            raise ApiError(error.code, message) from None
        except OSError as error:
            raise ApiError(0, "the API server cannot be reached: %s" % error) from None

    def call(self, method, path, body=None, media="application/json"):
        with self.open(method, path, body, media) as answer:
            return json.loads(answer.read() or b"{}")


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as out:
        out.write(text)
"""
