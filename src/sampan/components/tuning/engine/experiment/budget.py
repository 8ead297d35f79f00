"""How many trials an experiment makes, asks for or deletes now.

Source: kubeflow/katib 0.19 pkg/controller.v1beta1/experiment/experiment_controller.go (ReconcileTrials, deleteTrials,
ReconcileSuggestions). Not so here: trials without metrics count as trials, so none is made beyond maxTrialCount; and of
surplus trials only active ones are deleted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sampan.components.tuning.engine.experiment.tally import Account, Tally


@dataclass(frozen=True, slots=True)
class Budget:
    surplus: Sequence[Account] = ()
    """To delete."""
    create: Sequence[str] = ()
    """Names of assignments that become trials."""
    requests: int | None = None
    """Of the suggestion; None to leave them as they are."""


def budget_of(
    parallel: int, most: int | None, tally: Tally, unborn: Sequence[str], suggested: int = 0
) -> Budget:
    """`most`: maxTrialCount. `unborn`: names of assignments that have no trial, oldest first. `suggested`: how many
    assignments there have been."""
    staying = tally.staying()
    surplus = staying[: max(0, len(staying) - parallel)]
    if surplus:
        return Budget(surplus=surplus, requests=len(tally) - tally.deleting - len(surplus))
    wanted = parallel if most is None else min(parallel, most - tally.completed)
    needed = wanted - tally.active
    if needed <= 0:
        # What was asked for before the counts shrank is given back.
        return Budget(requests=len(tally) - tally.deleting if unborn else None)
    create = unborn[:needed]
    # No new ones are asked for until it is known how the stopped ones did.
    to_come = max(len(create), needed - len(tally.awaiting_metrics))
    # Somebody may have deleted trials whose assignments nobody holds any more.
    born = max(len(tally), suggested - len(unborn))
    return Budget(create=create, requests=born + to_come)
