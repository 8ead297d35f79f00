"""The schema: what trials have measured, line by line."""

from __future__ import annotations

import sqlalchemy as sa

metadata = sa.MetaData()

observations = sa.Table(
    "katib_observations",
    metadata,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
    sa.Column("namespace", sa.String(63), nullable=False),
    sa.Column("trial", sa.String(253), nullable=False),
    # Microseconds since the epoch, UTC: for ranges. `time` is the text as it was reported.
    sa.Column("at", sa.BigInteger, nullable=False),
    sa.Column("time", sa.String(40), nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("value", sa.Text, nullable=False),
    # Where it was read: the same place counts once. Null for what was pushed.
    sa.Column("origin", sa.String(512)),
    sa.UniqueConstraint("namespace", "trial", "name", "origin"),
)
sa.Index("katib_observations_by_time", observations.c.namespace, observations.c.trial, observations.c.at)

trial_pods = sa.Table(
    "katib_trial_pods",
    metadata,
    sa.Column("uid", sa.String(63), primary_key=True),
    sa.Column("namespace", sa.String(63), nullable=False),
    sa.Column("trial", sa.String(253), nullable=False),
    sa.Column("name", sa.String(253), nullable=False),
    # RFC 3339.
    sa.Column("created", sa.String(40), nullable=False),
    sa.Column("containers", sa.JSON, nullable=False),
    sa.Column("labels", sa.JSON, nullable=False),
)
sa.Index("katib_trial_pods_by_trial", trial_pods.c.namespace, trial_pods.c.trial)
