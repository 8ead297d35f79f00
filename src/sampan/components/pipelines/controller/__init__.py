"""Reconcilers of Argo's kinds: Workflows become runs of the engine, CronWorkflows make Workflows.

`parts.py` puts them together for the component's door, `workflows.py` and `cronworkflows.py` are the thin edges, the
rest is pure: what an object asks for, when a schedule is due, what is too old. The objects are read and written through
the `Client` only; a run's truth are its rows, and an object's status is made of them, never the other way round.
"""
