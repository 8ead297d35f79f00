"""The schema. JSON columns hold text in the shapes of the KFP API (snake_case) unless said otherwise."""

from __future__ import annotations

import sqlalchemy as sa

from sampan.components.pipelines.store.partial_indexes import partial_index

metadata = sa.MetaData()

_ID = sa.String(64)
_NAMESPACE = sa.String(63)

experiments = sa.Table(
    "kfp_experiments",
    metadata,
    sa.Column("experiment_id", _ID, primary_key=True),
    sa.Column("namespace", _NAMESPACE, nullable=False),
    sa.Column("display_name", sa.String(256), nullable=False),
    sa.Column("description", sa.Text, nullable=False, server_default=""),
    sa.Column("storage_state", sa.String(16), nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("last_run_created_at", sa.BigInteger, nullable=False, server_default="0"),
    sa.UniqueConstraint("namespace", "display_name"),
)

pipelines = sa.Table(
    "kfp_pipelines",
    metadata,
    sa.Column("pipeline_id", _ID, primary_key=True),
    sa.Column("namespace", _NAMESPACE, nullable=False),
    sa.Column("name", sa.String(128), nullable=False),
    sa.Column("display_name", sa.String(256), nullable=False),
    sa.Column("description", sa.Text, nullable=False, server_default=""),
    sa.Column("tags", sa.Text, nullable=False, server_default="{}"),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    # What v1 was told to take where only the pipeline is named; empty for the latest.
    sa.Column("default_version_id", _ID, nullable=False, server_default=""),
    sa.UniqueConstraint("namespace", "name"),
)

pipeline_versions = sa.Table(
    "kfp_pipeline_versions",
    metadata,
    sa.Column("pipeline_version_id", _ID, primary_key=True),
    sa.Column(
        "pipeline_id", _ID, sa.ForeignKey("kfp_pipelines.pipeline_id", ondelete="CASCADE"), nullable=False
    ),
    sa.Column("name", sa.String(127), nullable=False),
    sa.Column("display_name", sa.String(256), nullable=False),
    sa.Column("description", sa.Text, nullable=False, server_default=""),
    sa.Column("tags", sa.Text, nullable=False, server_default="{}"),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("package_url", sa.Text, nullable=False, server_default=""),
    sa.Column("code_source_url", sa.Text, nullable=False, server_default=""),
    # {"pipeline_spec": …, "platform_spec": …}: the IR's own field names (camelCase), as uploaded.
    sa.Column("spec", sa.Text, nullable=False),
    sa.UniqueConstraint("pipeline_id", "name"),
)
sa.Index("kfp_pipeline_versions_by_age", pipeline_versions.c.pipeline_id, pipeline_versions.c.created_at)

runs = sa.Table(
    "kfp_runs",
    metadata,
    sa.Column("run_id", _ID, primary_key=True),
    sa.Column("experiment_id", _ID, nullable=False),
    sa.Column("namespace", _NAMESPACE, nullable=False),
    sa.Column("display_name", sa.String(256), nullable=False),
    sa.Column("description", sa.Text, nullable=False, server_default=""),
    sa.Column("storage_state", sa.String(16), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("state_history", sa.Text, nullable=False, server_default="[]"),
    sa.Column("error", sa.Text, nullable=False, server_default=""),  # {"code": int, "message": str} or ""
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("scheduled_at", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("finished_at", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("pipeline_id", _ID, nullable=False, server_default=""),
    sa.Column("pipeline_version_id", _ID, nullable=False, server_default=""),
    # What runs, as in pipeline_versions.spec: kept with the run, so that deleting a version changes no run.
    sa.Column("spec", sa.Text, nullable=False),
    sa.Column("spec_inline", sa.Boolean, nullable=False),
    # {"parameters": {…}, "pipeline_root": "…"}
    sa.Column("runtime_config", sa.Text, nullable=False, server_default="{}"),
    sa.Column("service_account", sa.String(253), nullable=False, server_default=""),
    sa.Column("recurring_run_id", _ID, nullable=False, server_default=""),
    # The name of the Workflow object that the run is of, with the run's id as its uid; empty for all other runs.
    sa.Column("workflow", sa.String(253), nullable=False, server_default=""),
    # The pipeline root that the run's steps wrote below, as it was resolved when the run began.
    sa.Column("artifact_root", sa.Text, nullable=False, server_default=""),
    # The name in what it runs, noted when it began.
    sa.Column("pipeline_name", sa.String(256), nullable=False, server_default=""),
    # Whether it is kept whatever the retention rules say.
    sa.Column("pinned", sa.Boolean, nullable=False, server_default=sa.false()),
    # The run whose finished tasks this one reuses.
    sa.Column("resumed_from", _ID, nullable=False, server_default=""),
    sa.Column("pause_on_failure", sa.Boolean, nullable=False, server_default=sa.false()),
)
sa.Index("kfp_runs_by_source", runs.c.resumed_from)
sa.Index("kfp_runs_by_age", runs.c.namespace, runs.c.created_at)
sa.Index("kfp_runs_by_experiment", runs.c.experiment_id, runs.c.created_at)
sa.Index("kfp_runs_by_state", runs.c.state)
partial_index("kfp_runs_by_pipeline", runs, "pipeline_id, created_at", "pipeline_id != ''")
# Lists search on this index alone: a run's own row is wide, with its specification in it.
sa.Index(
    "kfp_runs_listing",
    runs.c.namespace,
    runs.c.created_at,
    runs.c.run_id,
    runs.c.storage_state,
    runs.c.state,
    runs.c.experiment_id,
    runs.c.display_name,
    runs.c.finished_at,
)

run_metrics = sa.Table(
    "kfp_run_metrics",
    metadata,
    sa.Column("run_id", _ID, sa.ForeignKey("kfp_runs.run_id", ondelete="CASCADE"), primary_key=True),
    sa.Column("node_id", sa.String(128), primary_key=True),
    sa.Column("name", sa.String(128), primary_key=True),
    sa.Column("number_value", sa.Float, nullable=False),
    sa.Column("format", sa.String(16), nullable=False, server_default="UNSPECIFIED"),
)

tasks = sa.Table(
    "kfp_tasks",
    metadata,
    sa.Column("task_id", _ID, primary_key=True),
    sa.Column("run_id", _ID, sa.ForeignKey("kfp_runs.run_id", ondelete="CASCADE"), nullable=False),
    sa.Column("parent_task_id", _ID, nullable=False, server_default=""),
    # The task's key in its DAG, and its path from the root with iteration numbers: `root/for-loop-1/2/train`.
    sa.Column("name", sa.String(256), nullable=False),
    sa.Column("scope_path", sa.Text, nullable=False),
    sa.Column("display_name", sa.String(256), nullable=False),
    sa.Column("type", sa.String(24), nullable=False),
    sa.Column("iteration_index", sa.Integer, nullable=False, server_default="-1"),
    sa.Column("iteration_count", sa.Integer, nullable=False, server_default="-1"),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("state_history", sa.Text, nullable=False, server_default="[]"),
    sa.Column("error", sa.Text, nullable=False, server_default=""),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("started_at", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("finished_at", sa.BigInteger, nullable=False, server_default="0"),
    # Attempts so far, oldest first: [{"pod": name, "uid": uid, "state": …, "exit_code": …, "message": …,
    # "started_at": …, "finished_at": …}]. The last one is the current one.
    sa.Column("attempts", sa.Text, nullable=False, server_default="[]"),
    # Resolved inputs and recorded outputs, in the engine's own shape: {"parameters": {…}, "artifacts": {name: [id]}}
    sa.Column("inputs", sa.Text, nullable=False, server_default="{}"),
    sa.Column("outputs", sa.Text, nullable=False, server_default="{}"),
    sa.Column("cache_fingerprint", sa.String(64), nullable=False, server_default=""),
    sa.Column("cached_from_task_id", _ID, nullable=False, server_default=""),
    # Why it runs, or whose result it has, in words for people; empty where there is nothing to say.
    sa.Column("reason", sa.Text, nullable=False, server_default=""),
    # Of an earlier try of the run: the task is decided anew when its turn comes, and keeps its attempts.
    sa.Column("former", sa.Boolean, nullable=False, server_default=sa.false()),
    # What only the run's language knows about the task; of Argo's, see engine/argo/rows.py.
    sa.Column("details", sa.Text, nullable=False, server_default="{}"),
    # Whether a client recorded it through the API: the engine leaves such a task alone.
    sa.Column("recorded", sa.Boolean, nullable=False, server_default=sa.false()),
    # What clients say of a task, where the engine's own columns have no place for it, or another word.
    sa.Column("overlay", sa.Text, nullable=False, server_default="{}"),
)
sa.Index("kfp_tasks_by_run", tasks.c.run_id, tasks.c.created_at, tasks.c.task_id)
sa.Index("kfp_tasks_by_parent", tasks.c.parent_task_id)
partial_index("kfp_tasks_by_cached_from", tasks, "cached_from_task_id", "cached_from_task_id != ''")
sa.Index("kfp_tasks_by_fingerprint", tasks.c.cache_fingerprint, tasks.c.finished_at)

artifacts = sa.Table(
    "kfp_artifacts",
    metadata,
    sa.Column("artifact_id", _ID, primary_key=True),
    sa.Column("namespace", _NAMESPACE, nullable=False),
    sa.Column("name", sa.String(256), nullable=False),
    sa.Column("description", sa.Text, nullable=False, server_default=""),
    sa.Column("type", sa.String(32), nullable=False),
    sa.Column("schema_title", sa.String(256), nullable=False, server_default=""),
    sa.Column("schema_version", sa.String(32), nullable=False, server_default=""),
    sa.Column("uri", sa.Text, nullable=False, server_default=""),
    sa.Column("metadata", sa.Text, nullable=False, server_default="{}"),
    sa.Column("number_value", sa.Float),
    # Whether something lay at the URI when the artifact was recorded: a cached result whose files are gone is no hit.
    sa.Column("stored", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    # What its files are (store/artifacts/measuring.py). No digest: not measured yet, or nothing to measure.
    sa.Column("digest", sa.String(64), nullable=False, server_default=""),
    sa.Column("size_bytes", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("file_count", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("mark", sa.String(128), nullable=False, server_default=""),
    # The run whose step wrote it; empty for what was imported or told from outside, whose files are not ours.
    sa.Column("producer_run_id", _ID, nullable=False, server_default=""),
)
sa.Index("kfp_artifacts_by_producer", artifacts.c.producer_run_id)
sa.Index("kfp_artifacts_by_age", artifacts.c.namespace, artifacts.c.created_at, artifacts.c.artifact_id)
sa.Index(
    "kfp_artifacts_by_name",
    artifacts.c.name,
    artifacts.c.type,
    artifacts.c.artifact_id,
    artifacts.c.number_value,
)
sa.Index("kfp_artifacts_by_uri", artifacts.c.uri)

artifact_tasks = sa.Table(
    "kfp_artifact_tasks",
    metadata,
    sa.Column("id", _ID, primary_key=True),
    sa.Column("artifact_id", _ID, nullable=False),
    sa.Column("run_id", _ID, nullable=False),
    sa.Column("task_id", _ID, nullable=False),
    sa.Column("type", sa.String(32), nullable=False),
    # The input's or output's name in the task's component; the producing task, and its iteration (-1 for none).
    sa.Column("key", sa.String(256), nullable=False),
    sa.Column("producer_task_name", sa.String(256), nullable=False, server_default=""),
    sa.Column("producer_iteration", sa.Integer, nullable=False, server_default="-1"),
)
sa.Index("kfp_artifact_tasks_by_task", artifact_tasks.c.task_id)
sa.Index("kfp_artifact_tasks_by_artifact", artifact_tasks.c.artifact_id)
sa.Index("kfp_artifact_tasks_by_run", artifact_tasks.c.run_id)

schedules = sa.Table(
    "kfp_schedules",
    metadata,
    sa.Column("recurring_run_id", _ID, primary_key=True),
    sa.Column("experiment_id", _ID, nullable=False),
    sa.Column("namespace", _NAMESPACE, nullable=False),
    sa.Column("display_name", sa.String(256), nullable=False),
    sa.Column("resource_name", sa.String(63), nullable=False),
    sa.Column("description", sa.Text, nullable=False, server_default=""),
    sa.Column("service_account", sa.String(253), nullable=False, server_default=""),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("max_concurrency", sa.Integer, nullable=False),
    sa.Column("no_catchup", sa.Boolean, nullable=False),
    sa.Column("trigger", sa.Text, nullable=False),  # the API's message
    sa.Column("pipeline_id", _ID, nullable=False, server_default=""),
    sa.Column(
        "pipeline_version_id", _ID, nullable=False, server_default=""
    ),  # empty: the latest at each tick
    sa.Column("spec", sa.Text, nullable=False, server_default=""),  # as in kfp_runs; empty: the latest's
    sa.Column("runtime_config", sa.Text, nullable=False, server_default="{}"),
    sa.Column("plugins_input", sa.Text, nullable=False, server_default="{}"),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("updated_at", sa.BigInteger, nullable=False),
    sa.Column("error", sa.Text, nullable=False, server_default=""),  # {"code": int, "message": str} or ""
    # Ticks up to here are done with; how many had a run; the first one that is not done with, 0 for none.
    sa.Column("progress", sa.BigInteger, nullable=False),
    sa.Column("runs_started", sa.BigInteger, nullable=False),
    sa.Column("next_tick", sa.BigInteger, nullable=False),
)
sa.Index("kfp_schedules_by_age", schedules.c.namespace, schedules.c.created_at)
sa.Index("kfp_schedules_by_next_tick", schedules.c.next_tick)
# Runs that no schedule started are left out: they need not pay for it.
partial_index("kfp_runs_by_schedule", runs, "recurring_run_id, state", "recurring_run_id != ''")

# Files of deleted runs that are still to be removed (garbage.py).
garbage = sa.Table(
    "kfp_garbage",
    metadata,
    sa.Column("id", _ID, primary_key=True),
    sa.Column("namespace", _NAMESPACE, nullable=False),
    sa.Column("uri", sa.Text, nullable=False),
    sa.Column("run_id", _ID, nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
)
