"""The reconciler of trials, and the watches on what they run."""
