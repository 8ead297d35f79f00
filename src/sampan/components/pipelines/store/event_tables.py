"""The tables of triggers and notifications, beside those of `tables`. JSON columns hold text."""

from __future__ import annotations

import sqlalchemy as sa

from sampan.components.pipelines.store.partial_indexes import partial_index
from sampan.components.pipelines.store.tables import metadata

_ID = sa.String(64)
_NAMESPACE = sa.String(63)

triggers = sa.Table(
    "kfp_triggers",
    metadata,
    sa.Column("trigger_id", _ID, primary_key=True),
    sa.Column("namespace", _NAMESPACE, nullable=False),
    sa.Column("display_name", sa.String(256), nullable=False),
    sa.Column("description", sa.Text, nullable=False, server_default=""),
    sa.Column("experiment_id", _ID, nullable=False),
    sa.Column("service_account", sa.String(253), nullable=False, server_default=""),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("source", sa.Text, nullable=False),  # the API's message, without secrets
    sa.Column("conditions", sa.Text, nullable=False, server_default="{}"),
    sa.Column("secret", sa.Text, nullable=False, server_default=""),
    sa.Column("pipeline_id", _ID, nullable=False, server_default=""),
    sa.Column("pipeline_version_id", _ID, nullable=False, server_default=""),  # empty: the latest each time
    sa.Column("spec", sa.Text, nullable=False, server_default=""),  # as in kfp_schedules
    sa.Column("runtime_config", sa.Text, nullable=False, server_default="{}"),
    sa.Column("max_concurrency", sa.Integer, nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("updated_at", sa.BigInteger, nullable=False),
    sa.Column("error", sa.Text, nullable=False, server_default=""),  # {"code": int, "message": str} or ""
    sa.Column("error_at", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("runs_started", sa.BigInteger, nullable=False, server_default="0"),
)
sa.Index("kfp_triggers_by_age", triggers.c.namespace, triggers.c.created_at)
# What a run that ends asks for: who listens.
sa.Index("kfp_triggers_by_kind", triggers.c.kind, triggers.c.namespace, triggers.c.status)

deliveries = sa.Table(
    "kfp_trigger_deliveries",
    metadata,
    sa.Column("delivery_id", _ID, primary_key=True),
    sa.Column(
        "trigger_id", _ID, sa.ForeignKey("kfp_triggers.trigger_id", ondelete="CASCADE"), nullable=False
    ),
    sa.Column("namespace", _NAMESPACE, nullable=False),
    sa.Column("event_key", sa.String(64), nullable=False),  # of the event: it starts one run
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("event", sa.Text, nullable=False),
    sa.Column("depth", sa.Integer, nullable=False, server_default="0"),  # triggers in a row that led here
    sa.Column("run_id", _ID, nullable=False),  # which run it starts, or started
    sa.Column("error", sa.Text, nullable=False, server_default=""),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("attempted_at", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("next_at", sa.BigInteger, nullable=False, server_default="0"),  # 0 unless it waits
    sa.UniqueConstraint("trigger_id", "event_key"),
)
sa.Index("kfp_trigger_deliveries_by_run", deliveries.c.run_id)
sa.Index(
    "kfp_trigger_deliveries_by_age",
    deliveries.c.trigger_id,
    deliveries.c.created_at,
    deliveries.c.delivery_id,
)
partial_index("kfp_trigger_deliveries_waiting", deliveries, "next_at", "next_at > 0")

# Files and objects that a trigger has seen: each version of one starts one run.
files = sa.Table(
    "kfp_trigger_files",
    metadata,
    sa.Column(
        "trigger_id", _ID, sa.ForeignKey("kfp_triggers.trigger_id", ondelete="CASCADE"), primary_key=True
    ),
    sa.Column("path", sa.String(1024), primary_key=True),
    sa.Column("version", sa.String(256), nullable=False),
)

notifications = sa.Table(
    "kfp_notifications",
    metadata,
    sa.Column("notification_id", _ID, primary_key=True),
    sa.Column("namespace", _NAMESPACE, nullable=False),
    sa.Column("display_name", sa.String(256), nullable=False),
    sa.Column("description", sa.Text, nullable=False, server_default=""),
    sa.Column("status", sa.String(16), nullable=False),
    # Empty: of every experiment, pipeline, run of the namespace.
    sa.Column("experiment_id", _ID, nullable=False, server_default=""),
    sa.Column("pipeline_id", _ID, nullable=False, server_default=""),
    sa.Column("run_id", _ID, nullable=False, server_default=""),
    sa.Column("states", sa.Text, nullable=False),  # a JSON list
    sa.Column("longer_than_seconds", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("log_lines", sa.Integer, nullable=False),
    sa.Column("channel", sa.String(16), nullable=False),
    sa.Column("target", sa.Text, nullable=False),  # the API's message, without secrets
    sa.Column(
        "secrets", sa.Text, nullable=False, server_default="{}"
    ),  # {"url": …, "secret": …}: written only
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("updated_at", sa.BigInteger, nullable=False),
    sa.Column("error", sa.Text, nullable=False, server_default=""),
    sa.Column("error_at", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("sent", sa.BigInteger, nullable=False, server_default="0"),
)
sa.Index("kfp_notifications_by_age", notifications.c.namespace, notifications.c.created_at)
sa.Index("kfp_notifications_by_status", notifications.c.namespace, notifications.c.status)

notices = sa.Table(
    "kfp_notices",
    metadata,
    sa.Column("notice_id", _ID, primary_key=True),
    sa.Column(
        "notification_id",
        _ID,
        sa.ForeignKey("kfp_notifications.notification_id", ondelete="CASCADE"),
        nullable=False,
    ),
    sa.Column("namespace", _NAMESPACE, nullable=False),
    sa.Column("run_id", _ID, nullable=False),
    sa.Column("event_key", sa.String(160), nullable=False),  # of what it tells: it is told once
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("facts", sa.Text, nullable=False),  # of the run, as it was then
    sa.Column("error", sa.Text, nullable=False, server_default=""),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("attempted_at", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("next_at", sa.BigInteger, nullable=False, server_default="0"),  # 0 unless it waits
    sa.UniqueConstraint("notification_id", "event_key"),
)
sa.Index("kfp_notices_by_age", notices.c.notification_id, notices.c.created_at, notices.c.notice_id)
partial_index("kfp_notices_waiting", notices, "next_at", "next_at > 0")
