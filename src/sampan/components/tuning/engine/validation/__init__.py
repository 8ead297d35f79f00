"""Whether an experiment can be acted on, in upstream's words and beyond them. Pure.

Called by the hooks of the embedded API server at writing, and by the reconciler where those are not.

    experiment  all of it, and what may be edited
    parameters  the search space
    template    what trials are made from
    collector   how metrics are found
    reading     objects that may hold anything

Settings of algorithms are checked by the algorithms: `engine.algorithms`, `engine.early_stopping`.
"""
