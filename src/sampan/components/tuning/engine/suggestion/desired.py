"""The Suggestion of an experiment, and what its status holds of the answers.

Source: kubeflow/katib 0.19 pkg/controller.v1beta1/experiment/suggestion/suggestion.go,
pkg/controller.v1beta1/suggestion/suggestionclient. Not so here: names of trials follow from the experiment, so that an
answer that was lost in a crash comes again under the same names; and of thousands of assignments only the latest stay
in the status (decision 46).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sampan.components.tuning.api.kinds import SUGGESTIONS
from sampan.components.tuning.api.reading import named_values
from sampan.components.tuning.api.suggesting import Answer, Rule
from sampan.kube import meta, owners
from sampan.kube.meta import Object
from sampan.lib.ids import short_hash

KEPT = 50
"""Assignments that the status keeps, beside those that have not become trials yet."""
_KUBECTL = "kubectl.kubernetes.io/last-applied-configuration"
_NAME_LENGTH = 8


def suggestion_of(experiment: Object, requests: int) -> Object:
    """`experiment` with its defaults."""
    spec = meta.spec(experiment)
    # Not kubectl's note of what was applied, which would be about another kind.
    annotations = {key: value for key, value in meta.annotations(experiment).items() if key != _KUBECTL}
    wanted: Object = {
        "algorithm": spec.get("algorithm") or {},
        "requests": requests,
        "resumePolicy": spec.get("resumePolicy"),
    }
    if spec.get("earlyStopping"):
        wanted["earlyStopping"] = spec["earlyStopping"]
    metadata: Object = {
        "name": meta.name(experiment),
        "namespace": meta.namespace(experiment),
        "ownerReferences": [owners.owner_reference(experiment)],
    }
    if held := meta.labels(experiment):
        metadata["labels"] = held
    if annotations:
        metadata["annotations"] = annotations
    return {
        "apiVersion": SUGGESTIONS.api_version,
        "kind": SUGGESTIONS.kind,
        "metadata": metadata,
        "spec": wanted,
    }


def requests_of(suggestion: Object) -> int:
    return int(meta.spec(suggestion).get("requests") or 0)


def count_of(suggestion: Object) -> int:
    """Of all assignments so far, those included that the status no longer holds."""
    status = meta.status(suggestion)
    return int(status.get("suggestionCount") or len(assignments_of(suggestion)))


def assignments_of(suggestion: Object) -> list[Object]:
    """Those that the status holds, oldest first."""
    found = meta.status(suggestion).get("suggestions")
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def learnt(suggestion: Object) -> dict[str, str]:
    """Settings that the algorithm has answered so far."""
    return named_values(meta.status(suggestion).get("algorithmSettings"))


def with_answer(
    suggestion: Object, experiment: Object, answer: Answer, rules: Sequence[Rule], born: Callable[[str], bool]
) -> Object:
    """The status with the answer: assignments, their count, settings. `born`: whether a trial of that name is there."""
    status = dict(meta.status(suggestion))
    held, count = assignments_of(suggestion), count_of(suggestion)
    taken = {str(each.get("name")) for each in held}
    fresh: list[Object] = []
    for number, assignment in enumerate(answer.assignments, start=count):
        name = assignment.trial_name or _name(experiment, number, lambda name: name in taken or born(name))
        taken.add(name)
        made: Object = {
            "name": name,
            "parameterAssignments": [
                {"name": key, "value": value} for key, value in assignment.parameters.items()
            ],
        }
        if rules:
            made["earlyStoppingRules"] = [
                {"name": each.name, "value": each.value, "comparison": each.comparison}
                | ({"startStep": each.start_step} if each.start_step else {})
                for each in rules
            ]
        if assignment.labels:
            made["labels"] = dict(assignment.labels)
        fresh.append(made)
    status["suggestions"] = _kept([*held, *fresh], born)
    status["suggestionCount"] = count + len(fresh)
    settings = {**learnt(suggestion), **answer.settings}
    if settings:
        status["algorithmSettings"] = [{"name": key, "value": value} for key, value in settings.items()]
    return status


def given_back(suggestion: Object, stays: Callable[[str], bool]) -> Object | None:
    """The status without what is no longer asked for; None where there is nothing to give back.

    `stays`: whether a trial of that name is there, and nobody has deleted it. The newest others go.
    """
    excess = count_of(suggestion) - requests_of(suggestion)
    if excess <= 0:
        return None
    held = assignments_of(suggestion)
    loose = [each for each in held if not stays(str(each.get("name")))]
    gone = {str(each.get("name")) for each in loose[-excess:]}
    if not gone:
        return None
    status = dict(meta.status(suggestion))
    status["suggestions"] = [each for each in held if str(each.get("name")) not in gone]
    status["suggestionCount"] = count_of(suggestion) - len(gone)
    return status


def _kept(assignments: list[Object], born: Callable[[str], bool]) -> list[Object]:
    older, latest = assignments[:-KEPT], assignments[-KEPT:]
    return [*(each for each in older if not born(str(each.get("name")))), *latest]


def _name(experiment: Object, number: int, is_taken: Callable[[str], bool]) -> str:
    # The generation: what was given back when the spec changed must not come again under the name of a deleted trial.
    parts = (meta.uid(experiment), str(meta.generation(experiment)), str(number))
    attempt = 0
    while True:
        name = f"{meta.name(experiment)}-{short_hash(*parts, str(attempt), length=_NAME_LENGTH)}"
        if not is_taken(name):
            return name
        attempt += 1
