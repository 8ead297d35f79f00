"""What is done to an object, and checked about it, beside its kind's own defaults and validation.

`pipeline.Pipeline` is called by `verbs` inside the write's transaction; each other module is one admission plugin of
kube-apiserver, under its name.
"""
