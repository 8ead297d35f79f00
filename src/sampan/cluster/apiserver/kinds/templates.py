"""What the kinds that make pods share: their template, their selector, their columns.

Source: kubernetes/pkg/apis/core/v1/defaults.go, pkg/apis/apps/validation/validation.go,
k8s.io/apimachinery/pkg/apis/meta/v1/validation/validation.go, v1.33.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sampan.cluster.apiserver.kinds.pods import default_spec, validate_spec
from sampan.cluster.apiserver.strategy import Column
from sampan.kube import meta, names, selectors
from sampan.kube.errors import BadRequestError
from sampan.kube.fielderrors import FieldErrors
from sampan.kube.meta import Object

_OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist")


def default_template(holder: Object) -> None:
    """Of `holder.template`."""
    template = holder.get("template")
    if template is None:
        template = holder["template"] = {}
    if template.get("metadata") is None:
        template["metadata"] = {}
    spec = template.setdefault("spec", {})
    default_spec(spec)


def non_negative(holder: Object, keys: tuple[str, ...], path: str, errors: FieldErrors) -> None:
    for key in keys:
        value = holder.get(key)
        if value is not None and value < 0:
            errors.invalid(f"{path}.{key}", value, "must be greater than or equal to 0")


def validate_selector(selector: Object, path: str, errors: FieldErrors) -> selectors.LabelSelector | None:
    """None for one that cannot be read."""
    for key, value in (selector.get("matchLabels") or {}).items():
        errors.each(f"{path}.matchLabels", key, names.qualified_name(key))
        errors.each(f"{path}.matchLabels", value, names.label_value(value))
    for at, expression in enumerate(selector.get("matchExpressions") or ()):
        where, operator, values = (
            f"{path}.matchExpressions[{at}]",
            expression.get("operator"),
            expression.get("values") or (),
        )
        if operator in ("In", "NotIn") and not values:
            errors.required(f"{where}.values", "must be specified when `operator` is 'In' or 'NotIn'")
        elif operator in ("Exists", "DoesNotExist") and values:
            detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
            errors.forbidden(f"{where}.values", detail)
        elif operator not in _OPERATORS:
            errors.invalid(f"{where}.operator", operator, "not a valid selector operator")
        errors.each(
            f"{where}.key", expression.get("key") or "", names.qualified_name(expression.get("key") or "")
        )
    try:
        return selectors.from_object(selector)
    except BadRequestError:
        return None


def validate_set(spec: Object, empty: str, errors: FieldErrors) -> None:
    """The selector and the template of something that keeps pods running. `empty`: why no empty selector."""
    selector = spec.get("selector")
    if selector is None:
        errors.required("spec.selector")
        # No selector selects nothing.
        _labels_do_not_match(spec["template"], errors)
    else:
        parsed = validate_selector(selector, "spec.selector", errors)
        if not selector.get("matchLabels") and not selector.get("matchExpressions"):
            errors.invalid("spec.selector", selector, empty)
        elif parsed is None:
            errors.invalid("spec.selector", selector, "invalid label selector")
        elif not parsed.matches(meta.labels(spec["template"])):
            _labels_do_not_match(spec["template"], errors)
    validate_template(spec["template"], "spec.template", errors)


def _labels_do_not_match(template: Object, errors: FieldErrors) -> None:
    errors.invalid(
        "spec.template.metadata.labels", meta.labels(template), "`selector` does not match template `labels`"
    )


def validate_template(template: Object, path: str, errors: FieldErrors) -> None:
    for key, value in meta.labels(template).items():
        errors.each(f"{path}.labels", key, names.qualified_name(key))
        errors.each(f"{path}.labels", value, names.label_value(value))
    for key in meta.annotations(template):
        errors.each(f"{path}.annotations", key, names.qualified_name(key.lower()))
    validate_spec(template["spec"], f"{path}.spec", errors)


def validate_always(template: Object, detail: str, errors: FieldErrors) -> None:
    """Pods that are kept running restart always and have no deadline; `detail` says whose they are."""
    spec = template["spec"]
    if spec["restartPolicy"] != "Always":
        errors.unsupported("spec.template.spec.restartPolicy", spec["restartPolicy"], ("Always",))
    if spec.get("activeDeadlineSeconds") is not None:
        errors.forbidden("spec.template.spec.activeDeadlineSeconds", detail)


def read(path: str, missing: Any = 0) -> Any:
    """A column's value: what stands at `path`."""

    def value(obj: Object, _: datetime) -> Any:
        found = meta.lookup(obj, path)
        return missing if found is None else found

    return value


def count(name: str, path: str) -> Column:
    return Column(name, read(path), type="string")


def of_containers(key: str, path: str = "spec.template.spec.containers") -> Any:
    def value(obj: Object, _: datetime) -> str:
        return ",".join(str(each.get(key, "")) for each in meta.lookup(obj, path) or ())

    return value


def selector_text(obj: Object, _: datetime) -> str:
    return selectors.format_selector(meta.spec(obj).get("selector") or {}) or "<none>"


WIDE = (
    Column("Containers", of_containers("name"), priority=1),
    Column("Images", of_containers("image"), priority=1),
)
SELECTOR = Column("Selector", selector_text, priority=1)
