"""What may not be, of each of serving's kinds. Pure; for `controller.admission`, and for the controllers elsewhere.

Each module has `check(obj, old, around, errors)`. The words are upstream's where clients see them, with what to do.

    surroundings    what checks ask about other objects
    services        InferenceServices: names, components, storage, traffic
    components    which of several ways a component is written in, its replicas, logger, variables
    scaling    what may be scaled by what
    workers    predictors of several pods
    canaries    `spec.canary`
    storage    where models come from
    runtimes, graphs, trained_models, others    the other kinds
"""
