"""Admission that users define by objects: webhooks that are called, policies in CEL that are run.

    subject        what a write is to them
    matching       rules and selectors, pure
    expressions    CEL with the variables of admission, bounded
    configuration  webhooks and policies compiled from their objects
    index          all of them, kept by the change feed; which concern a write
    reviews        AdmissionReview out and back, pure
    calling        one call; the mutating and the validating round
    policies       ValidatingAdmissionPolicy and its bindings
    passage        a write's way through all of it, outside of the database's transaction

Why a write is rehearsed: docs/decisions/0016-writes-are-rehearsed-for-webhooks.md.
"""
