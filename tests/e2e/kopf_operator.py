"""An operator as other people write them, run by kopf in an environment of its own; `test_operators.py` starts it."""

import os

import kopf


@kopf.on.startup()
def configure(settings: kopf.OperatorSettings, **_):
    files = {}
    if "WEBHOOK_PEM" in os.environ:
        pem = os.environ["WEBHOOK_PEM"]
        files = {"certfile": pem, "pkeyfile": pem, "cafile": os.environ["WEBHOOK_CA"]}
    settings.admission.server = kopf.WebhookServer(addr="127.0.0.1", host="127.0.0.1", **files)
    settings.admission.managed = "auto.kopf.dev"
    settings.posting.enabled = False


@kopf.on.mutate("boats.example.com", "v1", "boats")
def rig(spec, patch, warnings, **_):
    if not spec.get("sail"):
        patch.spec["sail"] = "genoa"
        warnings.append("a boat without a sail was given one")


@kopf.on.validate("boats.example.com", "v1", "boats", operation="CREATE", id="crew")
def crew(spec, dryrun, **_):
    if spec.get("crew", 1) > 4:
        raise kopf.AdmissionError("too many for one boat", code=429)


@kopf.on.validate("boats.example.com", "v1", "boats", operation="DELETE", id="keep")
def keep(meta, **_):
    if meta.get("annotations", {}).get("keep") == "yes":
        raise kopf.AdmissionError("this boat is kept")


@kopf.on.validate("configmaps", labels={"checked": "yes"}, id="maps")
def maps(body, **_):
    if not body.get("data"):
        raise kopf.AdmissionError("a checked map has data")


@kopf.on.create("boats.example.com", "v1", "boats")
def launch(**_):
    return {"afloat": True}
