"""Names that upstream's controllers write and its clients select by, and our own beside them.

Source: kubeflow/katib 0.19 pkg/controller.v1beta1/consts/const.go, pkg/webhook/v1beta1/pod/const.go.
"""

from __future__ import annotations

EXPERIMENT = "katib.kubeflow.org/experiment"
SUGGESTION = "katib.kubeflow.org/suggestion"
TRIAL = "katib.kubeflow.org/trial"
DEPLOYMENT = "katib.kubeflow.org/deployment"

INJECTION = "katib.kubeflow.org/metrics-collector-injection"
"""Of a namespace: `enabled` where metrics of trials are collected."""
COMPONENT = "katib.kubeflow.org/component"
"""Of a ConfigMap: `trial-templates` where it holds templates for the pages."""
TRIAL_TEMPLATES = "trial-templates"

COLLECTOR_CONTAINER = "metrics-logger-and-collector"
OTHER_COLLECTOR_CONTAINER = "metrics-collector"
"""Of collectors that read neither what is printed nor a file of lines."""
ENV_TRIAL_NAME = "KATIB_TRIAL_NAME"

CLEAN_METRICS = "clean-metrics-in-db"
"""Finalizer of a trial: its observations go before it does."""
UPDATE_PROMETHEUS_METRICS = "update-prometheus-metrics"
"""Finalizer of an experiment, as upstream has it."""

UNAVAILABLE = "unavailable"
"""The value of a metric that was not reported, or that is no number."""

CONFIG_MAP = "katib-config"
CONFIG_KEY = "katib-config.yaml"
NAMESPACE = "kubeflow"
"""Of the managers and of `CONFIG_MAP`."""

TRIALS_IN = "sampan.dev/trials"
"""Annotation of an experiment: `in-process` where its trials are calls of a Python function in warm workers."""
OBJECTIVES = "sampan.dev/objectives"
"""Annotation of an experiment: JSON, by metric `minimize` or `maximize`, beside spec.objective (decision 51)."""
CONSTRAINTS = "sampan.dev/constraints"
"""Annotation of an experiment: JSON, by metric what it must keep to, as `<= 5e6`."""
STOP = "sampan.dev/stop"
"""Annotation of an experiment: `true` ends it, with what runs of it; what is known stays. Taken away, it goes on."""

NUMBER = "sampan.dev/trial-number"
"""Annotation of a trial: its place among the trials of its experiment, from 0. Times of objects have whole seconds, so
without it those of one second would be in another order after each start of the server."""
