"""The reconciler of Suggestions, and whom it asks."""
