"""Custom kinds: what CustomResourceDefinitions declare, served like kinds that are built in.

    definitions   the kind CustomResourceDefinition: defaults and validation   schemas   ... of the schemas in it
    registration  definitions come, change, go: and with them the kinds served   finalizing   their end
    kind          one version of a custom kind, as a strategy for the generic verbs
    references    places that hold a built-in type, by its name
    structural    a schema to walk beside an object     shaping   pruning and defaults     values   validation
    rules         CEL (`cel`)                           checking  of rules against their schema
    columns, jsonpath, formats, patterns, applying (server-side apply), converting (between versions)

`server` builds `Definitions` and `Finalizing`; nothing else of the API server knows that kinds may be custom.
"""
