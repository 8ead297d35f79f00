"""The request messages of triggers and notifications: Sampan's own part of the API, in the manner of v2beta1."""

from __future__ import annotations

from sampan.components.pipelines.api.wire import (
    Message,
    Reader,
    any_value,
    boolean,
    int64,
    map_of,
    output_only,
    repeated,
    string,
    struct,
)

SECRET_REF = Message("SecretReference", {"name": string, "key": string})
_VERSION_REFERENCE = Message(
    "PipelineVersionReference", {"pipeline_id": string, "pipeline_version_id": string}
)
_WATCHED = {"glob": string, "settle_seconds": int64, "include_existing": boolean}

TRIGGER = Message(
    "Trigger",
    {
        "trigger_id": output_only,
        "display_name": string,
        "description": string,
        "namespace": string,
        "experiment_id": string,
        "service_account": string,
        "pipeline_spec": struct,
        "pipeline_version_reference": _VERSION_REFERENCE,
        "runtime_config": Message(
            "RuntimeConfig", {"parameters": map_of(any_value), "pipeline_root": string}
        ),
        "max_concurrency": int64,
        "conditions": map_of(string),
        "disabled": boolean,
        "webhook": Message(
            "WebhookSource", {"secret": string, "secret_ref": SECRET_REF, "events": repeated(string)}
        ),
        "file": Message("FileSource", {"folder": string, **_WATCHED}),
        "object": Message("ObjectSource", {"uri": string, **_WATCHED}),
        "artifact": Message(
            "ArtifactSource",
            {"type": string, "name": string, "pipeline_id": string, "experiment_id": string},
        ),
        "run": Message(
            "RunSource",
            {"pipeline_id": string, "experiment_id": string, "states": repeated(string), "name": string},
        ),
        "status": output_only,
        "created_at": output_only,
        "updated_at": output_only,
        "error": output_only,
        "error_at": output_only,
        "runs_started": output_only,
    },
    one_of=(
        ("pipeline_spec", "pipeline_version_reference"),
        ("webhook", "file", "object", "artifact", "run"),
    ),
)

MADE_UP_EVENT = Message("MadeUpEvent", {"event": struct})

_SECRET_TEXT: dict[str, Reader] = {"secret": string, "secret_ref": SECRET_REF}
_URL: dict[str, Reader] = {"url": string, "url_secret_ref": SECRET_REF}

NOTIFICATION = Message(
    "Notification",
    {
        "notification_id": output_only,
        "display_name": string,
        "description": string,
        "namespace": string,
        "experiment_id": string,
        "pipeline_id": string,
        "run_id": string,
        "states": repeated(string),
        "longer_than_seconds": int64,
        "log_lines": int64,
        "disabled": boolean,
        "webhook": Message("WebhookChannel", {**_URL, **_SECRET_TEXT}),
        "slack": Message("SlackChannel", {**_URL, "channel": string}),
        "email": Message("EmailChannel", {"to": repeated(string)}),
        "status": output_only,
        "created_at": output_only,
        "updated_at": output_only,
        "error": output_only,
        "error_at": output_only,
        "sent": output_only,
    },
    one_of=(("webhook", "slack", "email"), ("secret", "secret_ref")),
)
