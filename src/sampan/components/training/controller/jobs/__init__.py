"""Training Operator's kinds: one reconciler class, of which each kind has one.

`reconciler` is the table of contents, `children` finds what a job owns, `writing` makes and deletes it and tells of
it. What is to be done is decided in `sampan.components.training.engine.jobs`.
"""
