"""All frameworks whose jobs are pods by role, each once."""

from __future__ import annotations

from sampan.components.training.engine.jobs.framework import Framework
from sampan.components.training.engine.jobs.jax import Jax
from sampan.components.training.engine.jobs.paddle import Paddle
from sampan.components.training.engine.jobs.pytorch import PyTorch
from sampan.components.training.engine.jobs.tensorflow import TensorFlow
from sampan.components.training.engine.jobs.xgboost import XGBoost

FRAMEWORKS: tuple[Framework, ...] = (TensorFlow(), PyTorch(), XGBoost(), Jax(), Paddle())
