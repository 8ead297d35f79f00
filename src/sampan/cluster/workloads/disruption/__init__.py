"""PodDisruptionBudgets: how many of their pods may be disturbed now."""
