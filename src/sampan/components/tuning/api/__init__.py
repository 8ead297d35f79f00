"""Tuning's kinds and what they mean, pure: no I/O. Open to other components."""
