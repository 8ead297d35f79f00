"""Labels, annotations and names that upstream's controllers write and its clients select by, and our own beside them.

Source: kserve/kserve 0.20 pkg/constants/constants.go; knative.dev/serving pkg/apis/autoscaling/register.go and
pkg/apis/serving/register.go.
"""

from __future__ import annotations

INFERENCE_SERVICE = "serving.kserve.io/inferenceservice"
INFERENCE_GRAPH = "serving.kserve.io/inferencegraph"
COMPONENT = "component"
"""`predictor`, `transformer` or `explainer`."""
PREDICTOR, TRANSFORMER, EXPLAINER = "predictor", "transformer", "explainer"

DEPLOYMENT_MODE = "serving.kserve.io/deploymentMode"
STANDARD, KNATIVE = "Standard", "Knative"
MODES = {"Standard": STANDARD, "RawDeployment": STANDARD, "Knative": KNATIVE, "Serverless": KNATIVE}
"""As they are written, old names and new."""
STOP = "serving.kserve.io/stop"
TAG_ROUTING = "serving.kserve.io/enable-tag-routing"
VISIBILITY = "networking.kserve.io/visibility"
CLUSTER_LOCAL = "cluster-local"

AUTOSCALER_CLASS = "serving.kserve.io/autoscalerClass"
METRICS = "serving.kserve.io/metrics"
TARGET_UTILIZATION = "serving.kserve.io/targetUtilizationPercentage"

REVISION = "serving.knative.dev/revision"
CONFIGURATION = "serving.knative.dev/configuration"
SCALING_CLASS = "autoscaling.knative.dev/class"
KPA = "kpa.autoscaling.knative.dev"
HPA = "hpa.autoscaling.knative.dev"
SCALING_METRIC = "autoscaling.knative.dev/metric"
SCALING_TARGET = "autoscaling.knative.dev/target"
MIN_SCALE = "autoscaling.knative.dev/min-scale"
MAX_SCALE = "autoscaling.knative.dev/max-scale"
INITIAL_SCALE = "autoscaling.knative.dev/initial-scale"
"""On the Deployment of a revision these say how the autoscaler scales it; it sets `spec.replicas`, and nobody else
does after the Deployment was made."""
CONTAINER_CONCURRENCY = "sampan.dev/container-concurrency"
"""On it too: what Knative's Revision has as `spec.containerConcurrency`; absent or 0 for any number."""
ROUTING_STATE = "serving.knative.dev/routingState"
ACTIVE, RESERVE = "active", "reserve"
"""A label of it, which a Revision has upstream: `reserve` where no traffic leads to it, so that it goes to zero
whatever its least is."""

CONTAINER = "kserve-container"
TRANSFORMER_CONTAINER = "transformer-container"
STORAGE_INITIALIZER = "storage-initializer"
AGENT = "agent"
QUEUE_PROXY = "queue-proxy"
MODEL_DIR = "/mnt/models"

NAMESPACE = "kserve"
"""Where `inferenceservice-config` is."""
CONFIG = "inferenceservice-config"

LOCAL_MODEL = "internal.serving.kserve.io/localmodel"
LOCAL_MODEL_NAMESPACE = "internal.serving.kserve.io/localmodel-namespace"
"""Labels: the LocalModelCache that an InferenceService takes its model from, and the namespace of one that has one."""
LOCAL_MODEL_SOURCE = "internal.serving.kserve.io/localmodel-sourceuri"
LOCAL_MODEL_CLAIM = "internal.serving.kserve.io/localmodel-pvc-name"
"""Annotations beside them."""
NODE_GROUP = "serving.kserve.io/nodegroup"
NO_LOCAL_MODEL = "serving.kserve.io/disable-localmodel"

SELDON_DEPLOYMENT = "seldon-deployment-id"
LLM_INFERENCE_SERVICE = "sampan.dev/llminferenceservice"
"""Of all that is made for one: by it they are found."""
