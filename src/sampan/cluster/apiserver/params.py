"""Query parameters and delete bodies, as Kubernetes reads them.

Source: k8s.io/apimachinery/pkg/apis/meta/v1/types.go and pkg/apis/meta/v1/validation/validation.go, v1.31.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from sampan.client.protocol import DeleteOptions, ListOptions, LogOptions, Propagation, WriteOptions
from sampan.kube.errors import BadRequestError, invalid
from sampan.kube.fielderrors import FieldErrors

_TRUE = frozenset({"1", "t", "T", "true", "TRUE", "True"})
_FALSE = frozenset({"", "0", "f", "F", "false", "FALSE", "False"})
_MAX_PARAMETERS = 200
_INTEGER = re.compile(r"[+-]?[0-9]{1,32}")

Query = Mapping[str, str]


def parse(query: bytes) -> Query:
    """The first value of each name counts. Raises BadRequestError."""
    found: dict[str, str] = {}
    try:
        pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True, max_num_fields=_MAX_PARAMETERS)
    except ValueError as error:
        raise BadRequestError(f"the query cannot be read: {error}") from error
    for name, value in pairs:
        found.setdefault(name, value)
    return found


def flag(query: Query, name: str) -> bool:
    """Read as Go's strconv.ParseBool; an empty value means false."""
    value = query.get(name, "")
    if value in _TRUE:
        return True
    if value in _FALSE:
        return False
    raise BadRequestError(f'the parameter {name} must be a boolean, not "{value}"')


def integer(query: Query, name: str) -> int | None:
    """Of 64 bits, read as Go's strconv.ParseInt."""
    value = query.get(name, "")
    if not value:
        return None
    if not _INTEGER.fullmatch(value) or not -(2**63) <= int(value) < 2**63:
        raise BadRequestError(f'the parameter {name} must be an integer of 64 bits, not "{value[:40]}"')
    return int(value)


def list_options(query: Query) -> ListOptions:
    """Raises BadRequestError, InvalidError."""
    limit = integer(query, "limit") or 0
    errors = FieldErrors()
    version, match = query.get("resourceVersion", ""), query.get("resourceVersionMatch", "")
    sends_initial = "sendInitialEvents" in query
    if limit < 0:
        errors.invalid("limit", limit, "must be greater than or equal to 0")
    if sends_initial and match != "NotOlderThan":
        errors.forbidden(
            "resourceVersionMatch", "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
        )
    if match and not sends_initial:
        if flag(query, "watch"):
            errors.forbidden("resourceVersionMatch", "resourceVersionMatch is forbidden for watch")
        elif not version:
            errors.forbidden(
                "resourceVersionMatch", "resourceVersionMatch is forbidden unless resourceVersion is provided"
            )
        elif match not in ("Exact", "NotOlderThan"):
            errors.unsupported("resourceVersionMatch", match, ("Exact", "NotOlderThan", ""))
        elif match == "Exact" and version == "0":
            errors.forbidden(
                "resourceVersionMatch", 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'
            )
    if query.get("continue") and version not in ("", "0"):
        raise BadRequestError("specifying resource version is not allowed when using continue")
    if errors:
        raise invalid("meta.k8s.io", "ListOptions", "", errors.causes)
    return ListOptions(
        label_selector=query.get("labelSelector", ""),
        field_selector=query.get("fieldSelector", ""),
        limit=limit,
        continue_token=query.get("continue", ""),
        resource_version=version,
        exact=match == "Exact",
    )


def write_options(query: Query) -> WriteOptions:
    """Raises BadRequestError, InvalidError."""
    errors = FieldErrors()
    dry_run, validation = query.get("dryRun", ""), query.get("fieldValidation", "") or "Warn"
    if dry_run not in ("", "All"):
        errors.unsupported("dryRun", [dry_run], ("All",))
    if validation not in ("Ignore", "Warn", "Strict"):
        errors.unsupported("fieldValidation", validation, ("", "Ignore", "Strict", "Warn"))
    manager = query.get("fieldManager", "")
    if len(manager) > 128:
        errors.invalid("fieldManager", manager, "Too long: may not be more than 128 bytes")
    if errors:
        raise invalid("meta.k8s.io", "CreateOptions", "", errors.causes)
    return WriteOptions(manager, bool(dry_run), flag(query, "force"), validation)


def delete_options(query: Query, body: Any) -> DeleteOptions:
    """From the body where there is one, else from the query. Raises BadRequestError, InvalidError."""
    given: dict[str, Any] = body if isinstance(body, dict) else {}
    if body is not None and not isinstance(body, dict):
        raise BadRequestError("the body of a delete request must be a DeleteOptions object")
    preconditions = given.get("preconditions") or {}
    if not isinstance(preconditions, dict):
        raise BadRequestError("preconditions must be an object")
    grace = given.get("gracePeriodSeconds", integer(query, "gracePeriodSeconds"))
    if grace is not None and (not isinstance(grace, int) or isinstance(grace, bool) or abs(grace) >= 2**63):
        raise BadRequestError("gracePeriodSeconds must be an integer of 64 bits")
    policy = given.get("propagationPolicy") or query.get("propagationPolicy") or ""
    orphan = given.get("orphanDependents")
    if orphan is None and "orphanDependents" in query:
        orphan = flag(query, "orphanDependents")
    errors = FieldErrors()
    if policy and policy not in tuple(Propagation):
        errors.unsupported("propagationPolicy", policy, (*Propagation, "nil"))
    if policy and orphan is not None:
        errors.invalid(
            "propagationPolicy", policy, "orphanDependents and deletionPropagation cannot be both set"
        )
    dry_run = given.get("dryRun") or ([query["dryRun"]] if query.get("dryRun") else [])
    if dry_run not in ([], ["All"]):
        errors.unsupported("dryRun", dry_run, ("All",))
    if errors:
        raise invalid("meta.k8s.io", "DeleteOptions", "", errors.causes)
    if orphan is not None:
        policy = Propagation.ORPHAN if orphan else Propagation.BACKGROUND
    return DeleteOptions(
        propagation=Propagation(policy) if policy else None,
        grace_period_seconds=grace,
        uid=str(preconditions.get("uid") or ""),
        resource_version=str(preconditions.get("resourceVersion") or ""),
        dry_run=bool(dry_run),
    )


def log_options(query: Query) -> LogOptions:
    """Raises BadRequestError, InvalidError."""
    errors = FieldErrors()
    tail, since, limit = (integer(query, name) for name in ("tailLines", "sinceSeconds", "limitBytes"))
    if tail is not None and tail < 0:
        errors.invalid("tailLines", tail, "must be greater than or equal to 0")
    if since is not None and since < 1:
        errors.invalid("sinceSeconds", since, "must be greater than 0")
    if limit is not None and limit < 1:
        errors.invalid("limitBytes", limit, "must be greater than 0")
    if since is not None and query.get("sinceTime"):
        errors.forbidden("", "at most one of `sinceTime` or `sinceSeconds` may be specified")
    if errors:
        raise invalid("", "PodLogOptions", "", errors.causes)
    return LogOptions(
        container=query.get("container", ""),
        follow=flag(query, "follow"),
        previous=flag(query, "previous"),
        timestamps=flag(query, "timestamps"),
        tail_lines=tail,
        since_seconds=since,
        since_time=query.get("sinceTime", ""),
        limit_bytes=limit,
    )
