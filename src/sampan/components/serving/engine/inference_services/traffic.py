"""How much of the requests each revision of a component gets, and which revisions count as rolled out. Pure.

Source: kserve/kserve 0.20 pkg/controller/v1beta1/inferenceservice/reconcilers/knative/ksvc_reconciler.go
(createKnativeService), pkg/apis/serving/v1beta1/inference_service_status.go (PropagateStatus);
knative.dev/serving 1.22 pkg/reconciler/configuration/configuration.go, pkg/reconciler/route/traffic/traffic.go.
Not so here: what upstream reaches in several rounds is computed at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sampan.components.serving.engine.inference_services import names

LATEST, PREVIOUS = "latest", "prev"
"""Tags."""
_ROUNDS = 4


@dataclass(frozen=True, slots=True)
class Share:
    """What one target of the traffic gets."""

    revision: str
    percent: int
    is_latest: bool
    tag: str = ""


@dataclass(frozen=True, slots=True)
class Rollout:
    """Revisions of a component by what has become of them, and the traffic that follows; names, empty for none."""

    latest_created: str = ""
    latest_ready: str = ""
    previous_rolled_out: str = ""
    latest_rolled_out: str = ""
    traffic: tuple[Share, ...] = ()
    missing: str = ""
    """A revision that was to get traffic and is gone: the traffic stays as it was."""

    @property
    def in_use(self) -> frozenset[str]:
        """Whose pods requests may come to, be it by a tag alone."""
        return frozenset(share.revision for share in self.traffic)


@dataclass(frozen=True, slots=True)
class Wish:
    """What a component's spec says of it."""

    canary_percent: int | None = None
    tags_latest: bool = False


def before(status: Mapping[str, Any]) -> Rollout:
    """As the component's status has it."""
    traffic = tuple(
        Share(
            str(each.get("revisionName") or ""),
            int(each.get("percent") or 0),
            bool(each.get("latestRevision")),
            str(each.get("tag") or ""),
        )
        for each in status.get("traffic") or ()
        if isinstance(each, Mapping)
    )
    return Rollout(
        str(status.get("latestCreatedRevision") or ""),
        str(status.get("latestReadyRevision") or ""),
        str(status.get("previousRolledoutRevision") or ""),
        str(status.get("latestRolledoutRevision") or ""),
        traffic,
    )


def after(old: Rollout, created: str, ready: Sequence[str], there: frozenset[str], wish: Wish) -> Rollout:
    """What `old` becomes. `created` is the newest revision, `ready` those that are or have been, `there` all."""
    new = replace(old, latest_created=created, latest_ready=_latest_ready(old, created, ready))
    for _ in range(_ROUNDS):
        wanted = _targets(new, wish)
        gone = next((share.revision for share in wanted if share.revision not in there), "")
        new = replace(new, missing=gone) if gone else replace(new, traffic=wanted, missing="")
        rolled = new if gone else _rolled_out(new)
        if rolled == new:
            break
        new = rolled
    return new


def _latest_ready(old: Rollout, created: str, ready: Sequence[str]) -> str:
    """The newest that is ready, not older than the one before, unless that is gone."""
    found = [name for name in ready if names.number_of(name) <= names.number_of(created)]
    newest = max(found, key=names.number_of, default="")
    if names.number_of(newest) >= names.number_of(old.latest_ready) or old.latest_ready not in ready:
        return newest
    return old.latest_ready


def _targets(now: Rollout, wish: Wish) -> tuple[Share, ...]:
    if not now.latest_ready:
        return ()
    tag = LATEST if wish.tags_latest else ""
    if wish.canary_percent is None or not now.latest_rolled_out:
        return (Share(now.latest_ready, 100, is_latest=True, tag=tag),)
    percent = min(max(wish.canary_percent, 0), 100)
    latest = Share(now.latest_ready, percent, is_latest=True, tag=tag)
    if percent == 100:
        return (latest,)
    return latest, Share(now.latest_rolled_out, 100 - percent, is_latest=False, tag=PREVIOUS)


def _rolled_out(now: Rollout) -> Rollout:
    """Which revision has all of the traffic, now that it goes as it does."""
    latest = next((share for share in now.traffic if share.is_latest), None)
    if latest is None or latest.revision != now.latest_ready:
        return now
    if now.latest_rolled_out != now.latest_ready:
        if latest.percent != 100:
            return now
        return replace(now, previous_rolled_out=now.latest_rolled_out, latest_rolled_out=now.latest_ready)
    # It had everything, and is taken back: the one before it has its place again.
    total = sum(share.percent for share in now.traffic if share.revision == latest.revision)
    is_split = latest.percent < 100 and total == 100
    if now.latest_ready == now.latest_created and is_split and now.previous_rolled_out:
        return replace(now, latest_rolled_out=now.previous_rolled_out)
    return now
