"""Trials, pure: whether one has ended, what it measured, what its status says, when it is to stop. No I/O."""
