"""Data for the architecture searches beside this file: scikit-learn's handwritten digits, which come with its package.

Imported by them in a pod, where it lies in the same folder.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_digits

CLASSES = 10
_VALIDATION = 360


def pictures(height: int, width: int, channels: int) -> tuple[Any, Any, Any, Any]:
    """Pictures (count, channels, height, width) and what they show: to learn from, and to be judged by."""
    print("Reading scikit-learn's digits.", flush=True)
    images, labels = load_digits(return_X_y=True)
    images = images.reshape(-1, 8, 8) / 16
    rows, columns = np.arange(height) * 8 // height, np.arange(width) * 8 // width
    images = images[:, rows][:, :, columns][:, None].repeat(channels, axis=1)
    order = np.random.default_rng(0).permutation(len(labels))
    x = torch.tensor(images[order], dtype=torch.float32)
    y = torch.tensor(labels[order], dtype=torch.long)
    return x[_VALIDATION:], y[_VALIDATION:], x[:_VALIDATION], y[:_VALIDATION]


def assigned(text: str) -> Any:
    """JSON as it is assigned: in single quotation marks, maybe between double ones that were meant for a shell."""
    return json.loads(text.strip().strip('"').replace("'", '"'))
