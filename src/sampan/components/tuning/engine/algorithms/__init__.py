"""Suggestion and early stopping algorithms: one file each, chosen by Katib's names in `registry`.

They run in the tuning worker, which alone imports their libraries. Nothing here does I/O, knows the cluster or keeps
anything between two questions that could not be made again from the trials.
"""
