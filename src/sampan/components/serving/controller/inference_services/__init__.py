"""Keeps what each InferenceService consists of, and says in its status how that is.

reconciler   one InferenceService from its spec to its status
templates    its components as pod templates: runtime, storage, agent
knative      a component as revisions and their traffic
standard     a component as a Deployment
children     what belongs to one: written where it differs, deleted where nobody wants it
around_one   what counts for it in its cluster: configuration, runtimes
"""
