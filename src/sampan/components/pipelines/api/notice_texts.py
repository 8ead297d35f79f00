"""What a notice says, in the words of each channel: a CloudEvent, a message of Slack's, a mail. Pure.

What users named, and what steps printed, is text here and nothing else: no markup, no mention of everybody, no header.

Sources: CloudEvents 1.0 (JSON format); api.slack.com "Incoming webhooks", "Attachments" (which Mattermost and Discord's
Slack-compatible webhooks know too).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

_LONGEST_LOG, _LONGEST_TEXT, _LONGEST_LINE = 2500, 1000, 300
_COLORS = {
    "SUCCEEDED": "#2eb67d",
    "FAILED": "#e01e5a",
    "LATE": "#ecb22e",
    "PAUSED": "#ecb22e",
    "CANCELED": "#868686",
}
_VERBS = {
    "SUCCEEDED": "succeeded",
    "FAILED": "failed",
    "CANCELED": "was canceled",
    "CANCELING": "is being canceled",
    "PAUSED": "is paused",
    "RUNNING": "has begun",
    "LATE": "takes longer than it should",
    "TEST": "is a test: nothing has happened",
}


@dataclass(frozen=True, slots=True)
class Step:
    name: str
    message: str = ""
    log: str = ""
    """The end of what it printed; secrets that are known are masked."""


@dataclass(frozen=True, slots=True)
class Notice:
    """All there is to say. Times are RFC 3339."""

    notice_id: str
    notification: str
    namespace: str
    run_id: str
    run_name: str
    state: str
    """Of the run, or LATE, or TEST."""
    time: str
    seconds: float
    """Since the run was made."""
    error: str = ""
    step: Step | None = None
    pipeline_id: str = ""
    pipeline_name: str = ""
    pipeline_version_id: str = ""
    experiment_id: str = ""
    experiment_name: str = ""
    service_account: str = ""
    started_by: str = ""
    url: str = ""
    """Of the run; empty where the server does not know its own."""

    @property
    def headline(self) -> str:
        return f"{_one_line(self.run_name)} {_VERBS.get(self.state, self.state)}"

    @property
    def title(self) -> str:
        """The headline, and how long it took."""
        return self.headline if self.state == "TEST" else f"{self.headline} after {duration(self.seconds)}"


def duration(seconds: float) -> str:
    if seconds < 10:
        return f"{max(seconds, 0):.1f} s"
    whole = max(int(seconds), 0)
    hours, minutes = divmod(whole // 60, 60)
    if hours >= 48:
        return f"{hours // 24} d {hours % 24} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {whole % 60} s" if minutes else f"{whole} s"


def cloud_event(notice: Notice) -> dict[str, Any]:
    data: dict[str, Any] = {
        "run_id": notice.run_id,
        "display_name": notice.run_name,
        "state": notice.state,
        "namespace": notice.namespace,
        "duration_seconds": round(notice.seconds, 3),
        "error": notice.error,
        "pipeline_id": notice.pipeline_id,
        "pipeline_name": notice.pipeline_name,
        "pipeline_version_id": notice.pipeline_version_id,
        "experiment_id": notice.experiment_id,
        "experiment_name": notice.experiment_name,
        "service_account": notice.service_account,
        "started_by": notice.started_by,
        "url": notice.url,
        "notification": notice.notification,
    }
    data = {key: value for key, value in data.items() if value != ""}
    if notice.step is not None:
        step = {"name": notice.step.name, "message": notice.step.message, "log": notice.step.log}
        data["failed_step"] = {key: value for key, value in step.items() if value}
    return {
        "specversion": "1.0",
        "id": notice.notice_id,
        "source": f"/apis/v2beta1/namespaces/{notice.namespace}/runs",
        "type": f"org.kubeflow.pipelines.run.{notice.state.lower()}",
        "subject": notice.run_id,
        "time": notice.time,
        "datacontenttype": "application/json",
        "data": data,
    }


def slack(notice: Notice, channel: str = "") -> dict[str, Any]:
    fields = [{"title": name, "value": _slack(value), "short": True} for name, value in _facts(notice)]
    text = [_slack(line) for line in _story(notice)]
    attachment: dict[str, Any] = {
        "fallback": _slack(notice.headline),
        "color": _COLORS.get(notice.state, "#36c5f0"),
        "title": _slack(notice.title),
        "fields": fields,
        "mrkdwn_in": ["text"],
    }
    if notice.url:
        attachment["title_link"] = notice.url
    if notice.step is not None and notice.step.log:
        log = _slack(notice.step.log[-_LONGEST_LOG:]).replace("```", "'''")
        text.append(f"```\n{log}\n```")
    if text:
        attachment["text"] = "\n".join(text)
    message: dict[str, Any] = {"text": _slack(notice.headline), "attachments": [attachment]}
    return message | ({"channel": channel} if channel else {})


def mail(notice: Notice) -> tuple[str, str]:
    """The subject, in one line, and the text."""
    lines = [f"{notice.title}.", ""]
    lines += _story(notice)
    if notice.step is not None and notice.step.log:
        lines += ["", "The end of its log:", ""]
        lines += [f"    {line}" for line in notice.step.log.splitlines()]
    lines.append("")
    facts = [*_facts(notice), ("Run", notice.run_id), ("Time", notice.time)]
    if notice.url:
        facts.append(("Link", notice.url))
    width = max(len(name) for name, _ in facts)
    lines += [f"{name + ':':<{width + 1}} {_one_line(value)}" for name, value in facts]
    lines += ["", "-- ", f"Sent by Sampan's notification {_one_line(notice.notification)!r}."]
    return f"[Sampan] {notice.headline}"[:200], "\n".join(lines) + "\n"


def _story(notice: Notice) -> list[str]:
    lines = []
    if notice.step is not None:
        said = f": {notice.step.message[:_LONGEST_TEXT]}" if notice.step.message else ""
        lines.append(f"The step {_one_line(notice.step.name)} failed{said}")
    elif notice.error:
        lines.append(notice.error[:_LONGEST_TEXT])
    return lines


def _facts(notice: Notice) -> list[tuple[str, str]]:
    facts = [
        ("Pipeline", notice.pipeline_name or notice.pipeline_id),
        ("Experiment", notice.experiment_name or notice.experiment_id),
        ("Namespace", notice.namespace),
        ("Started by", notice.started_by),
        ("Service account", notice.service_account),
    ]
    return [(name, value) for name, value in facts if value]


def _slack(text: str) -> str:
    """Escaped as Slack wants it; nobody is called by an @ in the name of a run."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return escaped.replace("@", "@\u200b")


def _one_line(text: str) -> str:
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())[:_LONGEST_LINE]
