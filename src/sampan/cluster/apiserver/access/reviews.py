"""The review kinds: questions about access that are answered and never stored.

Source: pkg/registry/authorization/*/rest.go, pkg/registry/authentication/*/storage.go,
pkg/apis/authorization/validation/validation.go, v1.33.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sampan.cluster.apiserver.access.accounts import ISSUER
from sampan.cluster.apiserver.access.gate import Gate
from sampan.cluster.apiserver.access.request import Attributes
from sampan.kube.errors import BadRequestError, UnauthorizedError, invalid
from sampan.kube.fielderrors import FieldErrors
from sampan.kube.kinds import Resource
from sampan.kube.meta import Object
from sampan.kube.rbac import (
    LOCAL_SUBJECT_ACCESS_REVIEWS,
    SELF_SUBJECT_ACCESS_REVIEWS,
    SELF_SUBJECT_REVIEWS,
    SELF_SUBJECT_RULES_REVIEWS,
    SUBJECT_ACCESS_REVIEWS,
    TOKEN_REVIEWS,
)
from sampan.web.guards import User

Answer = Callable[[Object, str, User], Object]
"""(the question, the namespace of the URL, who asks) to the question with its status."""


class Reviews:
    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def answers(self) -> dict[Resource, Answer]:
        """By kind."""
        return {
            TOKEN_REVIEWS: self._token,
            SELF_SUBJECT_REVIEWS: self._self,
            SUBJECT_ACCESS_REVIEWS: self._subject_access,
            LOCAL_SUBJECT_ACCESS_REVIEWS: self._local_access,
            SELF_SUBJECT_ACCESS_REVIEWS: self._self_access,
            SELF_SUBJECT_RULES_REVIEWS: self._self_rules,
        }

    def _token(self, review: Object, _namespace: str, _user: User) -> Object:
        spec = _spec(review)
        token, audiences = spec.get("token") or "", tuple(spec.get("audiences") or ()) or (ISSUER,)
        if not token:
            raise _invalid(review, lambda errors: errors.required("spec.token"))
        try:
            user, meant = self._gate.user_of(str(token), audiences)
        except UnauthorizedError as error:
            return {**review, "status": {"user": {}, "error": error.message}}
        return {
            **review,
            "status": {"authenticated": True, "user": _user_info(user), "audiences": list(meant)},
        }

    def _self(self, review: Object, _namespace: str, user: User) -> Object:
        return {**review, "status": {"userInfo": _user_info(user)}}

    def _subject_access(self, review: Object, _namespace: str, _user: User) -> Object:
        spec = _spec(review)
        name, groups = spec.get("user") or "", spec.get("groups") or ()
        if not name and not groups:
            raise _invalid(
                review,
                lambda errors: errors.invalid(
                    "spec.user", name, "at least one of user or group must be specified"
                ),
            )
        extra = {str(key): tuple(map(str, each)) for key, each in (spec.get("extra") or {}).items()}
        user = User(str(name), tuple(map(str, groups)), str(spec.get("uid") or ""), extra)
        return self._decided(review, user)

    def _local_access(self, review: Object, namespace: str, user: User) -> Object:
        asked = _spec(review).get("resourceAttributes")
        where = str((asked or {}).get("namespace") or "")
        if asked is not None and where != namespace:
            raise _invalid(
                review,
                lambda errors: errors.invalid(
                    "spec.resourceAttributes.namespace", where, "must match metadata.namespace"
                ),
            )
        if "nonResourceAttributes" in _spec(review):
            raise _invalid(
                review,
                lambda errors: errors.forbidden(
                    "spec.nonResourceAttributes", "disallowed on this kind of request"
                ),
            )
        return self._subject_access(review, namespace, user)

    def _self_access(self, review: Object, _namespace: str, user: User) -> Object:
        return self._decided(review, user)

    def _decided(self, review: Object, user: User) -> Object:
        decision = self._gate.authorizer.decide(user, _attributes(review))
        status: Object = {"allowed": decision.allowed}
        if decision.reason:
            status["reason"] = decision.reason
        return {**review, "status": status}

    def _self_rules(self, review: Object, _namespace: str, user: User) -> Object:
        namespace = _spec(review).get("namespace") or ""
        if not namespace:
            raise BadRequestError("no namespace on request")
        resource_rules: list[Object] = []
        url_rules: list[Object] = []
        if user.is_master:
            resource_rules.append({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]})
            url_rules.append({"verbs": ["*"], "nonResourceURLs": ["*"]})
        for rule in self._gate.authorizer.index.rules(user, str(namespace)):
            dumped = rule.dump()
            found = url_rules if rule.urls else resource_rules
            if dumped not in found:
                found.append(dumped)
        status = {"resourceRules": resource_rules, "nonResourceRules": url_rules, "incomplete": False}
        return {**review, "status": status}


def _spec(review: Object) -> Object:
    spec = review.get("spec")
    if spec is None:
        spec = review["spec"] = {}
    if not isinstance(spec, dict):
        raise BadRequestError(f"{review['kind']} in the request cannot be handled: spec must be an object")
    return spec


def _attributes(review: Object) -> Attributes:
    spec = _spec(review)
    asked, url = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    if (asked is None) == (url is None):
        text = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
        raise _invalid(review, lambda errors: errors.invalid("spec.resourceAttributes", asked, text))
    given = asked if asked is not None else url
    if not isinstance(given, dict):
        raise BadRequestError(
            f"{review['kind']} in the request cannot be handled: attributes must be an object"
        )

    def text_of(key: str) -> str:
        return str(given.get(key) or "")

    if asked is None:
        return Attributes(text_of("verb"), text_of("path"))
    return Attributes(
        text_of("verb"),
        "",
        text_of("group"),
        text_of("version"),
        # A question about nothing in particular is about nothing: only `*` in a rule answers it.
        text_of("resource") or "*",
        text_of("subresource"),
        text_of("namespace"),
        text_of("name"),
    )


def _invalid(review: Object, add: Callable[[FieldErrors], Any]) -> Exception:
    errors = FieldErrors()
    add(errors)
    group = str(review["apiVersion"]).partition("/")[0]
    return invalid(group, str(review["kind"]), "", errors.causes)


def _user_info(user: User) -> Object:
    found: Object = {"username": user.name}
    if user.uid:
        found["uid"] = user.uid
    if user.groups:
        found["groups"] = list(user.groups)
    if user.extra:
        found["extra"] = {key: list(values) for key, values in user.extra.items()}
    return found
