"""The reconciler of Experiments."""
