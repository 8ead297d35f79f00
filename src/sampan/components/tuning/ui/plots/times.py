"""When each trial waited and ran, as a timeline. Pure."""

from __future__ import annotations

from sampan.components.tuning.api.summary import TrialState
from sampan.components.tuning.ui import states
from sampan.components.tuning.ui.trials import Trial, Trials, milliseconds
from sampan.ui.charts.figure import shown
from sampan.ui.timeline.model import Row, Span, Timeline

MOST_ROWS = 1000


def timeline(trials: Trials) -> Timeline:
    """A row for each, the newest so many."""
    items = trials.items[-MOST_ROWS:]
    rows = [_row(each, trials) for each in items]
    starts = [span.start for row in rows for span in row.spans]
    ends = [span.end for row in rows for span in row.spans]
    is_over = bool(ends) and all(ends)
    return Timeline(rows, min(starts, default=0), max(ends) if is_over else 0)


def _row(trial: Trial, trials: Trials) -> Row:
    word, tone, _ = states.of_trial(trial.state)
    value = trials.value(trial)
    return Row(
        id=trial.name,
        label=trial.name,
        state=word,
        tone=tone,
        badge="" if value is None else f"{trials.goal.metric} {shown(float(value))}",
        title=trial.message,
        spans=_spans(trial),
    )


def _spans(trial: Trial) -> list[Span]:
    created, started, ended = (milliseconds(each) for each in (trial.created, trial.started, trial.ended))
    is_over = trial.state.is_finished
    if not created:
        return []
    if not started:
        return [Span("queue", created, (ended or created) if is_over else 0)]
    found = [Span("queue", created, started)] if started > created else []
    end = max(started, ended) if ended else (started if is_over else 0)
    tone = "busy" if not is_over else "bad" if trial.state == TrialState.FAILED else "ok"
    return [*found, Span("run", started, end, tone)]
