"""What differs between two versions of a pipeline, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sampan.components.pipelines.api.ir_values import shortened, to_text
from sampan.components.pipelines.ui.spec.reading import Input, Spec
from sampan.components.pipelines.ui.spec.step import Slot, Step
from sampan.components.pipelines.ui.spec.steps import steps

ADDED, REMOVED, CHANGED = "added", "removed", "changed"


@dataclass(frozen=True, slots=True)
class Difference:
    """One line about what differs; `before` and `after` where a text is long enough to be looked at by lines."""

    text: str
    before: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    how: str
    """`added`, `removed` or `changed`."""
    what: str
    """Pipeline, Input, Task."""
    name: str
    differences: tuple[Difference, ...] = ()


def changes(old: Spec, new: Spec) -> list[Change]:
    """First the pipeline itself, then inputs, then tasks in the order of the newer one, those that are gone last."""
    return [*_of_pipeline(old, new), *_of_inputs(old, new), *_of_steps(old, new)]


def marks(found: Sequence[Change]) -> dict[str, str]:
    """Of each task that is not as it was: its path, and how it changed."""
    return {each.name: each.how for each in found if each.what == "Task"}


def summary(found: Sequence[Change]) -> str:
    """In one line."""
    if not found:
        return "Both versions say the same."
    parts = []
    for what, plural in (("Task", "tasks"), ("Input", "inputs")):
        for how in (ADDED, REMOVED, CHANGED):
            count = sum(1 for each in found if each.what == what and each.how == how)
            if count:
                parts.append(f"{count} {plural if count > 1 else what.lower()} {how}")
    if any(each.what == "Pipeline" for each in found):
        parts.append("the pipeline's own settings changed")
    return f"{', '.join(parts)}."


def _of_pipeline(old: Spec, new: Spec) -> Iterator[Change]:
    said = (
        ("Name", old.name, new.name),
        ("Description", old.description, new.description),
        ("Compiled by", old.compiler, new.compiler),
        ("Pipeline root", _root(old), _root(new)),
        ("Settings of the platform", _config(old), _config(new)),
    )
    found = tuple(_differing(name, before, after) for name, before, after in said if before != after)
    if found:
        yield Change(CHANGED, "Pipeline", new.name, found)


def _root(spec: Spec) -> str:
    return spec.pipeline.default_pipeline_root if spec.pipeline is not None else ""


def _config(spec: Spec) -> str:
    return str(spec.pipeline.config).partition("(")[2][:-1] if spec.pipeline is not None else ""


def _of_inputs(old: Spec, new: Spec) -> Iterator[Change]:
    before = {each.name: each for each in old.inputs}
    after = {each.name: each for each in new.inputs}
    for name, each in after.items():
        if name not in before:
            yield Change(ADDED, "Input", name, (Difference(_described(each)),))
        elif found := tuple(_input_differences(before[name], each)):
            yield Change(CHANGED, "Input", name, found)
    yield from (Change(REMOVED, "Input", name) for name in before if name not in after)


def _described(each: Input) -> str:
    default = f", default {shortened(to_text(each.parameter.default))}" if each.parameter.has_default else ""
    return f"{each.parameter.type}{default or (', optional' if each.parameter.optional else ', required')}"


def _input_differences(before: Input, after: Input) -> Iterator[Difference]:
    for name, was, now in (
        ("Type", str(before.parameter.type), str(after.parameter.type)),
        ("Default", _default(before), _default(after)),
        ("Needed", _needed(before), _needed(after)),
        ("Options", _options(before), _options(after)),
        ("Description", before.description, after.description),
    ):
        if was != now:
            yield _differing(name, was, now)


def _default(each: Input) -> str:
    return to_text(each.parameter.default) if each.parameter.has_default else ""


def _needed(each: Input) -> str:
    return "no" if each.parameter.optional or each.parameter.has_default else "yes"


def _options(each: Input) -> str:
    return ", ".join(map(to_text, each.parameter.literals))


def _of_steps(old: Spec, new: Spec) -> Iterator[Change]:
    before, after = steps(old), steps(new)
    for path, step in after.items():
        if path not in before:
            yield Change(ADDED, "Task", path, (Difference(step.image or step.kind),))
        elif found := tuple(_step_differences(before[path], step)):
            yield Change(CHANGED, "Task", path, found)
    yield from (Change(REMOVED, "Task", path) for path in before if path not in after)


def _step_differences(before: Step, after: Step) -> Iterator[Difference]:
    for name, was, now in (
        ("Kind", before.kind, after.kind),
        ("Shown as", before.name, after.name),
        ("Image", before.image, after.image),
        ("After", ", ".join(before.after), ", ".join(after.after)),
    ):
        if was != now:
            yield _differing(name, was, now)
    if before.code != after.code:
        yield Difference("Code", before.code, after.code)
    for name, old_words, new_words in (
        ("Command", _without(before.command, before.code), _without(after.command, after.code)),
        ("Arguments", _without(before.args, before.code), _without(after.args, after.code)),
    ):
        if old_words != new_words:
            yield _differing(name, "\n".join(old_words), "\n".join(new_words))
    yield from _entries("", dict(before.facts), dict(after.facts))
    yield from _entries("Environment variable ", dict(before.env), dict(after.env))
    yield from _entries("Input ", _slots(before.inputs), _slots(after.inputs))
    yield from _entries("Output ", _slots(before.outputs), _slots(after.outputs))


def _without(words: Sequence[str], code: str) -> list[str]:
    return [word for word in words if not code or word.strip("\n") != code]


def _slots(given: Sequence[Slot]) -> dict[str, str]:
    return {each.name: f"{each.type}{f', {each.origin}' if each.origin else ''}" for each in given}


def _entries(prefix: str, before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[Difference]:
    for name in [*after, *(each for each in before if each not in after)]:
        was, now = before.get(name, ""), after.get(name, "")
        if was != now or (name in before) != (name in after):
            yield _differing(f"{prefix}{name}", was, now)


def _differing(name: str, was: str, now: str) -> Difference:
    if "\n" in was or "\n" in now or len(was) + len(now) > 160:
        return Difference(name, was, now)
    if not was:
        return Difference(f"{name}: {now}, which is new")
    return Difference(f"{name}: {was}, which is gone") if not now else Difference(f"{name}: {was} → {now}")
