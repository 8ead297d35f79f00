"""What a request's fieldValidation means: unknown and repeated fields refuse it, warn, or are passed over.

Unknown fields of built-in kinds are dropped whatever it says. Called by `verbs`. Source:
k8s.io/apiserver/pkg/endpoints/handlers/{rest,patch}.go, v1.34.
"""

from __future__ import annotations

import json

from sampan.client.protocol import PatchType, WriteOptions
from sampan.cluster.apiserver.storage import decode, encode
from sampan.cluster.apiserver.strategy import Strategies, Strategy
from sampan.kube import fieldcheck
from sampan.kube.errors import ApiError, BadRequestError, InternalError, invalid
from sampan.kube.fielderrors import FieldErrors
from sampan.kube.meta import Object
from sampan.kube.schema import Schema

_REPORTED = 100


def check(
    strategies: Strategies, strategy: Strategy, obj: Object, options: WriteOptions, patch: PatchType | None
) -> tuple[str, ...]:
    """Returns warnings; `patch` is the way in which `obj` came about. BadRequestError, InvalidError."""
    duplicates = options.duplicates
    if patch is PatchType.JSON:
        duplicates = tuple(f"json patch {each}" for each in duplicates)
    unknown: list[str] = []
    findings = _findings(strategies, strategy, obj)
    if findings is not None:
        if findings.mistyped:
            raise _refusal(obj, findings.mistyped, patch)
        unknown = findings.unknown
    if options.field_validation == "Ignore" or not (unknown or duplicates):
        return ()
    found = (*duplicates, *(f'unknown field "{path}"' for path in unknown))[:_REPORTED]
    if options.field_validation == "Strict":
        if patch is PatchType.APPLY and duplicates:
            raise BadRequestError(f"error strict decoding patch: {', '.join(duplicates)}")
        raise _refusal(obj, f"strict decoding error: {', '.join(found)}", patch)
    return found


def _findings(strategies: Strategies, strategy: Strategy, obj: Object) -> fieldcheck.Findings | None:
    if strategy.admit is not None:
        return strategy.admit(obj)
    type_name = strategies.type_name(strategy.resource)
    return fieldcheck.check(strategies.schema, type_name, obj) if type_name else None


def check_applied(schema: Schema, type_name: str, config: Object) -> None:
    """Server-side apply has no place for a field that nobody knows, whatever fieldValidation says."""
    if not type_name:
        return
    # Its findings only: what it drops is dropped from a copy.
    findings = fieldcheck.check(schema, type_name, decode(encode(config)))
    if findings.unknown or findings.mistyped:
        metadata = config.get("metadata") or {}
        group, _, version = config["apiVersion"].rpartition("/")
        what = ", ".join(f".{path}: field not declared in schema" for path in findings.unknown[:_REPORTED])
        raise InternalError(
            f"failed to create typed patch object ({metadata.get('namespace', '')}/{metadata.get('name', '')}; "
            f"{group + '/' if group else ''}{version}, Kind={config['kind']}): {findings.mistyped or what}"
        )


def _refusal(obj: Object, what: str, patch: PatchType | None) -> ApiError:
    if patch is None or patch is PatchType.APPLY:
        kind, version = obj["kind"], obj["apiVersion"].rpartition("/")[2]
        return BadRequestError(f'{kind} in version "{version}" cannot be handled as a {kind}: {what}')
    errors = FieldErrors()
    errors.invalid("patch", json.dumps(obj, separators=(",", ":")), what)
    return invalid("", "", "", errors.causes)
