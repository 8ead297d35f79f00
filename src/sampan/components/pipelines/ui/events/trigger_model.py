"""Triggers as pages show them, and as a form of them makes the API's messages. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sampan.ui.contract import Hit

KINDS = {
    "webhook": "Webhook",
    "file": "File",
    "object": "Object in a bucket",
    "artifact": "Artifact",
    "run": "End of a run",
}
ICONS = {
    "webhook": "webhook",
    "file": "description",
    "object": "cloud",
    "artifact": "category",
    "run": "play_circle",
}
ENDS = {"SUCCEEDED": "succeeded", "FAILED": "failed", "CANCELED": "been stopped"}
DELIVERIES = {
    "PENDING": ("Waiting", "idle", "hourglass_empty"),
    "STARTED": ("Started a run", "ok", ""),
    "SKIPPED": ("Started nothing", "idle", "skip_next"),
    "FAILED": ("Failed", "bad", ""),
}
_EVENT_HINTS = {
    "webhook": "{{event.body.ref}}, {{event.headers.x-github-event}}, {{event.query.name}}",
    "file": "{{event.path}}, {{event.name}}, {{event.size}}",
    "object": "{{event.uri}}, {{event.key}}, {{event.name}}",
    "artifact": "{{event.uri}}, {{event.artifact_id}}, {{event.metadata.NAME}}, {{event.run_id}}",
    "run": "{{event.run_id}}, {{event.outputs.NAME}}, {{event.parameters.NAME}}",
}
_SAMPLES: dict[str, dict[str, Any]] = {
    "webhook": {"body": {"ref": "refs/heads/main"}, "headers": {"x-github-event": "push"}, "query": {}},
    "file": {"path": "/data/in/one.csv", "relative_path": "one.csv", "name": "one.csv", "size": 120},
    "object": {"uri": "s3://bucket/in/one.csv", "key": "in/one.csv", "name": "one.csv"},
    "artifact": {"artifact_id": "", "name": "model", "type": "system.Model", "uri": "", "metadata": {}},
    "run": {"run_id": "", "name": "train", "state": "SUCCEEDED", "parameters": {}, "outputs": {}},
}
_NUMBERS = ("NUMBER_INTEGER", "NUMBER_DOUBLE", "BOOLEAN", "LIST", "STRUCT", "INT", "DOUBLE")


def kind_of(trigger: Mapping[str, Any]) -> str:
    return next((kind for kind in KINDS if kind in trigger), "webhook")


def is_paused(trigger: Mapping[str, Any]) -> bool:
    return str(trigger.get("status", "")) != "ENABLED"


def state(thing: Mapping[str, Any]) -> tuple[str, str, str, str]:
    """Of a trigger or a notification: a word, a tone, an icon, and why."""
    error = thing.get("error", "")
    message = str(error.get("message", "")) if isinstance(error, Mapping) else str(error)
    if is_paused(thing):
        return "Paused", "warn", "pause_circle", message or "It does nothing until it is resumed"
    if message:
        return "In trouble", "bad", "", message
    return "Active", "ok", "", ""


def when(trigger: Mapping[str, Any]) -> str:
    """What starts its runs, as a part of a sentence: `on …`."""
    kind = kind_of(trigger)
    source = trigger.get(kind, {})
    if kind == "webhook":
        events = ", ".join(source.get("events") or ())
        return f"on a webhook ({events})" if events else "on a webhook"
    if kind == "file":
        return f"on files {source.get('folder', '').rstrip('/')}/{source.get('glob', '*')}"
    if kind == "object":
        return f"on objects {source.get('uri', '').rstrip('/')}/{source.get('glob', '*')}"
    if kind == "artifact":
        named = f" named {source['name']}" if source.get("name") else ""
        return f"on a new {source.get('type') or 'artifact'}{named}"
    named = f" named {source['name']}" if source.get("name") else ""
    ends = [ENDS.get(each, each) for each in source.get("states") or ("SUCCEEDED",)]
    return f"when a run{named} has {' or '.join(ends)}"


def event_hint(kind: str) -> str:
    """What of an event a parameter may say."""
    return _EVENT_HINTS[kind]


def sample(kind: str) -> str:
    """An event to try a trigger with, as JSON."""
    return json.dumps(_SAMPLES[kind], indent=2)


def source(kind: str, given: Mapping[str, Any], there: Mapping[str, Any]) -> dict[str, Any]:
    """The field of the API's message that says what it listens to, of a form's values by the API's names.

    What the form has no field for stays as it is `there`, of a trigger of the same kind.
    """
    found = dict(there.get(kind, {}))
    for name, value in given.items():
        found[name] = (
            words_of(value) if name == "events" else str(value) if name == "settle_seconds" else value
        )
    if kind != "run":
        found.pop("states", None)
    if found.get("secret"):
        found.pop("secret_ref", None)
    return {kind: {name: value for name, value in found.items() if value not in ("", "None", [], False)}}


def parameter(text: str, declared: str) -> Any:
    """What was typed for a parameter: a value of its type, or a text with placeholders that becomes one."""
    if "{{" in text or declared not in _NUMBERS:
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text  # the server says what is wrong with it


def words_of(text: str) -> list[str]:
    """Of a list that was typed with commas or blanks."""
    return [each for each in text.replace(",", " ").split() if each]


def inputs(spec: Mapping[str, Any]) -> list[tuple[str, str, Any]]:
    """Name, declared type and default of each input of a pipeline: of IR, also beside a platform's; of a Workflow."""
    spec = spec.get("pipeline_spec", spec)
    if "root" in spec:
        declared = spec["root"].get("inputDefinitions", {}).get("parameters", {})
        return [
            (name, str(each.get("parameterType", each.get("type", "STRING"))), each.get("defaultValue"))
            for name, each in declared.items()
        ]
    arguments: Sequence[Mapping[str, Any]] = spec.get("spec", {}).get("arguments", {}).get("parameters") or ()
    return [(str(each.get("name", "")), "STRING", each.get("value")) for each in arguments]


_TYPE_WORDS = {
    "STRING": "text",
    "NUMBER_INTEGER": "whole number",
    "INT": "whole number",
    "NUMBER_DOUBLE": "number",
    "DOUBLE": "number",
    "BOOLEAN": "true or false",
    "LIST": "list, as JSON",
    "STRUCT": "object, as JSON",
}


def type_word(declared: str) -> str:
    return _TYPE_WORDS.get(declared, declared.lower())


def default_word(value: Any, declared: str) -> str:
    """As it is typed. The IR writes whole numbers with a fraction."""
    if type_word(declared) == "whole number" and isinstance(value, float):
        value = int(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def hit(trigger: Mapping[str, Any]) -> Hit:
    word = state(trigger)[0]
    return Hit(
        kind="Trigger",
        name=str(trigger["display_name"]),
        path=f"/triggers/{trigger['trigger_id']}",
        icon=ICONS[kind_of(trigger)],
        detail=f"{word} · {when(trigger)}",
    )
