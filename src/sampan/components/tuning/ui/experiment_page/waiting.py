"""What an experiment waits for, or why it failed, for the notices below its head. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from sampan.components.tuning.api.summary import State, Summary, TrialState, said
from sampan.components.tuning.ui import states
from sampan.components.tuning.ui.trials import Trial, Trials
from sampan.kube.meta import Object
from sampan.ui import words

_BAD = (TrialState.FAILED, TrialState.METRICS_UNAVAILABLE)
_USUAL = ("Trial is pending", "Trial is created", "Trial is running")
_FEW = 3


@dataclass(frozen=True, slots=True)
class Notice:
    tone: str
    title: str
    text: str = ""
    hint: str = ""
    trials: tuple[str, ...] = ()
    """Names of some that show it."""


def notices(experiment: Summary, suggestion: Object, trials: Trials) -> list[Notice]:
    """The most important first; nothing where all goes well."""
    if experiment.is_deleting:
        return [Notice("warn", "It is being deleted", "Its trials and what they have made go first.")]
    bad = [each for each in trials.items if each.state in _BAD]
    if experiment.state == State.FAILED:
        return [_failure(experiment, bad)]
    found = []
    succeeded = experiment.counts.get(TrialState.SUCCEEDED, 0)
    if bad and not succeeded:
        found.append(_none_succeeded(experiment, bad))
    elif len(bad) >= max(succeeded, _FEW):
        title = f"{len(bad):,} of {len(trials.items):,} trials have failed"
        hint = "A failed trial's page has its log."
        found.append(Notice("warn", title, f"Most said: {_common(bad)}", hint, _names(bad)))
    if experiment.state.is_finished:
        return found
    if not experiment.trials and not trials.items:
        found.append(_no_trial(experiment, suggestion))
    pending = [each for each in trials.items if each.state == TrialState.PENDING and _is_said(each)]
    if pending:
        count = words.counted(len(pending), "trial waits|trials wait")
        found.append(Notice("idle", f"{count} to begin", _common(pending), "", _names(pending)))
    waits = _waits(experiment, pending)
    if (
        experiment.state == State.RUNNING
        and waits
        and not any(each.text and each.text in waits for each in found)
    ):
        found.append(Notice("idle", "What it waits for", waits))
    return found


def _failure(experiment: Summary, bad: Sequence[Trial]) -> Notice:
    text = experiment.message or experiment.reason
    if bad:
        text += f"\n{words.counted(len(bad), 'trial|trials')} failed"
        common = _common(bad)
        text += f". Most said: {common}" if common and common not in text else "."
    hint = "A failed trial's page has its log." if bad else ""
    return Notice("bad", "It failed", text.strip(), hint, _names(bad))


def _none_succeeded(experiment: Summary, bad: Sequence[Trial]) -> Notice:
    count = words.counted(len(bad), "has|have")
    most = experiment.most_failed
    hint = (
        f"At {most:,} failed trials it ends." if most is not None and not experiment.state.is_finished else ""
    )
    return Notice("warn", f"No trial has succeeded yet, {count} failed", _common(bad), hint, _names(bad))


def _no_trial(experiment: Summary, suggestion: Object) -> Notice:
    reason, message = said(suggestion) if suggestion else ("", "")
    if experiment.state == State.CREATED and not experiment.reason:
        return Notice(
            "idle",
            "Nobody has taken it up yet",
            "Its controller has not said anything of it. If that stays so, tuning is switched off here, or another "
            "Katib is to act on it.",
        )
    text = "\n".join(each for each in (experiment.message, message or reason) if each)
    title = f"Waits for what {experiment.algorithm} suggests first" if experiment.algorithm else "Begins"
    return Notice("idle", title, text)


def _waits(experiment: Summary, pending: Sequence[Trial]) -> str:
    """What its condition says beyond that it runs, and beyond what trials say that are shown."""
    message = experiment.message
    for each in pending:
        message = message.replace(f"no trial runs; {each.name}: {each.message}", "").rstrip(" :;")
    usual = not message or message.lower().rstrip(".") in ("experiment is running", "experiment is created")
    return "" if usual else message


def _is_said(trial: Trial) -> bool:
    return bool(trial.message) and trial.message.rstrip(".") not in _USUAL


def _common(trials: Sequence[Trial]) -> str:
    """What most of them say."""
    told = Counter(each.message or each.reason for each in trials if each.message or each.reason)
    return states.cut(told.most_common(1)[0][0], 600) if told else ""


def _names(trials: Sequence[Trial]) -> tuple[str, ...]:
    """The latest few."""
    return tuple(each.name for each in trials[-_FEW:])
