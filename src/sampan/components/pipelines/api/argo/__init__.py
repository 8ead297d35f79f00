"""Argo Workflows documents: reading, checking, and the languages within them. Pure, no I/O.

    document     a Workflow with all templates that it refers to: load, resolve, what a run's row stores
    recognising  whether a document is one: light enough for the start of the server
    validate     what cannot run is refused, by the field's path
    tags         `{{…}}` and `{{=…}}` in any field
    expressions  expr-lang, of expression tags, `expression:` fields, hooks and success conditions
    conditions   `when`
    depends      which tasks a task waits for, and with what results
    loops        withItems, withParam, withSequence

Source of behaviour: argoproj/argo-workflows v3.7, as its documentation and examples show it.
"""
