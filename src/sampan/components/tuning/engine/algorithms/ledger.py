"""An experiment's trials as Optuna's samplers see them: a storage in memory that is made from trial records.

What Optuna's own storages cannot do, and this can: a suggestion that was asked for is taken back at the end of the
question, for it counts as a trial only when the experiment has made one of it. So the study follows from the trials.
"""

from __future__ import annotations

import datetime
from collections.abc import Container, Mapping, Sequence
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.study._frozen import FrozenStudy
from optuna.trial import FrozenTrial, TrialState

NAME = "experiment"
_STUDY = 0


class Ledger(BaseStorage):
    """One study. A trial's id is its number is its place in `trials`. Not for threads."""

    def __init__(self) -> None:
        self.trials: list[FrozenTrial] = []
        self._directions: list[StudyDirection] = []
        self._user_attrs: dict[str, Any] = {}
        self._system_attrs: dict[str, Any] = {}

    def begin(self, attrs: Mapping[str, Any] | None = None) -> FrozenTrial:
        """A running trial at the end, without parameters."""
        number = len(self.trials)
        self.trials.append(trial(number, TrialState.RUNNING, {}, {}, system_attrs=attrs))
        return self.trials[-1]

    def forget_notes(self) -> None:
        self._system_attrs = {}

    def create_new_study(self, directions: Sequence[StudyDirection], study_name: str | None = None) -> int:
        self._directions = list(directions)
        return _STUDY

    def delete_study(self, study_id: int) -> None:
        raise NotImplementedError("a ledger goes with its experiment")

    def set_study_user_attr(self, study_id: int, key: str, value: Any) -> None:
        self._user_attrs[key] = value

    def set_study_system_attr(self, study_id: int, key: str, value: Any) -> None:
        self._system_attrs[key] = value

    def get_study_id_from_name(self, study_name: str) -> int:
        return _STUDY

    def get_study_name_from_id(self, study_id: int) -> str:
        return NAME

    def get_study_directions(self, study_id: int) -> list[StudyDirection]:
        return self._directions

    def get_study_user_attrs(self, study_id: int) -> dict[str, Any]:
        return self._user_attrs

    def get_study_system_attrs(self, study_id: int) -> dict[str, Any]:
        return self._system_attrs

    def get_all_studies(self) -> list[FrozenStudy]:
        return [
            FrozenStudy(NAME, None, self._user_attrs, self._system_attrs, _STUDY, directions=self._directions)
        ]

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        return self.begin().number

    def set_trial_param(
        self, trial_id: int, param_name: str, param_value_internal: float, distribution: BaseDistribution
    ) -> None:
        found = self.trials[trial_id]
        found.params[param_name] = distribution.to_external_repr(param_value_internal)
        found.distributions[param_name] = distribution

    def set_trial_state_values(
        self, trial_id: int, state: TrialState, values: Sequence[float] | None = None
    ) -> bool:
        found = self.trials[trial_id]
        found.state = state
        if values is not None:
            found.values = list(values)
        return True

    def set_trial_intermediate_value(self, trial_id: int, step: int, intermediate_value: float) -> None:
        self.trials[trial_id].intermediate_values[step] = intermediate_value

    def set_trial_user_attr(self, trial_id: int, key: str, value: Any) -> None:
        self.trials[trial_id].user_attrs[key] = value

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        self.trials[trial_id].system_attrs[key] = value

    def get_trial(self, trial_id: int) -> FrozenTrial:
        return self.trials[trial_id]

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        # Never copied: nobody but samplers sees them.
        return [each for each in self.trials if states is None or each.state in states]


_THEN = datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC)
"""Samplers that look at times are told none."""


def trial(
    number: int,
    state: TrialState,
    params: dict[str, Any],
    distributions: dict[str, BaseDistribution],
    values: Sequence[float] | None = None,
    system_attrs: Mapping[str, Any] | None = None,
) -> FrozenTrial:
    return FrozenTrial(
        number=number,
        trial_id=number,
        state=state,
        value=None,
        values=values,
        datetime_start=_THEN,
        datetime_complete=_THEN if state.is_finished() else None,
        params=params,
        distributions=distributions,
        user_attrs={},
        system_attrs=dict(system_attrs or {}),
        intermediate_values={},
    )
