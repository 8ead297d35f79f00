"""The text of a trial template: an object as YAML, with places that each trial's parameters fill. Pure.

Source of the places: kubeflow/katib 0.19 pkg/controller.v1beta1/consts/const.go (TrialParameterReplaceFormat).
"""

from __future__ import annotations

import re

from sampan.kube.meta import Object
from sampan.ui.objects import yamltext
from sampan.ui.objects.yamltext import YamlError

_PLACE = re.compile(r"\$\{trialParameters\.([^}]*)\}")
TO_BEGIN = """apiVersion: batch/v1
kind: Job
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      containers:
        - name: training-container
          image: python:3.11
          command:
            - python
            - train.py
            - --lr=${trialParameters.lr}
            - --layers=${trialParameters.layers}
"""


def place(name: str) -> str:
    """What stands in a template for a parameter of the trial."""
    return f"${{trialParameters.{name}}}"


def places(text: str) -> list[str]:
    """The names that it leaves to be filled in, in the order in which they come."""
    return list(dict.fromkeys(_PLACE.findall(text)))


def parsed(text: str) -> Object:
    """The one object of a template. Raises ValueError, in words for people."""
    try:
        documents = yamltext.parse(text)
    except YamlError as error:
        line = f"line {error.problem.line}: " if error.problem.line else ""
        raise ValueError(f"{line}{error.problem.message}") from error
    if len(documents) != 1:
        raise ValueError("Write one object: a Job, a PyTorchJob, or another kind that the cluster serves.")
    return documents[0].value


def problem(text: str) -> str:
    """What is wrong with a template, if anything."""
    try:
        found = parsed(text)
    except ValueError as error:
        return str(error)
    if not found.get("apiVersion") or not found.get("kind"):
        return "An object begins with its apiVersion and kind."
    return ""
