"""Pipelines, whole, and what came after the first release beside them. Not released yet, so it still grows."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Each kind of thing that is stored has a function of its own below."""
    _schedules()
    _failure()
    _argo()
    _clients_records()
    _runs_of_workflow_objects()
    _listing()
    _measured_artifacts()
    _triggers()
    _notifications()
    _observations()


def _schedules() -> None:
    """Recurring runs, and the way from one to its runs."""
    op.create_table(
        "kfp_schedules",
        sa.Column("recurring_run_id", sa.String(64), primary_key=True),
        sa.Column("experiment_id", sa.String(64), nullable=False),
        sa.Column("namespace", sa.String(63), nullable=False),
        sa.Column("display_name", sa.String(256), nullable=False),
        sa.Column("resource_name", sa.String(63), nullable=False),
        sa.Column("description", sa.Text, nullable=False, server_default=""),
        sa.Column("service_account", sa.String(253), nullable=False, server_default=""),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("max_concurrency", sa.Integer, nullable=False),
        sa.Column("no_catchup", sa.Boolean, nullable=False),
        sa.Column("trigger", sa.Text, nullable=False),
        sa.Column("pipeline_id", sa.String(64), nullable=False, server_default=""),
        sa.Column("pipeline_version_id", sa.String(64), nullable=False, server_default=""),
        sa.Column("spec", sa.Text, nullable=False, server_default=""),
        sa.Column("runtime_config", sa.Text, nullable=False, server_default="{}"),
        sa.Column("plugins_input", sa.Text, nullable=False, server_default="{}"),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
        sa.Column("error", sa.Text, nullable=False, server_default=""),
        sa.Column("progress", sa.BigInteger, nullable=False),
        sa.Column("runs_started", sa.BigInteger, nullable=False),
        sa.Column("next_tick", sa.BigInteger, nullable=False),
    )
    op.create_index("kfp_schedules_by_age", "kfp_schedules", ["namespace", "created_at"])
    op.create_index("kfp_schedules_by_next_tick", "kfp_schedules", ["next_tick"])
    scheduled = sa.text("recurring_run_id != ''")
    op.create_index(
        "kfp_runs_by_schedule",
        "kfp_runs",
        ["recurring_run_id", "state"],
        sqlite_where=scheduled,
        postgresql_where=scheduled,
    )


