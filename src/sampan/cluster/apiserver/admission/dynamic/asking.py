"""The variable `authorizer` of one write: RBAC's decisions, for who writes and for service accounts."""

from __future__ import annotations

from sampan.cluster.apiserver.access import identity
from sampan.cluster.apiserver.access.authorizer import Authorizer
from sampan.cluster.apiserver.access.request import Attributes
from sampan.cluster.apiserver.admission.dynamic.subject import Subject
from sampan.cluster.apiserver.cel import authorization
from sampan.cluster.apiserver.cel.authorization import Answer, Question
from sampan.web.guards import User


def authorizer_of(authorizer: Authorizer, subject: Subject) -> authorization.Authorizer:
    def decide(question: Question) -> Answer:
        user = subject.user
        if question.account is not None:
            user = User(
                identity.account_name(*question.account),
                (*identity.account_groups(question.account[0]), identity.AUTHENTICATED),
            )
        wanted = Attributes(
            question.verb,
            path=question.path,
            group=question.group,
            resource=question.resource,
            subresource=question.subresource,
            namespace=question.namespace,
            name=question.name,
        )
        found = authorizer.decide(user, wanted)
        return Answer(found.allowed, found.reason)

    resource = subject.resource
    request = Question(
        decide,
        group=resource.group,
        resource=resource.plural,
        subresource=subject.subresource,
        namespace="" if subject.is_namespace else subject.namespace,
        name=subject.name,
        kind="resource",
    )
    return authorization.Authorizer(decide, request)