def _failure() -> None:
    """Resumed and paused runs, and tasks that are decided anew."""
    op.add_column("kfp_tasks", sa.Column("reason", sa.Text, nullable=False, server_default=""))
    op.add_column("kfp_tasks", sa.Column("former", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("kfp_runs", sa.Column("resumed_from", sa.String(64), nullable=False, server_default=""))
    op.add_column(
        "kfp_runs", sa.Column("pause_on_failure", sa.Boolean, nullable=False, server_default=sa.false())
    )
    op.create_index("kfp_runs_by_source", "kfp_runs", ["resumed_from"])


def _argo() -> None:
    """Tasks of Argo Workflows say more than those of the IR."""
    op.add_column("kfp_tasks", sa.Column("details", sa.Text, nullable=False, server_default="{}"))


def _clients_records() -> None:
    """What clients report and record: metrics, tasks, and the version that v1 takes of a pipeline."""
    op.add_column(
        "kfp_pipelines", sa.Column("default_version_id", sa.String(64), nullable=False, server_default="")
    )
    op.create_table(
        "kfp_run_metrics",
        sa.Column(
            "run_id", sa.String(64), sa.ForeignKey("kfp_runs.run_id", ondelete="CASCADE"), primary_key=True
        ),
        sa.Column("node_id", sa.String(128), primary_key=True),
        sa.Column("name", sa.String(128), primary_key=True),
        sa.Column("number_value", sa.Float, nullable=False),
        sa.Column("format", sa.String(16), nullable=False, server_default="UNSPECIFIED"),
    )
    op.add_column("kfp_tasks", sa.Column("recorded", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("kfp_tasks", sa.Column("overlay", sa.Text, nullable=False, server_default="{}"))


def _runs_of_workflow_objects() -> None:
    op.add_column("kfp_runs", sa.Column("workflow", sa.String(253), nullable=False, server_default=""))


def _measured_artifacts() -> None:
    """What artifacts' files are, who wrote them, and below which folder a run's lie."""
    text: dict[str, Any] = {"nullable": False, "server_default": ""}
    number: dict[str, Any] = {"nullable": False, "server_default": "0"}
    op.add_column("kfp_artifacts", sa.Column("digest", sa.String(64), **text))
    op.add_column("kfp_artifacts", sa.Column("size_bytes", sa.BigInteger, **number))
    op.add_column("kfp_artifacts", sa.Column("file_count", sa.BigInteger, **number))
    op.add_column("kfp_artifacts", sa.Column("mark", sa.String(128), **text))
    op.add_column("kfp_artifacts", sa.Column("producer_run_id", sa.String(64), **text))
    op.create_index("kfp_artifacts_by_producer", "kfp_artifacts", ["producer_run_id"])
    op.add_column("kfp_runs", sa.Column("artifact_root", sa.Text, **text))
    op.add_column("kfp_runs", sa.Column("pipeline_name", sa.String(256), **text))
    op.add_column("kfp_runs", sa.Column("pinned", sa.Boolean, nullable=False, server_default=sa.false()))
    reused = sa.text("cached_from_task_id != ''")
    op.create_index(
        "kfp_tasks_by_cached_from",
        "kfp_tasks",
        ["cached_from_task_id"],
        sqlite_where=reused,
        postgresql_where=reused,
    )
    op.create_table(
        "kfp_garbage",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("namespace", sa.String(63), nullable=False),
        sa.Column("uri", sa.Text, nullable=False),
        sa.Column("run_id", sa.String(64), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
    )


def _listing() -> None:
    """Indexes on which pages of long lists are found without reading their wide rows."""
    op.drop_index("kfp_tasks_by_run", "kfp_tasks")
    op.create_index("kfp_tasks_by_run", "kfp_tasks", ["run_id", "created_at", "task_id"])
    op.drop_index("kfp_artifacts_by_age", "kfp_artifacts")
    op.create_index("kfp_artifacts_by_age", "kfp_artifacts", ["namespace", "created_at", "artifact_id"])
    op.create_index("kfp_artifacts_by_name", "kfp_artifacts", ["name", "type", "artifact_id", "number_value"])
    of_pipelines = sa.text("pipeline_id != ''")
    op.create_index(
        "kfp_runs_by_pipeline",
        "kfp_runs",
        ["pipeline_id", "created_at"],
        sqlite_where=of_pipelines,
        postgresql_where=of_pipelines,
    )


def _triggers() -> None:
    """What starts runs on events, and what came of each event."""
    text: dict[str, Any] = {"nullable": False, "server_default": ""}
    number: dict[str, Any] = {"nullable": False, "server_default": "0"}
    op.create_table(
        "kfp_triggers",
        sa.Column("trigger_id", sa.String(64), primary_key=True),
        sa.Column("namespace", sa.String(63), nullable=False),
        sa.Column("display_name", sa.String(256), nullable=False),
        sa.Column("description", sa.Text, **text),
        sa.Column("experiment_id", sa.String(64), nullable=False),
        sa.Column("service_account", sa.String(253), **text),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("conditions", sa.Text, nullable=False, server_default="{}"),
        sa.Column("secret", sa.Text, **text),
        sa.Column("pipeline_id", sa.String(64), **text),
        sa.Column("pipeline_version_id", sa.String(64), **text),
        sa.Column("spec", sa.Text, **text),
        sa.Column("runtime_config", sa.Text, nullable=False, server_default="{}"),
        sa.Column("max_concurrency", sa.Integer, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
        sa.Column("error", sa.Text, **text),
        sa.Column("error_at", sa.BigInteger, **number),
        sa.Column("runs_started", sa.BigInteger, **number),
    )
    op.create_index("kfp_triggers_by_age", "kfp_triggers", ["namespace", "created_at"])
    op.create_index("kfp_triggers_by_kind", "kfp_triggers", ["kind", "namespace", "status"])
    trigger: sa.ForeignKey = sa.ForeignKey("kfp_triggers.trigger_id", ondelete="CASCADE")
    op.create_table(
        "kfp_trigger_deliveries",
        sa.Column("delivery_id", sa.String(64), primary_key=True),
        sa.Column("trigger_id", sa.String(64), trigger, nullable=False),
        sa.Column("namespace", sa.String(63), nullable=False),
        sa.Column("event_key", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("event", sa.Text, nullable=False),
        sa.Column("depth", sa.Integer, **number),
        sa.Column("run_id", sa.String(64), nullable=False),
        sa.Column("error", sa.Text, **text),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("attempts", sa.Integer, **number),
        sa.Column("attempted_at", sa.BigInteger, **number),
        sa.Column("next_at", sa.BigInteger, **number),
        sa.UniqueConstraint("trigger_id", "event_key"),
    )
    op.create_index("kfp_trigger_deliveries_by_run", "kfp_trigger_deliveries", ["run_id"])
    op.create_index(
        "kfp_trigger_deliveries_by_age", "kfp_trigger_deliveries", ["trigger_id", "created_at", "delivery_id"]
    )
    _waiting_index("kfp_trigger_deliveries_waiting", "kfp_trigger_deliveries")
    op.create_table(
        "kfp_trigger_files",
        sa.Column(
            "trigger_id",
            sa.String(64),
            sa.ForeignKey("kfp_triggers.trigger_id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("path", sa.String(1024), primary_key=True),
        sa.Column("version", sa.String(256), nullable=False),
    )


def _notifications() -> None:
    """Who is told of runs, and what is to be sent."""
    text: dict[str, Any] = {"nullable": False, "server_default": ""}
    number: dict[str, Any] = {"nullable": False, "server_default": "0"}
    op.create_table(
        "kfp_notifications",
        sa.Column("notification_id", sa.String(64), primary_key=True),
        sa.Column("namespace", sa.String(63), nullable=False),
        sa.Column("display_name", sa.String(256), nullable=False),
        sa.Column("description", sa.Text, **text),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("experiment_id", sa.String(64), **text),
        sa.Column("pipeline_id", sa.String(64), **text),
        sa.Column("run_id", sa.String(64), **text),
        sa.Column("states", sa.Text, nullable=False),
        sa.Column("longer_than_seconds", sa.BigInteger, **number),
        sa.Column("log_lines", sa.Integer, nullable=False),
        sa.Column("channel", sa.String(16), nullable=False),
        sa.Column("target", sa.Text, nullable=False),
        sa.Column("secrets", sa.Text, nullable=False, server_default="{}"),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
        sa.Column("error", sa.Text, **text),
        sa.Column("error_at", sa.BigInteger, **number),
        sa.Column("sent", sa.BigInteger, **number),
    )
    op.create_index("kfp_notifications_by_age", "kfp_notifications", ["namespace", "created_at"])
    op.create_index("kfp_notifications_by_status", "kfp_notifications", ["namespace", "status"])
    op.create_table(
        "kfp_notices",
        sa.Column("notice_id", sa.String(64), primary_key=True),
        sa.Column(
            "notification_id",
            sa.String(64),
            sa.ForeignKey("kfp_notifications.notification_id", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column("namespace", sa.String(63), nullable=False),
        sa.Column("run_id", sa.String(64), nullable=False),
        sa.Column("event_key", sa.String(160), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("facts", sa.Text, nullable=False),
        sa.Column("error", sa.Text, **text),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("attempts", sa.Integer, **number),
        sa.Column("attempted_at", sa.BigInteger, **number),
        sa.Column("next_at", sa.BigInteger, **number),
        sa.UniqueConstraint("notification_id", "event_key"),
    )
    op.create_index("kfp_notices_by_age", "kfp_notices", ["notification_id", "created_at", "notice_id"])
    _waiting_index("kfp_notices_waiting", "kfp_notices")


def _waiting_index(name: str, table: str) -> None:
    waiting = sa.text("next_at > 0")
    op.create_index(name, table, ["next_at"], sqlite_where=waiting, postgresql_where=waiting)


def _observations() -> None:
    """What trials of tuning have measured."""
    op.create_table(
        "katib_observations",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True
        ),
        sa.Column("namespace", sa.String(63), nullable=False),
        sa.Column("trial", sa.String(253), nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("time", sa.String(40), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.Column("origin", sa.String(512)),
        sa.UniqueConstraint("namespace", "trial", "name", "origin"),
    )
    op.create_index("katib_observations_by_time", "katib_observations", ["namespace", "trial", "at"])
    op.create_table(
        "katib_trial_pods",
        sa.Column("uid", sa.String(63), nullable=False),
        sa.Column("namespace", sa.String(63), nullable=False),
        sa.Column("trial", sa.String(253), nullable=False),
        sa.Column("name", sa.String(253), nullable=False),
        sa.Column("created", sa.String(40), nullable=False),
        sa.Column("containers", sa.JSON, nullable=False),
        sa.Column("labels", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("uid"),
    )
    op.create_index("katib_trial_pods_by_trial", "katib_trial_pods", ["namespace", "trial"])
